"""The driver: sends requests from the first tier, one at a time, and notes what each took.

Started by the controller as `python -m edgebench.measure.station.driver ORDER.json`.
"""

from __future__ import annotations

import gc
import json
import math
import random
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import attrs
import zmq

from edgebench.measure.station import warmup
from edgebench.measure.station.controller import Control, first_cpu, peak_memory, settle
from edgebench.measure.station.orders import DriverOrder
from edgebench.measure.transport.pace import now
from edgebench.measure.transport.port import Port, connect
from edgebench.measure.transport.probing import probe
from edgebench.measure.transport.wire import CODES, Kind, Mark, Message
from edgebench.parts.errors import CaseFailed

AGAIN, LONG_S = 3, 0.5
"""Requests by which a block warms up again after its checks, no part of the figures; and how long
the last of the warm-up must have taken for that to make no difference."""
LEAST = 3
"""Requests of a block that are measured however long they take."""
ENCODE = CODES["encode"]
EXITED = CODES["exited"]


class RequestFailed(CaseFailed):
    """A host could not answer; says what happened, where."""


@attrs.frozen
class Samples:
    """The order in which a block sends the samples of a split."""

    count: int
    """Samples of the split."""
    seed: int
    batch: int = 1

    def __attrs_post_init__(self) -> None:
        """Refuse an empty split."""
        if self.count < 1:
            raise ValueError("a split without samples cannot be sent")

    def indices(self, begin: int, requests: int) -> Iterator[list[int]]:
        """Yield the samples of each request from number *begin* on.

        The split is shuffled once by the seed, so that equal blocks of different cases send the
        same inputs, and followed round and round.
        """
        order = list(range(self.count))
        # Reproducible is what it must be, not secret.
        random.Random(self.seed).shuffle(order)  # noqa: S311
        for place in range(begin * self.batch, (begin + requests) * self.batch, self.batch):
            yield [order[at % self.count] for at in range(place, place + self.batch)]


@attrs.frozen(kw_only=True)
class Answered:
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
    sent: array[int] = attrs.field(factory=lambda: array("q"))
    """Bytes of each request."""
    back: array[int] = attrs.field(factory=lambda: array("q"))
    """Bytes of each answer."""

    def ask(self, request: int, payloads: Sequence[bytes]) -> Answered:
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
        self.sent.append(message.size)
        self.back.append(answer.size)
        marks = [
            Mark(ENCODE, 0, sent - begin),
            *answer.marks,
            self.port.passed(arrival),
        ]
        return Answered(latency=latency, marks=marks, size=answer.size)


def table(answers: Sequence[Answered]) -> tuple[list[str], bytes]:
    """Lay out what was noted: the phases by name, and their sums as int64 (requests, phases).

    A phase that a request did not have is -1.
    """
    sums: list[dict[str, int]] = []
    for answer in answers:
        row: dict[str, int] = {}
        for mark in answer.marks:
            row[mark.name] = row.get(mark.name, 0) + mark.value
        sums.append(row)
    names = list(dict.fromkeys(name for row in sums for name in row))
    return names, array("q", [row.get(name, -1) for row in sums for name in names]).tobytes()


class Sequencer:
    """Sends the requests of one block as the controller asks."""

    def __init__(self, order: DriverOrder, control: Control, driver: Driver) -> None:
        """Open the split that the order names."""
        from edgebench.store.splits import open_split

        self.order = order
        self.control = control
        self.driver = driver
        self.payloads = open_split(order.split.parent, order.split.name)
        self.samples = Samples(len(self.payloads), order.seed, order.batch)
        self.asked = 0
        self.slow = False

    def warm(self) -> None:
        """Send requests until their latency has stabilised."""
        took: list[float] = []
        # The end of the shuffled split, which no block comes to before it has gone round.
        for indices in self.samples.indices(self.samples.count - warmup.MOST, warmup.MOST):
            took.append(self._ask(indices).latency / 1e9)
            self.slow = took[-1] > LONG_S
            if said := warmup.verdict(took):
                self.control.say("warm", {"latency_s": took, "said": said})
                return

    def measure(self) -> None:
        """Send the block's requests, and report what each took."""
        # The checks between warm-up and here have cooled what the first requests would pay for.
        again = self._bounded(0, 0 if self.slow else AGAIN, 0.0, least=0)
        begin = self.order.number * self.order.requests
        measured = self._bounded(begin, self.order.requests, self.order.bound_s, least=LEAST)
        answers = [answer for _, answer in measured]
        names, phases = table(answers)
        first = array("q", [sample for sample, _ in measured])
        latency = array("q", [answer.latency for answer in answers])
        said = {"phases": names, "again_s": [answer.latency / 1e9 for _, answer in again]}
        self.control.say("measure", said, latency.tobytes(), first.tobytes(), phases)

    def _bounded(
        self, begin: int, requests: int, bound_s: float, least: int
    ) -> list[tuple[int, Answered]]:
        """Send requests until there are enough, or the time is up and there are the *least*.

        Return the first sample of each, and its answer.
        """
        found: list[tuple[int, Answered]] = []
        until = now() + bound_s * 1e9 if bound_s else math.inf
        for indices in self.samples.indices(begin, requests):
            if len(found) >= least and now() > until:
                break
            found.append((indices[0], self._ask(indices)))
        return found

    def _ask(self, indices: Sequence[int]) -> Answered:
        self.asked += 1
        return self.driver.ask(self.asked, [self.payloads[index] for index in indices])

    def probe(self, rate: float) -> None:
        """Measure the first link, whose sending end this is."""
        self.control.say("probe", probe(self.driver.port, self.driver.sent, self.driver.back, rate))

    def obey(self) -> None:
        """Do what the controller asks until it asks for the report."""
        while (heard := self.control.hear())["verb"] != "report":
            if heard["verb"] == "warm":
                self.warm()
            elif heard["verb"] == "measure":
                self.measure()
            else:
                self.probe(heard["rate"])
        self.control.say("report", self.report())

    def report(self) -> Mapping[str, Any]:
        """Say what was sent."""
        return {
            "forward": list(self.driver.sent),
            "answer": median(self.driver.back) if self.driver.back else 0,
            "peak": peak_memory(),
        }


def main(argv: list[str]) -> None:
    """Do what the order in the file named by the first argument says."""
    order = DriverOrder.from_json(json.loads(Path(argv[0]).read_text()))
    settle(order, first_cpu())
    context = zmq.Context()
    control = Control.connect(context, order)
    control.say("hello", {})
    port = connect(context, control.hear()["next"], order.back, order.backward)
    driver = Driver(port=port)
    with control.telling():
        sequencer = Sequencer(order, control, driver)
        gc.freeze()
        control.say("ready", {})
        sequencer.obey()
    control.hear()


if __name__ == "__main__":
    main(sys.argv[1:])
