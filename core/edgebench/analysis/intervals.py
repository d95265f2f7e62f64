"""Percentiles that the sample supports, and intervals that resample blocks before requests."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from statistics import median
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.quick import estimate_median
from edgebench.analysis.spread import estimate, find_t
from edgebench.records.freezing import freeze_array, freeze_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from edgebench.records.quick import EqualSpread

PERCENTILES: Mapping[str, float] = {"p90": 0.90, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
"""The percentiles that a result shows beside its median."""
QUANTILES: Mapping[str, float] = {"median": 0.5, **PERCENTILES}
"""All that are computed of a sample and of each of its resamples, in this order."""
RESAMPLES = 1000
"""Resamples of a bootstrap. The ends of a 95 % interval then lie at the 25th value from each."""
AT_ONCE = 4_000_000
"""Numbers held in memory while resampling."""
CACHED = 100_000
"""Numbers that are drawn and sorted in one go: so many stay in the processor's cache."""
NORMAL = 1.959964
"""The 97.5 % quantile of the normal distribution."""
STUDENT = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip
"""The 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom."""


@lru_cache
def count_needed(quantile: float) -> int:
    """Return how many samples a percentile needs to be printed: p95 93, p99 473.

    The fewest of which, with 95 % confidence, at least two lie beyond it, so that it is not an
    extreme that one outlier makes: n q^(n-1) (1-q) + q^n <= 5 % (Wilks 1941, second order).
    """
    few, many = 1, 2
    while not _supports(many, quantile):
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if _supports(middle, quantile) else (middle, many)
    return many


def _supports(count: int, quantile: float) -> bool:
    most: float = count * quantile ** (count - 1) * (1 - quantile) + quantile**count
    return most <= 0.05


def find_widening(blocks: int) -> float:
    """Return by how much an interval from so few blocks is widened: Student's t over the normal's.

    A bootstrap of three blocks cannot leave the range of three numbers, which holds the truth in
    three of four cases. Simulated (`tests/core/analysis`), the widened interval holds it in at
    least 91 of 100 from three blocks on, whether blocks or requests differ more. One block says
    nothing of what differs between blocks: nothing is widened, and `find_doubts` doubts the result.
    """
    if blocks < 2:
        return 1.0
    return (STUDENT[blocks - 2] if blocks - 2 < len(STUDENT) else NORMAL) / NORMAL


