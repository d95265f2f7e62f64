"""Intervals of a share, and of the difference between two shares of the same samples.

Counts may be broken: those that are foreseen of more samples, from the shares of those at hand.
"""

from __future__ import annotations

import math

from edgebench.analysis.intervals import NORMAL

TAIL = 0.025
"""What a 95 % interval leaves out at each end."""
STEPS = 60
"""Halvings of an interval of length 2: as many as a number of 64 bits can tell apart."""


def find_share_interval(found: float, of: float) -> tuple[float, float]:
    """Return the 95 % interval of a share of which so many were found among so many.

    Exact: each end is the share under which what was found, or more (or less) of it, has a
    probability of 2.5 % (Clopper and Pearson 1934, by quantiles of the beta distribution).
    """
    # Imported here because reading results needs none of it.
    from scipy.special import betaincinv

    low = float(betaincinv(found, of - found + 1, TAIL)) if found > 0 else 0.0
    high = float(betaincinv(found + 1, of - found, 1 - TAIL)) if found < of else 1.0
    return low, high


def find_loss_interval(
    worse: float, better: float, of: float, quantile: float = NORMAL
) -> tuple[float, float]:
    """Return the interval of the share lost, of paired answers that are right or wrong.

    All differences that the score test does not refuse (Tango 1998, Statistics in Medicine 17,
    891-908). Unlike a normal approximation or a bootstrap it has a width where no answer differs.

    Args:
        worse: How many answers became wrong.
        better: How many became right.
        of: How many there are.
        quantile: Of the normal distribution, that of each end; that of a 95 % interval.
    """
    high = _find_upper_end(worse, better, of, quantile)
    return -_find_upper_end(better, worse, of, quantile), high


def _find_upper_end(worse: float, better: float, of: float, quantile: float) -> float:
    """Return the largest difference that is not refused, by halving: the score falls in it."""
    low, high = (worse - better) / of, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if _score(worse, better, of, middle) > -quantile:
            low = middle
        else:
            high = middle
    return high


def _score(worse: float, better: float, of: float, difference: float) -> float:
    """Return Tango's statistic for a difference: about normal, where that is the true one."""
    a = 2 * of
    b = (2 * of - worse + better) * difference - worse - better
    c = -better * difference * (1 - difference)
    # The likeliest share of answers that became right, given the difference.
    gained = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = of * (2 * gained + difference * (1 - difference))
    off = worse - better - of * difference
    return off / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, off)
