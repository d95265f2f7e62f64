"""A session of which is noted how much of its work the thread does that calls it."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time_ns
from typing import TYPE_CHECKING

from edgebench.parts.pipeline import Tensors

if TYPE_CHECKING:
    from edgebench.parts.places import Session


class CountedSession:
    """A session of which is noted what the calling thread uses, until it is released."""

    def __init__(self, session: Session, begin: Callable[[], None]) -> None:
        """Count from the second run on, before which *begin* is called."""
        self.session = session
        self.used = 0
        self._runs = 0
        self._begin = begin
        self.run: Callable[[Tensors], Tensors] = self._count

    def _count(self, inputs: Tensors) -> Tensors:
        # The first run pays for what is made once, with as many threads as that takes.
        self._runs += 1
        if self._runs == 1:
            return self.session.run(inputs)
        if self._runs == 2:
            self._begin()
        before = thread_time_ns()
        outputs = self.session.run(inputs)
        self.used += thread_time_ns() - before
        return outputs

    def release(self) -> None:
        """Let whoever calls `run` call the session's own, so that nothing is added to it."""
        self.run = self.session.run
