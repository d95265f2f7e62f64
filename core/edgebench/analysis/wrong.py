"""What a figure of merit would be if more answers were wrong than there are.

A bootstrap draws what was seen, and nothing else: where no answer is wrong its interval has no
width, however few there are. How many more may be wrong than were seen to be is known
(Clopper-Pearson); what one costs, the metric says, or the counts at hand do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.proportions import find_share_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgebench.parts.datasets import Metric


def count_more(seen: float, of: float) -> float:
    """Return how many more than were seen, among so many, the 97.5 % limit of the share allows."""
    return of * find_share_interval(seen, of)[1] - seen


@attrs.frozen(kw_only=True, eq=False)
class Wrong:
    """What it costs a figure if samples of a score are answered wrong."""

    metric: Metric
    sums: NDArray[Any]
    """The counts of all samples, shape (k,)."""
    costs: NDArray[Any]
    """What each sample by itself would cost the figure, shape (samples,), 0 where it is wrong."""
    change: NDArray[Any]
    """By how much the sums would change if all that cost something were wrong, shape (k,)."""

    @classmethod
    def of(cls, counts: NDArray[Any], metric: Metric, seen: NDArray[Any] | None = None) -> Wrong:
        """Find it for the counts of a score, shape (samples, k).

        *seen* are all the counts at hand, those of other scores too, shape (any, k).
        """
        import numpy as np

        sums = counts.sum(axis=0)
        rows, place, many = np.unique(counts, axis=0, return_inverse=True, return_counts=True)
        changes = _find_wrong(rows, sums, metric, rows if seen is None else seen) - rows
        whole = metric.value(sums)
        costs = np.array([max(0.0, whole - metric.value(sums + one)) for one in changes])
        return cls(
            metric=metric,
            sums=sums,
            costs=costs[place.ravel()],
            change=(many * (costs > 0)) @ changes,
        )

    @property
    def known(self) -> bool:
        """Whether any sample is known to cost something."""
        return bool(self.costs.any())

    def value_after(self, more: float) -> float:
        """Return the figure if so many more samples were wrong: as many of each kind as there are.

        A kind are samples of the same counts.
        """
        able = float((self.costs > 0).sum())
        share = min(1.0, more / able) if able else 0.0
        return float(self.metric.value(self.sums + share * self.change))


def _find_wrong(
    rows: NDArray[Any], sums: NDArray[Any], metric: Metric, seen: NDArray[Any]
) -> NDArray[Any]:
    """Return the counts that samples would have if they were answered wrong, shape (samples, k).

    Of a metric that does not say, those that cost the most: of the sample that drags the figure
    down most of all that were seen, or the sample's own without what holds the figure up.
    """
    import numpy as np

    if metric.wrong is not None:
        return np.array([metric.wrong(row.tolist()) for row in rows], dtype=float)
    kinds = np.unique(seen, axis=0)
    lowest = kinds[int(np.argmin([metric.value(sums + kind) for kind in kinds]))]
    # A count holds the figure up if the figure is lower with a little less of it.
    less = sums * (1 - 0.01 * np.eye(len(sums)))
    holds = np.array([metric.value(one) for one in less]) < metric.value(sums)
    tried = np.stack([np.broadcast_to(lowest, rows.shape), np.where(holds, 0, rows)])
    values = [[metric.value(one) for one in sums - rows + each] for each in tried]
    wrong: NDArray[Any] = tried[np.argmin(values, axis=0), np.arange(len(rows))]
    return wrong
