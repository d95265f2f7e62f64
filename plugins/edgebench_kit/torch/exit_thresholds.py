"""From how sure an exit must be: a threshold, tuned on samples whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEVER = 2.0
"""A threshold that no probability reaches."""
MOST = 200
"""The most thresholds that are tried."""


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

    def find_error(self, threshold: float) -> float:
        """Return the standard error of that drop in points, by the jackknife (Efron, 1982)."""
        import numpy as np

        drops = self._find_values(self.whole) - self._find_values(self._pick_counts(threshold))
        return 100 * float(np.sqrt((len(drops) - 1) * drops.var()))

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
class Tuned:
    """A threshold, and what it does on the samples that it was tuned on."""

    threshold: float
    shares: tuple[float, ...]
    """The share of the samples that leaves at each exit."""
    first: float
    """The highest threshold that was tried, at which the surest samples leave."""
    lost: float
    """The points that are lost at it, with their standard error."""


def tune_threshold(answered: Answered, most_lost: float) -> Tuned:
    """Find the lowest threshold, common to all exits, that loses no more than so many points.

    Nor does any above it: the search begins where only the surest samples leave, and ends at the
    first that costs too much. What it costs is the drop that was seen and one standard error, as
    the samples at which it is least are not all that there are. A threshold lies half way between
    two confidences that were seen, so that rounding decides nothing.
    """
    candidates = _list_thresholds(answered.sure)
    best = NEVER
    for threshold in candidates:
        if not _is_within(answered, threshold, most_lost):
            break
        best = threshold
    first = candidates[0]
    return Tuned(
        threshold=best,
        shares=answered.find_shares(best),
        first=first,
        lost=answered.find_drop(first) + answered.find_error(first),
    )


def _is_within(answered: Answered, threshold: float, most_lost: float) -> bool:
    """Say whether a drop and its standard error are no more than is allowed; the drop is quick."""
    room = most_lost - answered.find_drop(threshold)
    return room >= 0 and answered.find_error(threshold) <= room


def _list_thresholds(sure: NDArray[Any]) -> list[float]:
    """Return thresholds from high to low, at each of which more samples leave than before."""
    import numpy as np

    seen = np.unique(sure)[::-1].astype(float)
    below = [*(seen[:-1] + seen[1:]) / 2, seen[-1] - 1e-4]
    step = -(-len(below) // MOST)
    return [float(one) for one in reversed(below[::-1][::step])]
