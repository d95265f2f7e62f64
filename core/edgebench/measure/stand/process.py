"""One process of a block as its controller sees it: how it ended, and what it printed."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import attrs
import zmq

from edgebench.parts.places import Running

LOG_BYTES = 64 * 1024


@attrs.frozen
class Process:
    """A process of a block."""

    running: Running
    pidfd: int
    code: Sequence[str] = ()
    """Whose code it runs, in words."""

    def read_log(self) -> str:
        """Return the end of what it has printed; whatever is not text in it is shown as such."""
        log = self.running.log
        if not log.exists():
            return ""
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_BYTES))
            return file.read().decode(errors="backslashreplace")

    def name_code(self, said: str = "") -> str:
        """Name whose code it runs, unless one of them is named in what was *said*."""
        if not self.code or any(one in said for one in self.code):
            return ""
        return f" while it ran {' and '.join(self.code)}"

    def explain_end(self) -> str:
        """Say how it ended, and whose code it ran, without forgetting its number."""
        how = self._describe_end()
        return how + self.name_code(how)

    def _describe_end(self) -> str:
        try:
            end = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:
            end = None
        if end is not None and end.si_code != os.CLD_EXITED:
            return f" was killed by {signal.Signals(end.si_status).name}{self._explain_kill(end)}"
        if why := find_reason(self.read_log()):
            return f": {why}"
        return f" ended with status {end.si_status} and said nothing" if end else " ended"

    def _explain_kill(self, end: os.waitid_result) -> str:
        """Say what its fabric knows of why it was killed."""
        explain = getattr(self.running, "explain_kill", None)
        why = explain() if explain is not None and end.si_status == signal.SIGKILL else ""
        return f": {why}" if why else ""

    def kill(self) -> None:
        """Kill it and all it started."""
        # The process is not waited for yet, so its number, and its group's, cannot be another's.
        try:
            os.killpg(self.running.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def reap(self) -> None:
        """Wait for its end, and forget it."""
        try:
            os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED)
        except ChildProcessError:
            # A fabric may start processes that are not this one's children: wait for the end alone.
            poller = zmq.Poller()
            poller.register(self.pidfd, zmq.POLLIN)
            poller.poll()
        os.close(self.pidfd)


def find_reason(log: str) -> str:
    """Return the line that says why a process failed: of its last traceback, or its last."""
    before, _, last = log.rpartition("Traceback (most recent call last):")
    lines = [line for line in last.splitlines() if line.strip()]
    if before or last != log:
        lines = [line for line in lines if not line.startswith(" ")][:1] or lines
        return lines[0].strip() if lines else ""
    return lines[-1].strip() if lines else ""
