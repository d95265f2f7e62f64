"""The controller's side of a block: start its processes, ask them in turn, end them.

It blocks in one poll on what they say and on their ends (a pidfd becomes readable when its process
ends), so it uses no time while they measure. Whatever happens, every process group is killed and
waited for.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import attrs
import zmq

from edgebench.components import Running
from edgebench.measure.orders import DRIVER, Order
from edgebench.measure.pace import now

__all__ = ["Failure", "Reply", "Team", "TimedOut", "reason_in"]

LOG_BYTES = 64 * 1024
PRIVATE = "edgebench-control-"
GRACE_MS = 200
"""How long what a process said at its end may still be on its way."""


class Failure(Exception):
    """A process of a block failed; says which, and why."""


class TimedOut(Failure):
    """A process did not answer in time."""


@attrs.frozen
class Reply:
    """What a process said: values, and raw bytes beside them."""

    values: Mapping[str, Any]
    raw: Sequence[bytes] = ()


class Starting(Protocol):
    """What a team needs of a host."""

    def put(self, directory: Path) -> Path:
        """Bring a directory to the host, and return where it lies there."""
        ...

    def spawn(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> Running:
        """Start a process there, in a process group of its own."""
        ...


@attrs.frozen
class Member:
    """A process of a block."""

    running: Running
    pidfd: int


@attrs.frozen(kw_only=True)
class Team:
    """The processes of one block."""

    directory: Path
    """Where orders and logs are written."""
    socket: zmq.Socket[bytes]
    endpoint: str
    deadline_s: float
    _begun: float = attrs.field(factory=time.monotonic)
    _members: dict[str, Member] = attrs.field(factory=dict, init=False)
    _heard: dict[str, deque[tuple[str, Reply]]] = attrs.field(factory=dict, init=False)
    """What each has said and nobody has asked for yet."""

    @classmethod
    @contextmanager
    def gather(cls, scratch: Path, deadline_s: float) -> Iterator[Team]:
        """Open a team; at the end of the context nothing of it is left."""
        _remove_leftovers()
        # A path to a socket may not be longer than some 100 characters, so this one is not kept
        # with the rest.
        with (
            tempfile.TemporaryDirectory(prefix=f"{PRIVATE}{os.getpid()}-") as private,
            tempfile.TemporaryDirectory(prefix="block-", dir=scratch) as directory,
            zmq.Context() as context,
            context.socket(zmq.ROUTER) as socket,
        ):
            endpoint = f"ipc://{private}/control"
            socket.setsockopt(zmq.LINGER, 0)
            socket.bind(endpoint)
            team = cls(
                directory=Path(directory), socket=socket, endpoint=endpoint, deadline_s=deadline_s
            )
            try:
                yield team
            finally:
                team.end()

    def start(self, host: Starting, module: str, order: Order, threads: int) -> None:
        """Start `python -m module ORDER.json` on a host, under the name that the order gives."""
        place = self.directory / order.name.replace(" ", "-")
        place.mkdir()
        attrs.evolve(order, spawned=now()).write(place)
        # Libraries that bring their own threads ask the environment how many.
        env = dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)
        )
        argv = [sys.executable, "-P", "-m", module, str(host.put(place) / "order.json")]
        with _undisturbed():
            running = host.spawn(argv, env, place / "log")
            self._members[order.name] = Member(running, os.pidfd_open(running.pid))
        self._heard[order.name] = deque()

    def tell(self, name: str, values: Mapping[str, Any]) -> None:
        """Send a process an order without waiting for what it says."""
        self.socket.send_multipart([name.encode(), json.dumps(values).encode()])

    def ask(self, name: str, verb: str, **values: float) -> Reply:
        """Send a process an order and wait until it says that it is done.

        Raises:
            Failure: It, or any other process of the team, ended.
            TimedOut: The team's time is over.
        """
        self.tell(name, {"verb": verb, **values})
        return self.hear(verb, [name])[name]

    def hear(self, verb: str, names: Sequence[str]) -> dict[str, Reply]:
        """Wait until every one of the named processes has said something about *verb*.

        What others say meanwhile, and what comes next from these, is kept until it is asked for.

        Raises:
            Failure: One of the team failed or ended, or said something else.
            TimedOut: The team's time is over.
        """
        heard: dict[str, Reply] = {}
        for name in names:
            while not self._heard[name]:
                self._receive(f"{name} to {DOING.get(verb, verb)}")
            said, reply = self._heard[name].popleft()
            if said != verb:
                raise Failure(f"{name} said {said} where {verb} was expected")
            heard[name] = reply
        return heard

    def _receive(self, awaited: str) -> None:
        """Wait for the next that any of the team says, and keep it."""
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN)
        for member in self._members.values():
            poller.register(member.pidfd, zmq.POLLIN)
        left = self.deadline_s - (time.monotonic() - self._begun)
        ready = dict(poller.poll(max(0, round(left * 1000))))
        if not ready:
            raise TimedOut(
                f"no answer within {self.deadline_s:g} s{self._silent()}: waited for {awaited}"
            )
        # What a process said before it ended counts, and comes through another thread.
        if self.socket not in ready and not self.socket.poll(GRACE_MS):
            raise Failure(self._ended(set(ready)))
        name, document, *raw = self.socket.recv_multipart()
        values = json.loads(document)
        if (verb := values.pop("verb")) == "failed":
            raise Failure(values["reason"])
        self._heard[name.decode()].append((verb, Reply(values, raw)))

    def _silent(self) -> str:
        """Say which hosts do not even answer to their name; the driver cannot while it waits."""
        hosts = [name for name in self._members if name != DRIVER]
        silent = set(hosts)
        for name in hosts:
            self.tell(name, {"verb": "ping"})
        while silent and self.socket.poll(GRACE_MS):
            silent.discard(self.socket.recv_multipart()[0].decode())
        return f", {' and '.join(sorted(silent))} hangs" if silent else ""

    def _ended(self, ready: set[Any]) -> str:
        for name, member in self._members.items():
            if member.pidfd in ready:
                return name + _how(member)
        raise AssertionError("a poll returned without anything to tell")

    def logs(self) -> dict[str, str]:
        """Return the end of what each process has printed, by name."""
        return {name: _tail(member.running.log) for name, member in self._members.items()}

    def end(self) -> None:
        """Kill every process group, and wait for the processes."""
        for member in self._members.values():
            _kill(member.running.pid)
        for member in self._members.values():
            _wait(member.pidfd)
            os.close(member.pidfd)
        self._members.clear()


DOING: Mapping[str, str] = {
    "hello": "start",
    "ready": "load",
    "warm": "answer while warming up",
    "speed": "time a fixed computation",
    "probe": "verify a link",
    "measure": "answer the requests",
    "score": "answer the test split",
    "report": "report",
    "compiled": "compile",
}


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let an interrupt wait: a process that was started and not noted would never be ended."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _remove_leftovers() -> None:
    """Remove the directories of controllers that were killed before they could do it themselves."""
    for left in Path(tempfile.gettempdir()).glob(f"{PRIVATE}*-*"):
        if not Path("/proc", left.name.removeprefix(PRIVATE).partition("-")[0]).exists():
            # Another controller may be removing it too.
            shutil.rmtree(left, ignore_errors=True)


def _kill(pid: int) -> None:
    # The process is not waited for yet, so its number, and its group's, cannot be another's.
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _wait(pidfd: int) -> None:
    try:
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    except ChildProcessError:
        # A fabric may start processes that are not this one's children: wait for the end alone.
        poller = zmq.Poller()
        poller.register(pidfd, zmq.POLLIN)
        poller.poll()


def _how(member: Member) -> str:
    """Say how a process ended, without forgetting its number."""
    try:
        end = os.waitid(os.P_PIDFD, member.pidfd, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        end = None
    if end is not None and end.si_code != os.CLD_EXITED:
        return f" was killed by {signal.Signals(end.si_status).name}"
    if why := reason_in(_tail(member.running.log)):
        return f": {why}"
    return f" ended with status {end.si_status} and said nothing" if end else " ended"


def _tail(log: Path) -> str:
    """Return the end of a log; whatever is not text in it is shown as such."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_BYTES))
        return file.read().decode(errors="backslashreplace")


def reason_in(log: str) -> str:
    """Return the line that says why a process failed: of its last traceback, or its last."""
    before, _, last = log.rpartition("Traceback (most recent call last):")
    lines = [line for line in last.splitlines() if line.strip()]
    if before or last != log:
        lines = [line for line in lines if not line.startswith(" ")][:1] or lines
        return lines[0].strip() if lines else ""
    return lines[-1].strip() if lines else ""
