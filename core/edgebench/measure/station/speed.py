"""How fast a host really is: a fixed computation timed with its limits and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgebench.measure.station.watch import Watch
from edgebench.measure.transport.pace import now
from edgebench.measure.transport.wire import CODES
from edgebench.records.environment import count_processors

INFERENCE = CODES["inference"]

SIDE = 64
"""Of the matrices: small enough that no library spreads their product over threads."""
ROUNDS = 20
"""Products by which their number is calibrated."""
TIMES, FEW_TIMES = 7, 3
LONG_S = 0.1
"""Work as long as this is done only a few times."""
LEAST_S = 0.2e-3
"""Shorter work could not be told from the reading of the clock and the end of a wait."""


def _make_work(seconds: float) -> Callable[[], None]:
    """Return a fixed computation that takes about so long here and now."""
    one = np.full((SIDE, SIDE), 0.5, np.float32)
    out = np.empty_like(one)

    def rounds(count: int) -> None:
        for _ in range(count):
            np.matmul(one, one, out)

    rounds(ROUNDS)
    # The quickest of a few, because any of them may have been interrupted.
    quickest = min(_time_once(lambda: rounds(ROUNDS), 1.0) for _ in range(TIMES))
    count = max(1, round(ROUNDS * seconds / quickest))
    return lambda: rounds(count)


def compare_speeds(inference_s: float, slowdown: float) -> dict[str, Any]:
    """Time a fixed computation about as long as an inference, without limits and as this tier.

    Both alternate, so that what else the machine does meets them alike. What holds for LONG_S, the
    period after which a quota begins anew, holds for what takes longer. Returned are the seconds of
    each, and how many processors this process has.
    """
    seconds = min(max(inference_s, LEAST_S), LONG_S)
    work = _make_work(seconds)
    plain: list[float] = []
    limited: list[float] = []
    for _ in range(TIMES if seconds < LONG_S else FEW_TIMES):
        plain.append(_time_once(work, 1.0))
        limited.append(_time_once(work, slowdown))
    return {"plain": plain, "limited": limited, "processors": count_processors()}


def _time_once(work: Callable[[], None], slowdown: float) -> float:
    # By what slows the requests down, as it is this that the comparison is to verify.
    watch = Watch(slowdown=slowdown)
    begin = now()
    work()
    return (watch.note_and_wait(INFERENCE, 0, begin) - begin) / 1e9
