"""When a warm-up is over: the latency no longer changes, or patience has run out."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

WINDOW = 4
LEAST, MOST = 2, 30
"""Requests."""
PATIENCE_S = 3.0
"""Slow cases are not warmed up for longer than this."""
SHARE = 0.05


def judge_warmup(latency_s: Sequence[float]) -> str:
    """Say how the warm-up ended; an empty text while it must go on.

    It is over when the medians of the last two windows differ by at most 5 %.
    """
    count = len(latency_s)
    if count >= 2 * WINDOW:
        late, early = latency_s[-WINDOW:], latency_s[-2 * WINDOW : -WINDOW]
        if abs(median(late) - median(early)) <= SHARE * median(early):
            return f"stable after {count}"
    if count >= MOST or (count >= LEAST and sum(latency_s) >= PATIENCE_S):
        return f"not stable after {count}"
    return ""
