"""A host: takes requests from the side of the driver, computes or relays, and brings answers back.

Started by the controller as `python -m edgebench.measure.station.host ORDER.json`. It ends when it
is told to report, or is killed.
"""

from __future__ import annotations

import gc
import sys
import traceback
from array import array
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any

import attrs
import zmq

from edgebench.measure.station.controller import Controller
from edgebench.measure.station.orders import HostOrder, Work
from edgebench.measure.station.own_process import first_cpu, last_cpus, read_peak_memory
from edgebench.measure.transport.pace import Pace, now
from edgebench.measure.transport.port import Arrival, Foreign, Port, Refused, socket
from edgebench.measure.transport.probing import probe
from edgebench.measure.transport.wire import CODES, Kind, Mark, Message, WireError
from edgebench.parts.errors import EdgebenchError, one_line

if TYPE_CHECKING:
    from edgebench.measure.station.busy_threads import BusyThreads
    from edgebench.measure.station.opening import OpenPiece
    from edgebench.measure.station.piece import Batch, Piece

QUEUE = CODES["queue"]


@attrs.frozen(kw_only=True)
class Pending:
    """A request that is under way beyond this host."""

    peer: bytes
    batch: Batch | None = None
    """Its samples, where some were answered here."""


@attrs.frozen(kw_only=True)
class HostProcess:
    """The connections of one host, and the piece that it runs."""

    name: str
    controller: Controller
    previous: Port
    """The port that faces the driver: here arrives what travels forward."""
    following: Port | None = None
    """The port that faces the next host; here arrives what travels backward."""
    piece: Piece | None = None
    busy: BusyThreads | None = None
    """What counts the threads that run it, until its speed is asked for."""
    forward: array[int] = attrs.field(factory=lambda: array("q"), init=False)
    """Bytes sent on, by request."""
    backward: array[int] = attrs.field(factory=lambda: array("q"), init=False)
    """Bytes that came back, by request."""
    inference: array[int] = attrs.field(factory=lambda: array("q"), init=False)
    """Nanoseconds of inference, by request."""
    foreign: array[int] = attrs.field(factory=lambda: array("q", [0]), init=False)
    """How many messages came from strangers: one number."""
    _pending: dict[int, Pending] = attrs.field(factory=dict, init=False)

    def serve(self) -> None:
        """Serve until the controller asks for the report."""
        poller = zmq.Poller()
        # One event at a time, the first registered first: commands, then what is on its way back.
        poller.register(self.controller.socket, zmq.POLLIN)
        if self.following is not None:
            poller.register(self.following.socket, zmq.POLLIN)
        poller.register(self.previous.socket, zmq.POLLIN)
        while True:
            ready = now()
            which = poller.poll()[0][0]
            if which is self.previous.socket:
                self._receive_forward(ready)
            elif self.following is not None and which is self.following.socket:
                self._receive_backward(self.following, ready)
            elif not self._obey(self.controller.hear()):
                return

    def _obey(self, command: Mapping[str, Any]) -> bool:
        """Do what the controller wants; return whether to go on."""
        if command["verb"] == "report":
            return False
        if command["verb"] == "ping":
            self.controller.tell("ping", {"foreign": self.foreign[0]})
        if command["verb"] == "probe" and self.following is not None:
            found = probe(self.following, self.forward, self.backward, command["rate"])
            self.controller.tell("probe", found)
        if command["verb"] == "speed" and self.piece is not None:
            from edgebench.measure.station.speed import compare_speeds

            # Where every sample left before, nothing is known but that it is quick.
            work = median(self.inference[-10:] or [0]) / 1e9
            busy = self.busy.finish() if self.busy else None
            found = {**compare_speeds(work, self.piece.slowdown), "busy_threads": busy}
            self.controller.tell("speed", found)
        if command["verb"] == "explain" and self.piece is not None:
            from edgebench.measure.station.remarks import collect_remarks

            self.controller.tell("explain", collect_remarks(self.piece))
        return True

    def _receive_forward(self, ready: int) -> None:
        """Take a message that travels forward; what is malformed is refused and forgotten."""
        try:
            arrival = self.previous.receive(ready)
        except Foreign:
            # Whoever does not know the secret gets no answer, and takes no more time than this.
            self.foreign[0] += 1
            return
        except Refused as refused:
            self._refuse(0, refused.peer, refused)
            return
        try:
            self._take(arrival)
        except WireError as error:
            self._refuse(arrival.message.request, arrival.peer, error)

    def _refuse(self, request: int, peer: bytes, error: WireError) -> None:
        print(f"refused: {error}", file=sys.stderr, flush=True)  # noqa: T201 - this is its log
        self._fail(request, peer, f"refused by {self.name}: {error}")

    def _fail(self, request: int, peer: bytes, why: str) -> None:
        self.previous.send(Message(kind=Kind.ERROR, request=request, body=[why.encode()]), peer)

    def _take(self, arrival: Arrival) -> None:
        message = arrival.message
        if message.kind is Kind.PROBE:
            echo = Message(kind=Kind.ECHO, request=message.request, body=[bytes(message.wanted)])
            self.previous.send(echo, arrival.peer)
        elif message.kind not in (Kind.REQUEST, Kind.TENSORS):
            raise WireError(f"{message.kind.name.lower()} is not for a host")
        elif message.request in self._pending:
            raise WireError(f"request {message.request} is under way already")
        elif self.piece is not None:
            self._compute(self.piece, arrival)
        else:
            # What a relay takes of its own is part of the way.
            relayed = message.with_mark(self.previous.mark_way(arrival))
            self._send_forward(Pending(peer=arrival.peer), relayed, message.sent)

    def _send_forward(self, pending: Pending, message: Message, since: int) -> None:
        """Send a message to the next host; its last mark lasts from *since* until it is sent."""
        if self.following is None:
            raise WireError("nobody comes after this host")
        self.following.send(message, since=since)
        self._pending[message.request] = pending
        self.forward.append(message.size)

    def _compute(self, piece: Piece, arrival: Arrival) -> None:
        message = arrival.message
        watch = piece.watch([*message.marks, self.previous.mark_way(arrival)])
        begin = now()
        watch.marks.append(Mark(QUEUE, 0, begin - arrival.delivered))
        try:
            batch = piece.compute(message, watch, begin)
            self.inference.append(watch.inference)
            if batch.samples:
                since = now()
                forwarded = piece.forward_message(batch, message.request, watch)
                self._send_forward(Pending(peer=arrival.peer, batch=batch), forwarded, since)
            else:
                answer = piece.answer_message(batch, message.request, watch.all_marks())
                self.previous.send(answer, arrival.peer)
        except WireError:
            raise
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; the host lives on
            traceback.print_exc()
            where = f"on {self.name} in {watch.step}"
            # What is said in a sentence of ours needs no name of its type.
            said = str(error) if isinstance(error, EdgebenchError) else one_line(error)
            culprit = f"{piece.name_culprit(watch.step)}: " if piece.name_culprit else ""
            self._fail(message.request, arrival.peer, f"{culprit}{said} {where}")

    def _receive_backward(self, following: Port, ready: int) -> None:
        """Bring an answer back, put together with what was answered here.

        Raises:
            WireError: It is malformed, or answers nothing; our own next host sends no such thing.
        """
        arrival = following.receive(ready)
        message = arrival.message
        pending = self._pending.pop(message.request, None)
        if pending is None and message.kind is Kind.ERROR:
            raise WireError(str(message.body[0], "utf-8"))
        if pending is None:
            raise WireError(f"an answer to the request {message.request}, which nobody waits for")
        self.backward.append(message.size)
        batch = pending.batch
        if message.kind is Kind.ERROR or batch is None or not batch.answers or self.piece is None:
            answer = message
        else:
            self.piece.merge(batch, message)
            answer = self.piece.answer_message(batch, message.request, message.marks)
        self.previous.send(
            answer.with_mark(following.mark_way(arrival)), pending.peer, message.sent
        )

    def report(self) -> dict[str, Any]:
        """Say what this host has seen."""
        return {
            "forward": list(self.forward),
            "peak": read_peak_memory(),
            "foreign": self.foreign[0],
        }


