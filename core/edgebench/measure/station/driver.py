"""The driver: sends requests from the first tier, one at a time, and notes what each took.

Started by the controller as `python -m edgebench.measure.station.driver ORDER.json`.
"""

from __future__ import annotations

import gc
import math
import random
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, median
from typing import Any

import attrs

from edgebench.measure.station import warmup
from edgebench.measure.station.controller import Controller
from edgebench.measure.station.orders import DriverOrder
from edgebench.measure.station.own_process import first_cpu, read_peak_memory
from edgebench.measure.transport.pace import now
from edgebench.measure.transport.port import Port
from edgebench.measure.transport.probing import probe
from edgebench.measure.transport.wire import CODES, Kind, Mark, Message
from edgebench.parts.errors import CaseFailed

AGAIN, LONG_S = 3, 0.5
"""Requests by which a block warms up again after its checks, no part of the figures; and how long
the last of the warm-up must have taken for that to make no difference."""
LEAST = 3
"""Requests of a block that are measured however long they take."""
ENCODE = CODES["encode"]


class RequestFailed(CaseFailed):
    """A host could not answer; says what happened, where."""


def shuffle_samples(count: int, seed: int) -> list[int]:
    """Return the order in which the samples of a split are sent.

    It follows from the seed, so that equal blocks of different cases send the same inputs.
    """
    order = list(range(count))
    # Reproducible is what it must be, not secret.
    random.Random(seed).shuffle(order)  # noqa: S311
    return order


def pick_samples(
    order: Sequence[int], batch: int, begin: int, requests: int
) -> Iterator[list[int]]:
    """Yield the samples of each request from number *begin* on, going round the order."""
    for place in range(begin * batch, (begin + requests) * batch, batch):
        yield [order[at % len(order)] for at in range(place, place + batch)]


@attrs.frozen(kw_only=True)
class AnsweredRequest:
    """One request, answered."""

    latency: int
    """Nanoseconds."""
    marks: Sequence[Mark]
    size: int
    """Bytes of the answer."""


@attrs.frozen(kw_only=True)
class Driver:
    """The connection to the first host, and what was sent over it."""

    port: Port
    forward: array[int] = attrs.field(factory=lambda: array("q"))
    """Bytes of each request."""
    backward: array[int] = attrs.field(factory=lambda: array("q"))
    """Bytes of each answer."""

    def send_request(self, request: int, payloads: Sequence[bytes]) -> AnsweredRequest:
        """Send one request and wait for its answer.

        Raises:
            RequestFailed: A host says that it could not.
        """
        begin = now()
        message = Message(kind=Kind.REQUEST, request=request, samples=len(payloads), body=payloads)
        sent = self.port.send(message)
        arrival = self.port.receive(sent)
        latency = now() - begin
        answer = arrival.message
        if answer.kind is Kind.ERROR:
            raise RequestFailed(str(answer.body[0], "utf-8"))
        self.forward.append(message.size)
        self.backward.append(answer.size)
        marks = [Mark(ENCODE, 0, sent - begin), *answer.marks, self.port.mark_way(arrival)]
        return AnsweredRequest(latency=latency, marks=marks, size=answer.size)


def tabulate_marks(answers: Sequence[AnsweredRequest]) -> tuple[list[str], bytes]:
    """Return the phases by name, and the sums of their marks as int64 (requests, phases).

    A phase that a request did not have is -1.
    """
    requests: list[dict[str, int]] = []
    for answer in answers:
        sums: dict[str, int] = {}
        for mark in answer.marks:
            # Several hosts may note one phase, as each relay does for the way: it took all of them.
            sums[mark.name] = sums.get(mark.name, 0) + mark.value
        requests.append(sums)
    names = list(dict.fromkeys(name for sums in requests for name in sums))
    table = array("q", [sums.get(name, -1) for sums in requests for name in names])
    return names, table.tobytes()


