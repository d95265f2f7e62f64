"""How many more blocks would tell two latencies apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edgebench.analysis.intervals import NORMAL, compare_medians, find_widening

if TYPE_CHECKING:
    from edgebench.analysis.intervals import Latency

POWER = 0.841621
"""The 80 % quantile of the normal distribution: so likely the blocks are to be enough."""
MOST = 10_000
"""More blocks than anybody measures."""


def count_more_blocks(one: Latency, other: Latency, within: float) -> int | None:
    """Return about how many more blocks each would tell two latencies apart, or equal.

    By the usual calculation for a mean with a known deviation s and a difference d to be found,
    n = ((z(97.5 %) + z(80 %)) s / d)^2 (Lachin 1981, Controlled Clinical Trials 2, 93-113), on the
    logarithms of the medians. The difference is the one seen, taken for the true one; that of equal
    latencies is what lies between it and the margin *within*. The deviation is what made the
    interval as wide as it is; from more blocks it is widened less.

    None if not even ten thousand would.
    """
    middle, low, high = (math.log(value) for value in compare_medians(one, other))
    margin = math.log(1 + within)
    if abs(middle) > margin:
        difference, half = abs(middle), middle - low if middle > 0 else high - middle
    else:
        difference, half = margin - abs(middle), max(high - middle, middle - low)
    blocks = min(len(one.blocks), len(other.blocks))
    # As wide as the interval of a single block were, if it were not widened.
    single = half / find_widening(blocks) * math.sqrt(blocks) * (NORMAL + POWER) / NORMAL
    for more in range(1, MOST):
        if single * find_widening(blocks + more) / math.sqrt(blocks + more) < difference:
            return more
    return None