@attrs.frozen(kw_only=True)
class Latency:
    """The latency of a case: samples by block, and the statistics of them, each computed once."""

    blocks: tuple[NDArray[Any], ...] = attrs.field(converter=freeze_arrays, eq=False, repr=False)
    """Seconds, a non-empty array of shape (requests,) for each block."""
    spread: EqualSpread | None = attrs.field(default=None, eq=False, repr=False)
    """What equal cases differ by, where a quick run takes intervals from that."""

    @cached_property
    def seconds(self) -> NDArray[Any]:
        """All samples in order."""
        import numpy as np

        return freeze_array(np.concatenate(self.blocks))

    @property
    def median(self) -> float:
        """The median of all requests, in seconds."""
        return self._quantiles["median"]

    @cached_property
    def _quantiles(self) -> Mapping[str, float]:
        import numpy as np

        values = np.quantile(self.seconds, list(QUANTILES.values()))
        return dict(zip(QUANTILES, values.tolist(), strict=True))

    @cached_property
    def block_medians(self) -> tuple[float, ...]:
        """The median of each block, in seconds."""
        return tuple(median(block.tolist()) for block in self.blocks)

    def percentile(self, name: str) -> float | None:
        """Return a percentile in seconds by its name (`p95`); None if the sample is too small."""
        supported = len(self.seconds) >= count_needed(PERCENTILES[name])
        return self._quantiles[name] if supported else None

    @cached_property
    def draws(self) -> NDArray[Any]:
        """Quantiles of each resample, shape (resamples, 1 + percentiles), the median first.

        Blocks are drawn first, one fewer than there are (Rao and Wu 1988: so many give the mean's
        variance without bias), then requests within each, all blocks weighing alike.
        """
        import numpy as np

        values = np.sort(self.seconds)
        quantiles = np.array(list(QUANTILES.values()))
        parts = []
        for ranks in resample(self.blocks):
            # Places in the sorted sample stand for the seconds: they are sorted in a tenth of the
            # time, and give the same.
            ranks.sort(axis=1)
            place = quantiles * (ranks.shape[1] - 1)
            low = place.astype(int)
            high = np.minimum(low + 1, ranks.shape[1] - 1)
            below, above = values[ranks[:, low]], values[ranks[:, high]]
            parts.append(below + (place - low) * (above - below))
        return freeze_array(np.concatenate(parts))

    @cached_property
    def _ends(self) -> NDArray[Any]:
        """The 2.5 % and the 97.5 % quantiles of the draws, shape (2, 1 + percentiles)."""
        import numpy as np

        ends: NDArray[Any] = np.quantile(self.draws, (0.025, 0.975), axis=0)
        return ends

    def interval(self, name: str = "median") -> tuple[float, float]:
        """Return the 95 % interval of the median, or of a percentile by its name, in seconds.

        That of the median is Student's, of the logarithms of the block medians: the blocks are what
        is repeated, and the requests of one share its process. That of a percentile, and of the
        median of a single block, is the bootstrap's. In a quick run the first is
        `quick.estimate_median`'s.
        """
        if name == "median" and len(self.blocks) > 1:
            return self._compute_interval()
        ends = self._ends[:, list(QUANTILES).index(name)]
        low, high = widen(ends, self._quantiles[name], find_widening(len(self.blocks)))
        # Widening must not lead below what any request ever took.
        return max(low, float(self.seconds.min())), high

    def _compute_interval(self) -> tuple[float, float]:
        logs = [math.log(value) for value in self.block_medians]
        found = estimate_median(logs, self.spread) if self.spread else estimate(logs)
        # Two blocks may reach beyond what a number holds; a millionfold is as good, and shown as
        # not known.
        half = min(find_t(found.freedom) * found.error, 14.0)
        low, high = math.exp(found.middle - half), math.exp(found.middle + half)
        return min(low, self.median), max(high, self.median)

    @property
    def precision(self) -> float | None:
        """How far the interval of its median reaches, as a share of it; None of a single block."""
        if len(self.blocks) < 2:
            return None
        low, high = self.interval()
        return (high - low) / 2 / self.median


def resample(blocks: tuple[NDArray[Any], ...]) -> Iterator[NDArray[Any]]:
    """Yield resampled requests as their places in the sorted sample, (some resamples, requests).

    Blocks of the same sizes have the same requests drawn, by number: each interval is as good, and
    of a thousand cases they are drawn once.
    """
    import numpy as np

    pool = np.concatenate(blocks)
    # A number of two bytes tells so many places apart, and is sorted in less time.
    ranks = np.empty(len(pool), dtype=np.uint16 if len(pool) <= 2**16 else np.uint32)
    ranks[pool.argsort()] = np.arange(len(pool))
    sizes = tuple(len(block) for block in blocks)
    few = RESAMPLES * len(pool) <= AT_ONCE
    for places in _keep_drawn(sizes) if few else _draw(sizes):
        yield ranks.take(places)


@lru_cache(maxsize=2)
def _keep_drawn(sizes: tuple[int, ...]) -> tuple[NDArray[Any], ...]:
    return tuple(_draw(sizes))


def _draw(sizes: tuple[int, ...]) -> Iterator[NDArray[Any]]:
    """Yield places of drawn requests in the joined blocks, of shape (some resamples, requests)."""
    import numpy as np

    rng = np.random.default_rng(0)
    counts = np.array(sizes)
    starts = np.cumsum(counts) - counts
    # A number of single precision tells so many places apart, and is drawn in half the time.
    precision: type = np.float32 if counts.sum() <= 2**16 else np.float64
    drawn, each = max(len(sizes) - 1, 1), round(float(counts.mean()))
    step = max(1, AT_ONCE // (drawn * each))
    for first in range(0, RESAMPLES, step):
        count = min(step, RESAMPLES - first)
        which = rng.integers(0, len(sizes), (count, drawn, 1))
        for part in np.array_split(which, -(-count * drawn * each // CACHED)):
            within = rng.random((len(part), drawn, each), precision)
            within *= counts[part].astype(precision)
            places = within.astype(np.intp)
            places += starts[part]
            yield places.reshape(len(part), drawn * each)


def widen(ends: NDArray[Any], middle: float, wider: float) -> tuple[float, float]:
    """Return the ends of the middle 95 % of draws, moved away from the estimate."""
    low, high = (middle + wider * (end - middle) for end in ends.tolist())
    return min(middle, low), max(middle, high)
