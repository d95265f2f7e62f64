"""How many requests a block should have for medians to be known the soonest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.rounds import find_log_median

if TYPE_CHECKING:
    from edgebench.analysis.result import Result
    from edgebench.records.outcome import Block

FEWEST = 10
"""Requests a block at least."""
MEDIANS = math.pi / 2
"""The variance of a median of normal numbers over that of their mean, of many numbers."""


@attrs.frozen
class Costs:
    """What blocks of a case differ by, and what they cost."""

    within: float
    """Variance of the logarithms of a block's requests."""
    between: float
    """Variance of the logarithms of block medians that their requests do not explain."""
    start_s: float
    """Seconds of a block beside its measured requests."""
    request_s: float
    """Seconds of a request."""


def find_best_count(costs: Costs) -> float:
    """Return how many requests a block should have for a median to be known the soonest.

    Cochran 1977, Sampling Techniques, section 10.6, of samples in two stages: the root of
    (within / between) (start / request), here with the variance of a median in place of a mean's.
    """
    if costs.between <= 0:
        return math.inf
    return math.sqrt(MEDIANS * costs.within / costs.between * costs.start_s / costs.request_s)


def choose_requests(results: Sequence[Result], most: int) -> int:
    """Return how many requests the next blocks of a model's cases should have.

    The median of what each case would want, at least 10 and at most *most*; *most* where none has
    two blocks.
    """
    counts = [find_best_count(one) for one in map(find_costs, results) if one is not None]
    return round(max(FEWEST, min(most, median(counts)))) if counts else most


def find_costs(result: Result) -> Costs | None:
    """Return what the blocks of a case differ by and cost; None of fewer than two blocks."""
    import numpy as np

    blocks = result.measured
    if len(blocks) < 2:
        return None
    within = median(_find_variance(block) for block in blocks)
    requests = median(len(_logs(block)) for block in blocks)
    medians = [find_log_median(block) for block in blocks]
    taken = [float(np.exp(_logs(block)).sum()) for block in blocks]
    return Costs(
        within=within,
        between=float(np.var(medians, ddof=1)) - MEDIANS * within / requests,
        start_s=max(0.0, median(b.duration_s - s for b, s in zip(blocks, taken, strict=True))),
        request_s=median(s / len(_logs(b)) for b, s in zip(blocks, taken, strict=True)),
    )


def _logs(block: Block) -> list[float]:
    import numpy as np

    logs: list[float] = np.log(np.asarray(block.latency_s)).tolist()
    return logs


def _find_variance(block: Block) -> float:
    """Return the variance of a block's requests, from the middle half of them: the tail is long."""
    import numpy as np

    low, high = np.quantile(_logs(block), (0.25, 0.75))
    # The quartiles of a normal distribution lie 1.349 deviations apart.
    return float(((high - low) / 1.349) ** 2)
