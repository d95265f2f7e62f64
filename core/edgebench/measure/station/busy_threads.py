"""How many threads run the sessions of a host: counted while it warms up, and never after."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from edgebench.measure.station.piece import Piece
from edgebench.sessions.counted import CountedSession

TASKS = Path("/proc/self/task")
LEAST_NS = 20_000_000
"""Processor time of all threads below which it is not known which of them did the work."""
WORK = 0.9
"""Share of that time which is called the work: what others do beside it is none of it."""
MESSAGES = "ZMQbg"
"""How the names of the threads begin that carry messages."""


class BusyThreads:
    """What the threads of this process have used in the runs of a piece's sessions."""

    def __init__(self, piece: Piece) -> None:
        """Count the runs of the sessions of `piece`, which is the one given, with them counted."""
        self._before: Mapping[str, int] | None = None
        self._sessions = [CountedSession(stage.session, self._begin) for stage in piece.stages]
        pairs = zip(piece.stages, self._sessions, strict=True)
        self.piece = attrs.evolve(
            piece, stages=tuple(attrs.evolve(stage, session=one) for stage, one in pairs)
        )

    def _begin(self) -> None:
        self._before = _read_others()

    def finish(self) -> int | None:
        """Count no more, and return how many threads did the work; None where that is not known."""
        for session in self._sessions:
            session.release()
        if self._before is None:
            return None
        others = [used - self._before.get(task, 0) for task, used in _read_others().items()]
        return count_workers([sum(session.used for session in self._sessions), *others])


def count_workers(used: Sequence[int]) -> int | None:
    """Return how few threads did nearly all of the work, by the nanoseconds that each used.

    None where they used too little to tell.
    """
    whole = sum(used)
    if whole < LEAST_NS:
        return None
    left, count = WORK * whole, 0
    for one in sorted(used, reverse=True):
        if left <= 0:
            break
        left -= one
        count += 1
    return count


def _read_others() -> dict[str, int]:
    """Return the nanoseconds that each thread but this one has been on a processor."""
    found = {}
    for task in TASKS.iterdir():
        try:
            if task.name == str(os.getpid()) or _carries_messages(task):
                continue
            found[task.name] = int((task / "schedstat").read_text().split()[0])
        except OSError:  # it has just ended, or the kernel keeps no such times
            continue
    return found


def _carries_messages(task: Path) -> bool:
    return (task / "comm").read_text().startswith(MESSAGES)
