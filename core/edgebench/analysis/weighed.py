"""Percentiles of requests that do not all count alike, with intervals as those of a report."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.intervals import PERCENTILES, find_widening, resample, widen

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(kw_only=True)
class Weighed:
    """The requests of a case by block, each with its weight."""

    blocks: tuple[NDArray[Any], ...] = attrs.field(eq=False, repr=False)
    """Of each block seconds and weights, shape (2, requests), none empty."""

    @cached_property
    def _pool(self) -> NDArray[Any]:
        """All of them in the order of their seconds, shape (2, requests)."""
        import numpy as np

        pool = np.concatenate(self.blocks, axis=1)
        ordered: NDArray[Any] = pool[:, pool[0].argsort(kind="stable")]
        return ordered

    @property
    def count(self) -> int:
        """As how many requests that count alike they say (Kish 1965, Survey Sampling, 11.7)."""
        weights = self._pool[1]
        return round(float(weights.sum() ** 2 / (weights**2).sum()))

    def percentile(self, name: str) -> float:
        """Return a percentile in seconds: the least that so much of the weight is up to."""
        import numpy as np

        found = np.quantile(
            self._pool[0], PERCENTILES[name], weights=self._pool[1], method="inverted_cdf"
        )
        return float(found)

    @cached_property
    def _ends(self) -> NDArray[Any]:
        """The 2.5 % and the 97.5 % quantiles of resampled percentiles, shape (2, percentiles)."""
        import numpy as np

        pool = np.concatenate(self.blocks, axis=1)
        order = pool[0].argsort(kind="stable")
        sizes = np.array([block.shape[1] for block in self.blocks])
        # Of each block that is drawn as many requests are: its size is then part of its weight.
        scale = np.repeat(sizes / sizes.mean(), sizes)
        seconds, weights = pool[0][order], (pool[1] * scale)[order]
        parts = []
        for ranks in resample(tuple(b[0] for b in self.blocks)):
            ranks.sort(axis=1)
            heap = weights[ranks].cumsum(axis=1)
            shares = np.array(list(PERCENTILES.values())) * heap[:, -1:]
            places = (heap[:, :, None] < shares[:, None, :]).sum(axis=1)
            places = np.minimum(places, ranks.shape[1] - 1)
            parts.append(seconds[np.take_along_axis(ranks, places, axis=1)])
        ends: NDArray[Any] = np.quantile(np.concatenate(parts), (0.025, 0.975), axis=0)
        return ends

    def interval(self, name: str) -> tuple[float, float]:
        """Return the 95 % interval of a percentile: blocks are resampled, and requests within."""
        ends = self._ends[:, list(PERCENTILES).index(name)]
        low, high = widen(ends, self.percentile(name), find_widening(len(self.blocks)))
        return max(low, float(self._pool[0][0])), high
