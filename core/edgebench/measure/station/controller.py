"""The controller as a process of a block sees it: whom it tells what it found, and hears."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import zmq

from edgebench.measure.station.orders import Order
from edgebench.measure.station.own_process import bind_process
from edgebench.measure.transport.port import Port, connect, socket
from edgebench.parts.errors import EdgebenchError


@attrs.frozen
class Controller:
    """A connection to the controller: one process of a block has one."""

    socket: zmq.Socket[bytes]

    @classmethod
    def join(cls, order: Order, cpus: Sequence[int]) -> Controller:
        """Bind this process to its processors and the controller's life, and connect to it."""
        bind_process(order, cpus)
        return cls.connect(zmq.Context(), order)

    @classmethod
    def connect(cls, context: zmq.Context[Any], order: Order) -> Controller:
        """Connect to the controller under the name that it gave."""
        opened = socket(context, zmq.DEALER)
        opened.setsockopt(zmq.ROUTING_ID, f"{order.secret}{order.name}".encode())
        opened.connect(order.controller)
        return cls(opened)

    def connect_following(self, order: Order) -> Port:
        """Connect to the next host on the route when the controller says where it listens."""
        return connect(
            self.socket.context,
            self.hear()["following"],
            order.backward_phase,
            order.backward_link,
            order.secret,
        )

    def tell(self, verb: str, values: Mapping[str, Any], *raw: Any) -> None:
        """Tell the controller something: what it is about, values as JSON, and raw bytes."""
        self.socket.send_multipart([json.dumps({"verb": verb, **values}).encode(), *raw])

    @contextmanager
    def report_faults(self, where: str = "") -> Iterator[None]:
        """Tell the controller of what is the case's own fault, and wait to be killed by it."""
        try:
            yield
        except EdgebenchError as error:
            if error.__cause__:
                traceback.print_exception(error.__cause__)
            # What was printed would be lost: the controller ends this process when it is told.
            sys.stdout.flush()
            self.tell("failed", {"reason": f"{where}{error}"})
            self.hear()
            raise

    def hear(self) -> dict[str, Any]:
        """Wait for the controller's next command: its verb, and the values that belong to it."""
        return dict(json.loads(self.socket.recv()))
