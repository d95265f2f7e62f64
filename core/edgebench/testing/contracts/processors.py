"""What a process has used: processor time by thread, and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

TASKS = Path("/proc/self/task")
ENOUGH_S = 0.3
"""Processor time, of all threads together, that work is repeated for."""
SHARE = 0.05
"""A thread that has used less of it than this did no part of the work."""
MOST_S = 5.0


def count_busy_threads(work: Callable[[], object]) -> int:
    """Return how many threads of this process use its processors while work is repeated."""
    before, begin = _read_times(), time.monotonic()
    used: dict[str, float] = {}
    while sum(used.values()) < ENOUGH_S and time.monotonic() - begin < MOST_S:
        work()
        used = {task: spent - before.get(task, 0.0) for task, spent in _read_times().items()}
    whole = sum(used.values())
    return sum(spent > SHARE * whole for spent in used.values())


def _read_times() -> dict[str, float]:
    """Return the seconds that each thread has been on a processor."""
    found = {}
    for task in TASKS.iterdir():
        try:
            found[task.name] = int((task / "schedstat").read_text().split()[0]) / 1e9
        except OSError:  # it has just ended
            continue
    return found


def read_memory() -> int:
    """Return the bytes of memory that this process holds, without what its allocator has spare.

    What is leaked into spare memory would not show otherwise: the process held that before.
    """
    import ctypes
    import os

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none, and keeps little spare
    if trim:
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