def _connect_along_route(order: HostOrder, controller: Controller) -> tuple[Port, Port | None]:
    """Bind towards the driver, say where, and connect to the next host when told where it is."""
    previous = socket(controller.socket.context, zmq.ROUTER)
    previous.bind(order.listen)
    controller.tell("hello", {"endpoint": previous.getsockopt_string(zmq.LAST_ENDPOINT)})
    towards_driver = Port(
        socket=previous,
        phase=order.forward_phase,
        pace=Pace.of(order.forward_link),
        neighbour=order.secret.encode(),
    )
    return towards_driver, None if order.last else controller.connect_following(order)


def serve(order: HostOrder, opening: Callable[[Work], AbstractContextManager[OpenPiece]]) -> None:
    """Be the host that the order describes, its piece opened by *opening*."""
    began = now()
    cpus = last_cpus(order.work.threads) if order.work else first_cpu()
    controller = Controller.join(order, cpus)
    previous, following = _connect_along_route(order, controller)
    cold = {"start": (began - order.spawned) / 1e9}
    with controller.report_faults(f"{order.name}: "), ExitStack() as stack:
        loaded = stack.enter_context(opening(order.work)) if order.work else None
        busy = _count_threads(loaded.piece) if loaded else None
        host = HostProcess(
            name=order.tier,
            controller=controller,
            previous=previous,
            following=following,
            piece=busy.piece if busy else None,
            busy=busy,
        )
        # What was made while loading lives on; looking through it again would disturb requests.
        gc.freeze()
        controller.tell("ready", {})
        host.serve()
        if host.inference:
            cold["first"] = host.inference[0] / 1e9
        report = {"cold": cold, "device": "", "versions": {}, **host.report()}
        if loaded:
            cold |= loaded.cold_s
            report |= {"device": loaded.device, "versions": dict(loaded.versions)}
    controller.tell("report", report)
    # Ending before the report is on its way would lose it; the controller ends this process.
    controller.hear()


def _count_threads(piece: Piece) -> BusyThreads:
    # Imported here for the same reason as what opens a piece.
    from edgebench.measure.station.busy_threads import BusyThreads

    return BusyThreads(piece)


def _open(work: Work) -> AbstractContextManager[OpenPiece]:
    # A host that only relays opens nothing, and needs no library of arrays.
    from edgebench.measure.station.opening import open_piece

    return open_piece(work)


def main(argv: list[str]) -> None:
    """Do what the order in the file named by the first argument says."""
    serve(HostOrder.read(argv[0]), _open)


if __name__ == "__main__":
    main(sys.argv[1:])
