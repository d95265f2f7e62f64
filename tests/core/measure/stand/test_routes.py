"""Chains of hosts in this process: any pieces, any exits, any batch give what one host gives."""

import json
import threading
from contextlib import ExitStack, contextmanager

import attrs
import numpy as np
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench import Exit, Model, Pipeline, Stage, TensorSpec
from edgebench.measure.station.controller import Controller
from edgebench.measure.station.driver import Driver, RequestFailed
from edgebench.measure.station.host import HostProcess
from edgebench.measure.station.piece import OpenStage, Piece
from edgebench.measure.transport.pace import now
from edgebench.measure.transport.port import Port, connect, socket
from edgebench.measure.transport.wire import Kind, Message

WIDTH = 3


def spec(name, *shape):
    return TensorSpec(name=name, dtype="float32", shape=("batch", *shape))


@attrs.frozen
class Counting:
    """A session that adds its number, and says how large the first value is."""

    number: int
    fails: bool = False

    def run(self, inputs):
        if self.fails:
            raise OSError("no memory")
        values = inputs[f"h{self.number}"] + self.number + 1
        return {f"h{self.number + 1}": values, f"sure{self.number}": values[:, 0]}


def pipeline_of(stages, cuts, exits):
    """Build a pipeline of counting stages; *exits* are thresholds by stage."""
    made = []
    for number in range(stages):
        outputs = [spec(f"h{number + 1}", WIDTH), spec(f"sure{number}")]
        leaves = None
        if number in exits and number < stages - 1:
            leaves = Exit(
                condition=f"sure{number}", answer=[f"h{number + 1}"], threshold=exits[number]
            )
        made.append(
            Stage(format="x", inputs=[spec(f"h{number}", WIDTH)], outputs=outputs, exit=leaves)
        )
    return Pipeline(model="m", variant="v", stages=made, outputs=[f"h{stages}"], cuts=sorted(cuts))


MODEL = Model(
    name="m",
    summary="Counts.",
    build=print,
    decode=lambda payload, _: np.frombuffer(payload, np.float32),
    preprocess=lambda row, _: {"h0": row[None]},
    postprocess=lambda outputs, _: next(iter(outputs.values()))[0],
    encode=lambda row: row.tobytes(),
)


def piece_of(pipeline, number, fails=()):
    stages = [
        OpenStage.of(at, pipeline.stages[at], Counting(at, at in fails))
        for at in pipeline.pieces[number]
    ]
    return Piece(pipeline=pipeline, number=number, stages=stages, model=MODEL, variant="v")


@contextmanager
def chain(pieces):
    """Run a host for each piece (None for one that relays), and give the driver's connection."""
    with ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        endpoint, orders, threads = None, [], []
        for place, piece in reversed(list(enumerate(pieces))):
            previous = socket(context, zmq.ROUTER)
            number = previous.bind_to_random_port("tcp://127.0.0.1")
            following = connect(context, endpoint, ("downlink", 0)) if endpoint else None
            order, heard = socket(context, zmq.PAIR), socket(context, zmq.PAIR)
            order.bind(f"inproc://{place}")
            heard.connect(f"inproc://{place}")
            host = HostProcess(
                name=f"tier-{place}",
                controller=Controller(heard),
                previous=Port(socket=previous, phase=("transfer", place)),
                following=following,
                piece=piece,
            )
            threads.append(threading.Thread(target=host.serve))
            threads[-1].start()
            orders.append(order)
            for one in (previous, order, heard, *([following.socket] if following else [])):
                stack.callback(one.close)
            endpoint = f"tcp://127.0.0.1:{number}"
        port = connect(context, endpoint, ("local-hop", 0))
        port.socket.setsockopt(zmq.RCVTIMEO, 20_000)
        stack.callback(port.socket.close)
        try:
            yield port
        finally:
            for order in orders:
                order.send(json.dumps({"verb": "report"}).encode())
            for thread in threads:
                thread.join()


def expected(pipeline, row):
    """Return the answer to one row, worked out without batches, hosts or wires."""
    values = np.asarray(row, np.float32)
    for number, stage in enumerate(pipeline.stages):
        values = values + np.float32(number + 1)
        if stage.exit is not None and values[0] >= stage.exit.threshold:
            return values
    return values


def payloads(first):
    return [np.asarray([value, 0, -1], np.float32) for value in first]


@st.composite
def deployments(draw):
    stages = draw(st.integers(1, 4))
    cuts = draw(st.sets(st.integers(1, 3), max_size=3))
    exits = draw(st.dictionaries(st.integers(0, 3), st.integers(-5, 15), max_size=3))
    pipeline = pipeline_of(stages, {cut for cut in cuts if cut < stages}, exits)
    pieces = [piece_of(pipeline, number) for number in range(len(pipeline.pieces))]
    hosts = []
    for piece in pieces:
        hosts += [None] * draw(st.integers(0, 1)) + [piece]
    batch = draw(st.lists(st.integers(-8, 12), min_size=1, max_size=5))
    return pipeline, hosts, batch