class Sequencer:
    """Sends the requests of one block as the controller asks."""

    def __init__(self, order: DriverOrder, controller: Controller, driver: Driver) -> None:
        """Open the split that the order names."""
        from edgebench.store.splits import open_split

        self.order = order
        self.controller = controller
        self.driver = driver
        self.payloads = open_split(order.split)
        self.samples = shuffle_samples(len(self.payloads), order.seed)
        self.sent = 0
        self.slow = False

    def warm(self) -> None:
        """Send requests until their latency has stabilised."""
        took: list[float] = []
        # The end of the shuffled split, which no block comes to before it has gone round.
        for indices in self._pick(len(self.samples) - warmup.MOST, warmup.MOST):
            took.append(self._send(indices).latency / 1e9)
            self.slow = took[-1] > LONG_S
            if said := warmup.judge_warmup(took):
                self.controller.tell("warm", {"latency_s": took, "said": said})
                return

    def measure(self) -> None:
        """Send the block's requests, and report what each took."""
        # The checks between warm-up and here have cooled what the first requests would pay for.
        again = self._send_within_bound(0, 0 if self.slow else AGAIN, 0.0, least=0)
        begin = self.order.number * self.order.requests
        measured = self._send_within_bound(
            begin, self.order.requests, self.order.bound_s, least=LEAST
        )
        answers = [answer for _, answer in measured]
        names, phases = tabulate_marks(answers)
        first = array("q", [sample for sample, _ in measured])
        latency = array("q", [answer.latency for answer in answers])
        said = {"phases": names, "again_s": [answer.latency / 1e9 for _, answer in again]}
        self.controller.tell("measure", said, latency.tobytes(), first.tobytes(), phases)

    def _send_within_bound(
        self, begin: int, requests: int, bound_s: float, least: int
    ) -> list[tuple[int, AnsweredRequest]]:
        """Send requests until there are enough, or the time is up and there are the *least*.

        Return the first sample of each, and its answer.
        """
        found: list[tuple[int, AnsweredRequest]] = []
        until = now() + bound_s * 1e9 if bound_s else math.inf
        for indices in self._pick(begin, requests):
            if len(found) >= least and now() > until:
                break
            found.append((indices[0], self._send(indices)))
        return found

    def _pick(self, begin: int, requests: int) -> Iterator[list[int]]:
        return pick_samples(self.samples, self.order.batch, begin, requests)

    def _send(self, indices: Sequence[int]) -> AnsweredRequest:
        self.sent += 1
        return self.driver.send_request(self.sent, [self.payloads[index] for index in indices])

    def probe(self, rate: float) -> None:
        """Measure the first link, whose sending end this is."""
        found = probe(self.driver.port, self.driver.forward, self.driver.backward, rate)
        self.controller.tell("probe", found)

    def obey(self) -> None:
        """Do what the controller asks until it asks for the report."""
        while (command := self.controller.hear())["verb"] != "report":
            if command["verb"] == "warm":
                self.warm()
            elif command["verb"] == "measure":
                self.measure()
            else:
                self.probe(command["rate"])
        self.controller.tell("report", self.report())

    def report(self) -> Mapping[str, Any]:
        """Say what was sent."""
        return {
            "forward": list(self.driver.forward),
            "answer": median(self.driver.backward) if self.driver.backward else 0,
            "answer_mean": fmean(self.driver.backward) if self.driver.backward else 0,
            "peak": read_peak_memory(),
        }


def main(argv: list[str]) -> None:
    """Do what the order in the file named by the first argument says."""
    order = DriverOrder.read(argv[0])
    controller = Controller.join(order, first_cpu())
    controller.tell("hello", {})
    driver = Driver(port=controller.connect_following(order))
    with controller.report_faults():
        sequencer = Sequencer(order, controller, driver)
        gc.freeze()
        controller.tell("ready", {})
        sequencer.obey()
    controller.hear()


if __name__ == "__main__":
    main(sys.argv[1:])
