"""What the harness itself costs, measured quickly at the start of every run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import attrs
import zmq

from edgebench.cases.case import BackendChoice
from edgebench.measure.stand.processes import Processes
from edgebench.measure.station.driver import Driver
from edgebench.measure.station.orders import HostOrder, Work
from edgebench.measure.transport.pace import now
from edgebench.measure.transport.port import connect

NULL_HOST_MODULE = "edgebench.measure.station.null_host"
LIMIT_S = 30.0
ROUNDS = 5
CALLS = 400
"""Of each round; the median of the rounds counts."""
REQUESTS = 300
PAYLOAD = bytes(64)


def measure_overheads(scratch: Path) -> dict[str, float]:
    """Measure what the harness costs, in seconds, by what is measured.

    `bracket` is what stands round a session's call in a host; `in_process` a whole request of a
    session that computes nothing, in one process; `request` the same through a host of its own.
    """
    return {
        "bracket": time_bracket(),
        "in_process": time_in_process(),
        "request": time_request(scratch),
    }


def _time_each(work: Callable[[], object]) -> float:
    """Return the seconds that each of many calls takes."""
    found = []
    for _ in range(ROUNDS):
        begin = now()
        for _ in range(CALLS):
            work()
        found.append((now() - begin) / CALLS / 1e9)
    return median(found)


def time_bracket() -> float:
    """Measure what the clock and the note round a session's call add to it."""
    from edgebench.measure.station.null_host import NullSession
    from edgebench.measure.station.piece import INFERENCE
    from edgebench.measure.station.watch import Watch

    session, feeds = NullSession(), dict[str, Any]()

    def noted() -> None:
        begin = now()
        session.run(feeds)
        watch.note_and_wait(INFERENCE, 0, begin)
        watch.marks.clear()

    watch = Watch()
    return max(0.0, _time_each(noted) - _time_each(lambda: session.run(feeds)))


def time_in_process() -> float:
    """Measure a request to a session that computes nothing, without anything sent."""
    from edgebench.measure.station.null_host import make_null_piece
    from edgebench.measure.transport.wire import Kind, Message

    piece = make_null_piece()
    message = Message(kind=Kind.REQUEST, samples=1, body=[memoryview(PAYLOAD)])

    def answer() -> None:
        watch = piece.watch(())
        piece.answer_message(piece.compute(message, watch, now()), 0, watch.all_marks())

    return _time_each(answer)


@attrs.frozen
class _Started:
    """A process of this machine."""

    pid: int
    log: Path


# The core names no fabric, and what a fabric costs would be counted as the harness's own.
class _Here:
    """This machine, as it is."""

    def put(self, directory: Path) -> Path:
        return directory

    def spawn(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> _Started:
        with log.open("wb") as file:
            process = subprocess.Popen(
                argv, env={**os.environ, **env}, stdout=file, stderr=file, start_new_session=True
            )
        # `Processes` waits for its end; nobody else shall miss that.
        process.returncode = 0
        return _Started(process.pid, log)


def time_request(scratch: Path) -> float:
    """Measure a request through a host whose session computes nothing.

    Raises:
        ProcessFailed: The host failed.
    """
    with Processes.open(scratch, LIMIT_S) as processes, zmq.Context() as context:
        order = HostOrder(
            name="host",
            tier="here",
            controller=processes.endpoint,
            parent=os.getpid(),
            work=_null_work(),
        )
        processes.start(_Here(), NULL_HOST_MODULE, order)
        endpoint = processes.hear("hello", ["host"])["host"].values["endpoint"]
        processes.hear("ready", ["host"])
        port = connect(context, endpoint, ("local-hop", 0), secret=processes.control.secret)
        with port.socket:
            driver = Driver(port=port)
            took = [driver.send_request(number, [PAYLOAD]).latency for number in range(REQUESTS)]
    return median(took[REQUESTS // 10 :]) / 1e9


def _null_work() -> Work:
    return Work(
        source={},
        artifact=Path(),
        piece=0,
        model="null",
        variant="null",
        backend=BackendChoice("null"),
        threads=1,
    )
