"""The side of a measured process that faces the controller: how it starts, hears and says."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import zmq

from edgebench.measure.station.orders import Order
from edgebench.measure.transport.port import socket
from edgebench.parts.errors import EdgebenchError

PR_SET_PDEATHSIG = 1


def settle(order: Order, cpus: Sequence[int]) -> None:
    """Tie this process to its processors, and its life to the controller's.

    Raises:
        ProcessLookupError: The controller is gone already.
    """
    import ctypes

    # The controller lets interrupts wait while it starts a process, which takes that over.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.kill(order.parent, 0)
    # Before any thread is started, because threads take this over from the one that starts them.
    os.sched_setaffinity(0, cpus)


def first_cpu() -> Sequence[int]:
    """Return the processor for those that only carry."""
    return sorted(os.sched_getaffinity(0))[:1]


def last_cpus(count: int) -> Sequence[int]:
    """Return so many processors for those that compute, as far as possible from the others."""
    return sorted(os.sched_getaffinity(0))[-count:]


def peak_memory() -> int | None:
    """Return the peak resident set of this process in bytes; None where it cannot be read.

    `getrusage` is of no use here: it begins with the resident set of the process that spawned this
    one.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


@attrs.frozen
class Control:
    """The connection to the controller."""

    socket: zmq.Socket[bytes]

    @classmethod
    def connect(cls, context: zmq.Context[Any], order: Order) -> Control:
        """Connect to the controller under the name that it gave."""
        opened = socket(context, zmq.DEALER)
        opened.setsockopt(zmq.IDENTITY, order.name.encode())
        opened.connect(order.control)
        return cls(opened)

    def say(self, verb: str, values: Mapping[str, Any], *raw: Any) -> None:
        """Tell the controller something: what it is about, values as JSON, and raw bytes."""
        self.socket.send_multipart([json.dumps({"verb": verb, **values}).encode(), *raw])

    @contextmanager
    def telling(self, where: str = "") -> Iterator[None]:
        """Tell the controller of what is the case's own fault, and wait to be ended by it."""
        try:
            yield
        except EdgebenchError as error:
            self.say("failed", {"reason": f"{where}{error}"})
            self.hear()
            raise

    def hear(self) -> dict[str, Any]:
        """Wait for the controller's next order."""
        return dict(json.loads(self.socket.recv()))