@settings(max_examples=60)
@given(deployments(), st.booleans())
def test_every_chain_of_hosts_answers_as_one_alone(deployment, raw):
    pipeline, hosts, batch = deployment
    batch_payloads = payloads(batch)
    wanted = np.stack([expected(pipeline, row) for row in batch_payloads])
    body = [row.tobytes() for row in batch_payloads]
    with chain(hosts) as port:
        port.send(Message(kind=Kind.REQUEST, raw=raw, samples=len(body), body=body))
        answer = port.receive(now()).message
    assert answer.kind is (Kind.TENSORS if raw else Kind.ANSWER)
    got = b"".join(bytes(part) for part in answer.body)
    np.testing.assert_array_equal(np.frombuffer(got, np.float32).reshape(wanted.shape), wanted)
    assert answer.samples == len(batch)
    left = sum(mark.value for mark in answer.marks if mark.name.startswith("exited"))
    last = len(pipeline.stages) * (len(pipeline.stages) + 1) / 2
    assert left >= sum(
        row[0] != want[0] - last for row, want in zip(batch_payloads, wanted, strict=True)
    )


@pytest.mark.parametrize("relays", [0, 1, 2])
def test_each_hop_of_the_way_is_noted(relays):
    pipeline = pipeline_of(2, {1}, {})
    hosts = [piece_of(pipeline, 0), *[None] * relays, piece_of(pipeline, 1)]
    with chain(hosts) as port:
        answered = Driver(port=port).send_request(1, [payloads([1])[0].tobytes()])
    names = [mark.name for mark in answered.marks]
    assert [name for name in names if name.startswith("transfer")] == [
        f"transfer-{place}" for place in range(len(hosts))
    ]
    assert names.count("downlink") == len(hosts) - 1
    assert names.count("local-hop") == 1
    assert sum(mark.value for mark in answered.marks) <= answered.latency


def test_the_phases_of_a_chain_explain_its_latency():
    pipeline = pipeline_of(3, {1, 2}, {})
    hosts = [piece_of(pipeline, 0), None, piece_of(pipeline, 1), piece_of(pipeline, 2)]
    with chain(hosts) as port:
        driver = Driver(port=port)
        lost = []
        for request in range(40):
            answered = driver.send_request(request, [payloads([1])[0].tobytes()])
            noted = sum(mark.value for mark in answered.marks)
            lost.append((answered.latency - noted) / answered.latency)
    assert 0 <= np.median(lost) < 0.25


def test_an_error_beyond_relays_comes_back_with_its_place():
    pipeline = pipeline_of(2, {1}, {})
    hosts = [piece_of(pipeline, 0), None, piece_of(pipeline, 1, fails={1})]
    with chain(hosts) as port:
        driver = Driver(port=port)
        for request in range(2):
            with pytest.raises(RequestFailed, match="^OSError: no memory on tier-2 in stage 1$"):
                driver.send_request(request, [payloads([1])[0].tobytes()])


def test_an_error_does_not_swallow_the_answers_of_others():
    pipeline = pipeline_of(2, {1}, {0: 0})
    hosts = [piece_of(pipeline, 0), piece_of(pipeline, 1, fails={1})]
    with chain(hosts) as port:
        driver = Driver(port=port)
        with pytest.raises(RequestFailed, match="tier-1 in stage 1"):
            driver.send_request(1, [row.tobytes() for row in payloads([5, -5])])
        # All leave at the first stage, so the second is not asked.
        assert (
            driver.send_request(2, [row.tobytes() for row in payloads([5, 6])]).size
            == 2 * 4 * WIDTH
        )


def test_requests_that_overlap_are_answered_each_on_its_own():
    pipeline = pipeline_of(2, {1}, {0: 3})
    hosts = [piece_of(pipeline, 0), piece_of(pipeline, 1)]
    wanted = {}
    with chain(hosts) as port:
        for request in range(8):
            batch = payloads([request, -request])
            wanted[request] = [expected(pipeline, row).tobytes() for row in batch]
            body = [row.tobytes() for row in batch]
            port.send(Message(kind=Kind.REQUEST, request=request, samples=2, body=body))
        for _ in range(8):
            answer = port.receive(now()).message
            assert [bytes(part) for part in answer.body] == wanted.pop(answer.request)
    assert wanted == {}


def test_what_the_driver_sent_and_got_is_counted_in_bytes():
    pipeline = pipeline_of(1, set(), {})
    with chain([piece_of(pipeline, 0)]) as port:
        driver = Driver(port=port)
        for request, count in enumerate([1, 3]):
            driver.send_request(request, [row.tobytes() for row in payloads(range(count))])
    assert driver.forward.tolist() == driver.backward.tolist() == [12, 36]
