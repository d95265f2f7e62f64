"""From how sure an exit must be: a threshold, tuned on samples whose answers are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEVER = 2.0
"""A threshold that no probability reaches."""
MOST = 200
"""The most thresholds that are tried."""
SURE = 0.95
"""How sure it is that no more is lost than a limit says."""
QUANTILE = 1.6449
"""Of the normal distribution, below which so much of it lies."""
SEVERE = 50.0
"""Points from which what a sample loses is an answer that became wrong, and no pixel of it."""


@attrs.frozen(kw_only=True, eq=False)
class Answered:
    """What exits and the whole answered for the same samples, as the counts of a metric."""

    sure: NDArray[Any]
    """How sure each exit was of each sample: (exits, samples)."""
    counts: NDArray[Any]
    """What its answers count: (exits, samples, k)."""
    whole: NDArray[Any]
    """What the answers of the whole count: (samples, k)."""
    value: Callable[[Any], float]
    """From the counts of all samples, summed, to the figure, 0 to 1."""

    def pick(self, exits: Sequence[int]) -> Answered:
        """Return the same with some of the exits alone."""
        return attrs.evolve(self, sure=self.sure[list(exits)], counts=self.counts[list(exits)])

    def find_shares(self, threshold: float) -> tuple[float, ...]:
        """Return which share of the samples leaves at each exit, the first that lets it."""
        left = self._find_left(threshold)
        return tuple(float((left == number).mean()) for number in range(len(self.sure)))

    def find_drop(self, threshold: float) -> float:
        """Return by how many points the figure falls, in hundredths; below 0 where it rises."""
        return 100 * (
            self.value(self.whole.sum(0)) - self.value(self._pick_counts(threshold).sum(0))
        )

    def find_losses(self, threshold: float) -> NDArray[Any]:
        """Return what each sample loses, in points: of an answer that became wrong, about 100.

        The pseudo-values of the jackknife (Tukey 1958), of which the mean is about the drop: so
        it is told for any figure which samples it falls by.
        """
        count = len(self.whole)
        without = 100 * (self._wholes - self._find_values(self._pick_counts(threshold)))
        losses: NDArray[Any] = count * self.find_drop(threshold) - (count - 1) * without
        return losses

    @cached_property
    def _wholes(self) -> NDArray[Any]:
        return self._find_values(self.whole)

    def _find_values(self, counts: NDArray[Any]) -> NDArray[Any]:
        """Return the figure without each of the samples in turn."""
        import numpy as np

        total = counts.sum(0)
        return np.asarray([self.value(total - one) for one in counts])

    def _pick_counts(self, threshold: float) -> NDArray[Any]:
        """Return what counts for each sample, by where it leaves: (samples, k)."""
        import numpy as np

        left = self._find_left(threshold)
        every = np.concatenate([self.counts, self.whole[None]])
        return np.asarray(every[left, np.arange(len(left))])

    def _find_left(self, threshold: float) -> NDArray[Any]:
        """Return the number of the exit at which each sample leaves; one more if at none."""
        import numpy as np

        leaves = self.sure >= threshold
        return np.where(leaves.any(0), leaves.argmax(0), len(leaves))


@attrs.frozen(kw_only=True)
class Limit:
    """How many points other samples may lose, as far as those at hand tell."""

    seen: float
    """The upper end of a one-sided 95 % interval of what is lost, by its standard error."""
    unseen: float
    """The same of what answers cost that become wrong altogether, by their number alone."""
    wrong: int
    """How many of these there are."""

    @classmethod
    def of(cls, losses: NDArray[Any]) -> Limit:
        """Find it from what each sample loses.

        A standard error knows nothing of what was not seen: where no answer became wrong it is 0,
        however few there are. How many may all the same is known exactly (Clopper and Pearson
        1934), and answers that became right instead are not set against them.
        """
        from scipy.special import betaincinv

        count = len(losses)
        costs = losses[losses >= SEVERE]
        wrong = len(costs)
        share = betaincinv(wrong + 1, count - wrong, SURE) if wrong < count else 1.0
        error = float(losses.std(ddof=1)) / math.sqrt(count) if count > 1 else math.inf
        return cls(
            seen=float(losses.mean()) + QUANTILE * error,
            unseen=float(share) * (float(costs.mean()) if wrong else 100.0),
            wrong=wrong,
        )

    @property
    def points(self) -> float:
        """What is lost at most."""
        return max(self.seen, self.unseen)

    def is_within(self, most_lost: float) -> bool:
        """Say whether no more is lost than so much.

        Where no answer became wrong it is so too, though few samples cannot show it: of other
        samples one in as many is to be expected to.
        """
        return self.seen <= most_lost and (not self.wrong or self.unseen <= most_lost)


@attrs.frozen(kw_only=True)
class Tuned:
    """A threshold, and what it does on the samples that it was tuned on."""

    threshold: float
    shares: tuple[float, ...]
    """The share of the samples that leaves at each exit."""
    limit: Limit
    """What is lost at it; where none may leave, at the highest that was tried."""
    first: float
    """The highest threshold that was tried, at which the surest samples leave."""
    samples: int
    """How many samples it was tuned on."""


def tune_threshold(answered: Answered, most_lost: float) -> Tuned:
    """Find the lowest threshold, common to all exits, that loses no more than so many points.

    Nor does any above it: the search begins where only the surest samples leave, and ends at the
    first that may cost too much on other samples (Bates et al., 2021, Distribution-Free,
    Risk-Controlling Prediction Sets). A threshold lies half way between two confidences that were
    seen, so that rounding decides nothing.
    """
    candidates = _list_thresholds(answered.sure)
    best, limit = NEVER, Limit.of(answered.find_losses(candidates[0]))
    for threshold in candidates:
        reached = Limit.of(answered.find_losses(threshold))
        if not reached.is_within(most_lost):
            break
        best, limit = threshold, reached
    return Tuned(
        threshold=best,
        shares=answered.find_shares(best),
        limit=limit,
        first=candidates[0],
        samples=len(answered.whole),
    )


def _list_thresholds(sure: NDArray[Any]) -> list[float]:
    """Return thresholds from high to low, at each of which more samples leave than before."""
    import numpy as np

    seen = np.unique(sure)[::-1].astype(float)
    below = [*(seen[:-1] + seen[1:]) / 2, seen[-1] - 1e-4]
    step = -(-len(below) // MOST)
    return [float(one) for one in reversed(below[::-1][::step])]
