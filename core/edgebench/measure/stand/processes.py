"""The controller's side of a block: start its processes, ask them in turn, end them.

It blocks in one poll on what they say and on their ends (a pidfd becomes readable when its process
ends), so it uses no time while they measure. Whatever happens, every process group is killed and
waited for.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any, Protocol

import attrs
import zmq

from edgebench.measure.stand.control import Control
from edgebench.measure.stand.process import Process
from edgebench.measure.station.orders import DRIVER, FILE, Order
from edgebench.measure.transport.pace import now
from edgebench.parts.errors import Stopped
from edgebench.parts.places import Running
from edgebench.store.owners import MARK, SAFE, end_marked, identify_owner

ENDING = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
"""The signals by which a user ends a run."""
LOOK_S = 1.0
"""How often it is looked, while nothing is measured, whether the user wants an end."""
GRACE_MS = 200
"""How long what a process said at its end may still be on its way."""


Progress = Callable[[int, int], None]
"""Called with how many samples are done, and of how many."""


class ProcessFailed(Exception):
    """A process of a block failed; says which, and why."""


class TimedOut(ProcessFailed):
    """A process did not answer in time."""


@attrs.frozen
class Reply:
    """What a process said: values, and raw bytes beside them."""

    values: Mapping[str, Any]
    raw: Sequence[bytes] = ()


class StartsProcesses(Protocol):
    """What is needed of a host to start a process there."""

    def put(self, directory: Path) -> Path:
        """Bring a directory to the host, and return where it lies there."""
        ...

    def spawn(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> Running:
        """Start a process there, in a process group of its own."""
        ...


def ignore_progress(done: int, samples: int) -> None:
    """Take no note of progress."""


@attrs.define(kw_only=True, eq=False)
class Processes:
    """The processes of one block, as the controller starts, asks and ends them."""

    directory: Path
    """Where orders and logs are written."""
    control: Control
    deadline_s: float
    """How long all may take, counted anew from each report of progress."""
    progress: Progress = ignore_progress
    stopping: Callable[[], bool] | None = None
    """Asked now and then whether to end; None where what is measured must not be disturbed."""
    _since: float = attrs.field(factory=time.monotonic, init=False)
    _by_name: dict[str, Process] = attrs.field(factory=dict, init=False)
    _heard: dict[str, deque[tuple[str, Reply]]] = attrs.field(factory=dict, init=False)
    """What each has said and nobody has asked for yet."""

    @classmethod
    @contextmanager
    def open(
        cls,
        scratch: Path,
        deadline_s: float,
        progress: Progress = ignore_progress,
        stopping: Callable[[], bool] | None = None,
    ) -> Iterator[Processes]:
        """Open an empty set of processes; none of them is left when the context ends.

        Raises:
            EdgebenchError: No directory that can be written has a path short enough for sockets.
        """
        with (
            tempfile.TemporaryDirectory(prefix="block-", dir=scratch) as directory,
            Control.open() as control,
        ):
            processes = cls(
                directory=Path(directory),
                control=control,
                deadline_s=deadline_s,
                progress=progress,
                stopping=stopping,
            )
            try:
                yield processes
            finally:
                processes.kill()

    @property
    def endpoint(self) -> str:
        """Where the controller listens."""
        return self.control.endpoint

    @property
    def _mark(self) -> str:
        """What marks these processes, and all that they start."""
        return f"{identify_owner()}/{self.control.secret}"

    def start(
        self, host: StartsProcesses, module: str, order: Order, code: Sequence[str] = ()
    ) -> None:
        """Start `python -m module ORDER.json` on a host, under the name that the order gives.

        What *code* it runs is said of one that ends, or is silent, without saying more itself.
        """
        place = self.directory / order.name.replace(" ", "-")
        place.mkdir()
        listen, secret = f"ipc://{self.control.private}/{len(self._by_name)}", self.control.secret
        told = attrs.evolve(order, spawned=now(), listen=listen, secret=secret)
        told.write(place)
        there = host.put(place)
        # Libraries that bring their own threads ask the environment how many.
        env = dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(order.threads)
        )
        # What they leave behind there goes with the block.
        env |= {"TMPDIR": str(there), MARK: self._mark, **SAFE}
        argv = [sys.executable, "-u", "-P", "-m", module, str(there / FILE)]
        with _defer_interrupts():
            running = host.spawn(argv, env, place / "log")
            self._by_name[order.name] = Process(running, os.pidfd_open(running.pid), code)
        self._heard[order.name] = deque()

    def tell(self, name: str, values: Mapping[str, Any]) -> None:
        """Send a process a command without waiting for what it says."""
        self.control.tell(name, values)

    def ask(self, name: str, verb: str, **values: float) -> Reply:
        """Send a process a command and wait until it says that it is done.

        Raises:
            ProcessFailed: It, or any other of the processes, ended.
            TimedOut: The time for all of them is over.
        """
        self.tell(name, {"verb": verb, **values})
        return self.hear(verb, [name])[name]

    def hear(self, verb: str, names: Sequence[str]) -> dict[str, Reply]:
        """Wait until every one of the named processes has said something about *verb*.

        What others say meanwhile, and what comes next from these, is kept until it is asked for.

        Raises:
            ProcessFailed: One of them failed or ended, or said something else.
            TimedOut: The time for all of them is over.
            Stopped: It was asked for.
        """
        heard: dict[str, Reply] = {}
        for name in names:
            while not self._heard[name]:
                self._receive(f"{name} to {DOING.get(verb, verb)}")
            said, reply = self._heard[name].popleft()
            if said != verb:
                raise ProcessFailed(f"{name} said {said} where {verb} was expected")
            heard[name] = reply
        return heard

    def _receive(self, awaited: str) -> None:
        """Wait for the next message of any process, and keep it.

        Progress is passed on, and gives the processes their time anew.
        """
        poller = zmq.Poller()
        poller.register(self.control.socket, zmq.POLLIN)
        for process in self._by_name.values():
            poller.register(process.pidfd, zmq.POLLIN)
        ready = self._wait(poller)
        if not ready:
            raise TimedOut(
                f"no answer within {self.deadline_s:g} s (--time-limit){self._find_silent()}: "
                f"waited for {awaited}"
            )
        # What a process said before it ended counts, and comes through another thread.
        if self.control.socket not in ready and not self.control.socket.poll(GRACE_MS):
            raise ProcessFailed(self._explain_end(set(ready)))
        name, frames = self.control.take(self._by_name)
        if not name:
            return
        values = json.loads(frames[0])
        if (verb := values.pop("verb")) == "failed":
            raise ProcessFailed(values["reason"])
        if verb == "progress":
            self._since = time.monotonic()
            self.progress(values["done"], values["samples"])
            return
        self._heard[name].append((verb, Reply(values, frames[1:])))

    def _wait(self, poller: zmq.Poller) -> dict[Any, int]:
        """Return what is ready; nothing when the time is over."""
        until = self._since + self.deadline_s
        longest = inf if self.stopping is None else LOOK_S
        while True:
            if self.stopping is not None and self.stopping():
                raise Stopped
            left = max(0.0, until - time.monotonic())
            ready = dict(poller.poll(round(1000 * min(left, longest))))
            if ready or not left:
                return ready

    def _find_silent(self) -> str:
        """Say which hosts do not even answer to their name; the driver cannot while it waits.

        One that hangs does not, and neither does one in the middle of a long request.
        """
        hosts = [name for name in self._by_name if name != DRIVER]
        silent = set(hosts)
        for name in hosts:
            self.tell(name, {"verb": "ping"})
        while silent and self.control.socket.poll(GRACE_MS):
            silent.discard(self.control.take(self._by_name)[0])
        named = (name + " was silent" + self._by_name[name].name_code() for name in sorted(silent))
        return "".join(f", {one}" for one in named)

    def _explain_end(self, ready: set[Any]) -> str:
        for name, process in self._by_name.items():
            if process.pidfd in ready:
                return name + process.explain_end()
        raise AssertionError("a poll returned without anything to tell")

    def read_logs(self) -> dict[str, str]:
        """Return the end of what each process has printed, by name."""
        return {name: process.read_log() for name, process in self._by_name.items()}

    def kill(self) -> None:
        """Kill every process, with all that it has started, and wait for them."""
        for process in self._by_name.values():
            process.kill()
        # Those in sessions of their own are in no group of ours.
        if self._by_name:
            end_marked(self._mark.__eq__)
        for process in self._by_name.values():
            process.reap()
        self._by_name.clear()


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
    "profiled": "profile",
}


@contextmanager
def _defer_interrupts() -> Iterator[None]:
    """Let an interrupt wait: a process that was started and not noted would never be ended."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
