"""What a pipeline lost of a figure of merit against another, on the same samples."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.proportions import find_loss_interval, find_share_interval
from edgebench.analysis.resampling import find_middle, resample
from edgebench.analysis.wrong import Wrong, count_more
from edgebench.parts.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgebench.parts.datasets import Metric

SEVERE = 0.5
"""An answer changed altogether, and not by a pixel, if that made at least half of the difference
that a wrong answer makes."""
MOST = 10**8
"""Samples beyond which nobody labels any more."""

Interval = tuple[float, float]


def compare_counts(
    base: NDArray[Any], own: NDArray[Any], metric: Metric, seed: int
) -> Proportion | Resampled:
    """Compare the counts of two pipelines on the same samples, shape (samples, k) each.

    Raises:
        DataError: The metric says that it is a proportion, and counts otherwise.
    """
    if not metric.proportion:
        return Resampled(base=base, own=own, metric=metric, seed=seed)
    before, after = (find_right(counts, metric) for counts in (base, own))
    worse, better = before & ~after, after & ~before
    return Proportion(worse=int(worse.sum()), better=int(better.sum()), samples=len(own))


def find_right(counts: NDArray[Any], metric: Metric) -> NDArray[Any]:
    """Return which samples of a proportion are right, shape (samples,).

    Raises:
        DataError: The metric says that it is a proportion, and counts otherwise.
    """
    import numpy as np

    plain = counts.ndim == 2 and counts.shape[1] == 2 and (counts[:, 1] == 1).all()
    if not plain or not np.isin(counts[:, 0], (0, 1)).all():
        raise DataError(
            f"the metric {metric.name!r} says that it is a proportion, so it must count 1 and 1 for"
            " a sample that is right, and 0 and 1 for one that is wrong; leave out `proportion`"
        )
    right: NDArray[Any] = counts[:, 0] == 1
    return right


@attrs.frozen(kw_only=True)
class Proportion:
    """The loss of a share of right answers."""

    worse: int
    better: int
    samples: int

    @property
    def value(self) -> float:
        """The share that was lost."""
        return (self.worse - self.better) / self.samples

    def interval(self, times: float = 1.0) -> Interval:
        """Return Tango's interval; or that of so many times as many samples, answered alike."""
        return find_loss_interval(self.worse * times, self.better * times, self.samples * times)


@attrs.frozen(kw_only=True, eq=False)
class Resampled:
    """The loss of any other figure: a bootstrap in pairs, never narrower than what was not seen.

    Among few samples, answers that change are missed. So the interval reaches as far as the figure
    would fall if as many more answers changed for the worse as Clopper-Pearson's 97.5 % limit of
    the share of changed answers allows, or if as few of those that changed did so for the better as
    its other limit allows; and likewise at its other end. Answers that changed a little, as a mask
    does by a pixel, are left to the bootstrap, which has seen their like.
    """

    base: NDArray[Any]
    own: NDArray[Any]
    metric: Metric
    seed: int

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return len(self.own)

    @cached_property
    def value(self) -> float:
        """The figure of the first pipeline less that of the second."""
        before, after = self._wrong
        return before.value_after(0) - after.value_after(0)

    def interval(self, times: float = 1.0) -> Interval | None:
        """Return the interval; or what is foreseen of it of so many times as many samples.

        None where it is not known what a wrong answer costs.
        """
        before, after = self._wrong
        if not (before.known or after.known):
            return None
        base, own = before.value_after(0), after.value_after(0)
        more = count_more(self._severe * times, self.samples * times) / times
        lows = (before.value_after(more) - own, base - self._value_of_fewer(self._worse, times))
        highs = (base - after.value_after(more), base - self._value_of_fewer(self._better, times))
        low, high = (self.value + (end - self.value) / math.sqrt(times) for end in self._drawn)
        return min(low, *lows), max(high, *highs)

    def _value_of_fewer(self, changed: NDArray[Any], times: float) -> float:
        """Return the figure if as few of such answers had changed as the lower limit allows."""
        many, samples = float(changed.sum()), self.samples * times
        sure = find_share_interval(many * times, samples)[0] * samples / times
        undone = (self.base - self.own)[changed].sum(axis=0) * (1 - sure / max(many, 1.0))
        return float(self.metric.value(self.own.sum(axis=0) + undone))

    @cached_property
    def _wrong(self) -> tuple[Wrong, Wrong]:
        import numpy as np

        seen = np.concatenate([self.base, self.own])
        return Wrong.of(self.base, self.metric, seen), Wrong.of(self.own, self.metric, seen)

    @cached_property
    def _drawn(self) -> Interval:
        # The same seed draws the same samples for both: the loss is taken in pairs.
        base, own = (resample(one, self.metric, self.seed) for one in (self.base, self.own))
        return find_middle(base - own)

    @cached_property
    def _costs(self) -> NDArray[Any]:
        """What the change of each answer by itself costs the figure, shape (samples,)."""
        import numpy as np

        value, sums = self.metric.value, self.base.sum(axis=0)
        whole, costs = value(sums), np.zeros(self.samples)
        for number in np.flatnonzero((self.base != self.own).any(axis=1)):
            costs[number] = whole - value(sums - self.base[number] + self.own[number])
        return costs

    @property
    def _worse(self) -> NDArray[Any]:
        """Which answers changed for the worse, shape (samples,)."""
        return self._costs > 0

    @property
    def _better(self) -> NDArray[Any]:
        return self._costs < 0

    @cached_property
    def _severe(self) -> float:
        """How many answers changed altogether."""
        before, after = self._wrong
        worse = self._worse & (self._costs >= SEVERE * before.costs)
        better = self._better & (-self._costs >= SEVERE * after.costs)
        return float((worse | better).sum())


def count_labels_needed(loss: Proportion | Resampled, margin: float) -> int | None:
    """Return how many samples would settle on which side of the margin a loss lies.

    They are taken to be answered as those at hand are. None where it is settled, and where no
    number would do.
    """

    def settles(samples: float) -> bool:
        found = loss.interval(samples / loss.samples)
        return found is not None and (found[1] < margin or found[0] > margin)

    if settles(loss.samples) or loss.value == margin or not settles(MOST):
        return None
    low, high = loss.samples, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if settles(middle) else (middle, high)
    return high
