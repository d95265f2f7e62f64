"""The time that a request takes on a host, and what makes the host slower than it is."""

from __future__ import annotations

from collections.abc import Iterable

from edgebench.measure.transport.pace import now, wait_until
from edgebench.measure.transport.wire import CODES, Mark

WAIT = CODES["emulated-wait"]


class Watch:
    """Notes the phases of one request on one host, and makes the host as slow as its tier.

    A slower tier is slower in all that it computes, so a wait in proportion follows decoding,
    preprocessing, inference and answering alike; the waits are summed up in a mark of their own.
    """

    __slots__ = ("inference", "marks", "slowdown", "step", "waited")

    def __init__(self, marks: Iterable[Mark] = (), slowdown: float = 1.0) -> None:
        """Go on from what the hosts before have noted."""
        self.marks = list(marks)
        self.slowdown = slowdown
        self.inference = 0
        self.waited = 0
        self.step = ""

    def note_and_wait(self, code: int, index: int, begin: int) -> int:
        """Note a phase from *begin* until now, then wait for what the slower tier takes longer.

        The wait is part of no phase. Returned is the time after it, at which the next phase begins.
        """
        end = now()
        self.marks.append(Mark(code, index, end - begin))
        if self.slowdown == 1.0:
            return end
        after = wait_until(end + round((self.slowdown - 1.0) * (end - begin)))
        self.waited += after - end
        return after

    def note(self, code: int, index: int, begin: int) -> None:
        """Note a phase from *begin* until now of what is no work of this host."""
        self.marks.append(Mark(code, index, now() - begin))

    def all_marks(self) -> list[Mark]:
        """Return what was noted, with the waits in one sum."""
        return [*self.marks, Mark(WAIT, 0, self.waited)] if self.waited else self.marks
