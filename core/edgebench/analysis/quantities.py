"""What two runs are compared by: each figure of a case, how it is estimated and how written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.estimates import Estimate
from edgebench.analysis.intervals import PERCENTILES, count_needed
from edgebench.analysis.prices import find_bytes
from edgebench.analysis.weighed import Weighed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgebench.analysis.estimates import Blocks
    from edgebench.analysis.likeness import Requests
    from edgebench.analysis.result import Result


@attrs.frozen(kw_only=True)
class Quantity:
    """A figure that cases have, by which they are compared."""

    name: str
    unit: str
    """`s`, `bytes`, or `points`: of accuracy, whose values are shares and differences points."""
    more: str
    """What a case is called that has more of it; and less."""
    less: str

    @property
    def relative(self) -> bool:
        """Whether differences are shares of what was there before, not points."""
        return self.unit != "points"


_LATENCIES = ("latency.median", "latency.mean", *(f"latency.{name}" for name in PERCENTILES))
QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {name: Quantity(name=name, unit="s", more="slower", less="faster") for name in _LATENCIES}
    | {"accuracy": Quantity(name="accuracy", unit="points", more="better", less="worse")}
    | {
        name: Quantity(name=name, unit="bytes", more="more", less="less")
        for name in ("size", "memory", "bytes")
    }
)
"""By name: latency; the accuracy that decides; the size of the model; peak memory, of the tier that
needs most; and the bytes that a request sends over links, there and back: on each hop anew."""
OF_NONE = -800.0
"""The logarithm of no bytes at all: so low that a float64 has 0 for its exponential."""


class Unknown(Exception):
    """A figure that a result does not have, with why, in words."""

    def __init__(self, why: str, blocks: int | None = None) -> None:
        """Keep why, and about how many more blocks would give it, where that is known."""
        super().__init__(why)
        self.blocks = blocks


def estimate(quantity: Quantity, result: Result, requests: Requests) -> Estimate:
    """Estimate a figure of a result; what has a ratio is estimated on a logarithmic scale.

    Raises:
        Unknown: The result does not have it.
    """
    if quantity.name == "accuracy":
        return _estimate_accuracy(result)
    if quantity.name == "size":
        return _exactly(result.model_bytes, "the size of its model is not known")
    if quantity.unit == "bytes":
        return (_estimate_memory if quantity.name == "memory" else _estimate_bytes)(result)
    name = quantity.name.partition(".")[2]
    if name in PERCENTILES:
        return _estimate_percentile(name, result, requests)
    _need_two(len(requests.blocks))
    return Estimate.of_blocks(requests.blocks, partial(_pool, name))


def _estimate_accuracy(result: Result) -> Estimate:
    figure = result.figure
    if figure is None:
        raise Unknown(f"it has no accuracy ({result.facts.no_accuracy or 'not scored'})")
    low, high = figure.ci95
    points = (100 * one for one in (figure.value, low, high))
    return Estimate.of_interval(*points)


def _exactly(count: float | None, why: str) -> Estimate:
    if not count:
        raise Unknown(why)
    return Estimate(value=math.log(count), below=0.0, above=0.0)


def _estimate_memory(result: Result) -> Estimate:
    counts = [float(max(one.peak_memory_bytes.values(), default=0)) for one in result.measured]
    if min(counts, default=0) <= 0:
        raise Unknown("it has no peak memory")
    # What one process needed at its peak, another needs not: one block says nothing of that.
    _need_two(len(counts))
    return _average(counts)


def _estimate_bytes(result: Result) -> Estimate:
    alone = (attrs.evolve(result, blocks=(block,)) for block in result.measured)
    counts = [one for one in map(find_bytes, alone) if one is not None]
    if counts and not any(counts):
        return Estimate(value=OF_NONE, below=0.0, above=0.0, blocks=len(counts))
    if min(counts, default=0) <= 0 or len(counts) < len(result.measured):
        raise Unknown("not every block says what it sends")
    return _average(counts)


def _average(counts: Sequence[float]) -> Estimate:
    """Estimate the logarithm of what is the same in each block, or nearly: two say enough then."""
    if min(counts) == max(counts):
        return attrs.evolve(_exactly(counts[0], ""), blocks=len(counts))
    _need_two(len(counts))
    return Estimate.of_blocks([_logarithm(one) for one in counts], _mean)


def find_memory(result: Result) -> float | None:
    """Return the peak memory in bytes of the largest host of a case."""
    peaks = (peak for block in result.measured for peak in block.peak_memory_bytes.values())
    return max(peaks, default=None)


def _logarithm(count: float) -> Any:
    import numpy as np

    return np.array([math.log(count)])


def _mean(blocks: Blocks) -> float:
    return math.fsum(float(block.mean()) for block in blocks) / len(blocks)


def _estimate_percentile(name: str, result: Result, requests: Requests) -> Estimate:
    """Estimate the logarithm of a percentile of all requests, as a report shows it.

    Its interval resamples blocks, then requests (Rao and Wu 1988): where one block in twenty is
    slower by a third, leaving out each block in turn says too little of a high percentile.
    """
    blocks = requests.blocks
    weighed = Weighed(blocks=blocks) if requests.weighed and blocks else None
    latency = weighed or result.latency
    count = weighed.count if weighed else result.samples
    _need_requests(name, count, len(blocks))
    _need_two(len(blocks))
    value = latency.percentile(name) if latency else None
    if latency is None or value is None:  # refused before, and never so
        raise Unknown("no request was measured")
    ends = (math.log(end) for end in latency.interval(name))
    return Estimate.of_interval(math.log(value), *ends, blocks=len(blocks))


def _pool(name: str, blocks: Blocks) -> float:
    import numpy as np

    joined = np.concatenate(blocks, axis=1)
    if name == "median":
        return math.log(_find_quantile(joined, 0.5))
    return math.log(np.average(joined[0], weights=joined[1]))


def _find_quantile(block: NDArray[Any], quantile: float) -> float:
    import numpy as np

    seconds, weights = block
    if (weights == weights[0]).all():
        return float(np.quantile(seconds, quantile))
    return float(np.quantile(seconds, quantile, weights=weights, method="inverted_cdf"))


def _need_two(blocks: int) -> None:
    if blocks < 2:
        raise Unknown(f"at least 2 blocks are needed, not {blocks}", 2 - blocks)


def _need_requests(name: str, have: int, blocks: int) -> None:
    need = count_needed(PERCENTILES[name])
    if have < need:
        more = math.ceil((need - have) * blocks / have) if have else None
        raise Unknown(f"{name} needs {need} requests, not {have}", more)


def read_value(quantity: Quantity, result: Result) -> float | None:
    """Return a figure as reports show it, of however few blocks: seconds, bytes, or per cent."""
    if quantity.name == "accuracy":
        return 100 * result.figure.value if result.figure else None
    if quantity.name == "size":
        return result.model_bytes
    if quantity.name == "memory":
        return find_memory(result)
    if quantity.name == "bytes":
        return find_bytes(result) or None
    name, latency = quantity.name.partition(".")[2], result.latency
    if latency is None:
        return None
    if name in PERCENTILES:
        return latency.percentile(name)
    return latency.median if name == "median" else float(latency.seconds.mean())
