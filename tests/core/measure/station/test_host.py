"""A real host: what it refuses, what it lives through, what it imports."""

import itertools
import os
import socket as plain
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebench import Link
from edgebench.measure.stand.launch import HOST_MODULE
from edgebench.measure.stand.lineup import Lineup
from edgebench.measure.stand.processes import Processes
from edgebench.measure.station import speed
from edgebench.measure.station.driver import Driver, RequestFailed
from edgebench.measure.station.host import HostProcess
from edgebench.measure.station.orders import HostOrder
from edgebench.measure.transport.pace import Pace, now
from edgebench.measure.transport.port import Port, connect, socket
from edgebench.measure.transport.wire import (
    INSTANT,
    MAGIC,
    MAX_FRAME,
    MAX_MARKS,
    SENT_AT,
    Kind,
    Mark,
    Message,
    Shaped,
)

from ..conftest import frames_of

NAME = "host mobile"


@pytest.fixture
def running(deploy, fabric):
    """Give what runs the host of a tier, and a connection to it."""

    @contextmanager
    def start(placement="mobile", tier="mobile", **changes):
        deployment = deploy(placement, **changes)
        with (
            fabric.open(deployment.tiers, deployment.case.links) as hosts,
            Processes.open(deployment.scratch, 60) as processes,
            zmq.Context() as context,
        ):
            lineup = Lineup(deployment, hosts, shaped=False)
            orders = {node.tier: order for node, order in lineup.host_orders(processes.endpoint)}
            order = orders[tier]
            processes.start(hosts[tier], HOST_MODULE, order)
            endpoint = processes.hear("hello", [order.name])[order.name].values["endpoint"]
            if not order.last:
                processes.tell(order.name, {"following": "tcp://127.0.0.1:9"})
            processes.hear("ready", [order.name])
            port = connect(context, endpoint, ("local-hop", 0), secret=processes.control.secret)
            port.socket.setsockopt(zmq.RCVTIMEO, 20_000)
            with port.socket:
                yield processes, port

    return start


@pytest.fixture
def payload(split):
    file = (split / "payloads.bin").read_bytes()
    return file[: len(file) // 24]


def refusal(port, *frames):
    """Send frames as they are, and return what is said in answer."""
    port.socket.send_multipart(list(frames))
    answer = port.receive(now()).message
    assert answer.kind is Kind.ERROR
    return str(answer.body[0], "utf-8")


def test_malformed_messages_are_refused_and_the_host_lives_on(running, payload):
    with running() as (processes, port):
        good = frames_of(Message(kind=Kind.REQUEST, samples=1, body=[payload]))
        for frames, said in [
            ([b"GET / HTTP/1.1"], "without a header"),
            ([b"HTTP" + good[0][4:], good[1]], "begins with b'HTTP'"),
            ([MAGIC + b"\x09" + good[0][5:], good[1]], "of version 9"),
            (good[:1], "0 frames in place of the 1 announced"),
            ([good[0], good[1] + b"more"], "in place of the"),
            (frames_of(Message(kind=Kind.ANSWER)), "answer is not for a host"),
            (frames_of(Message(kind=Kind.REQUEST)), "without a payload"),
            (
                frames_of(
                    Message(kind=Kind.TENSORS, tensors=[Shaped("h", "bool", ())], body=[b"x"])
                ),
                "tensors, where a request",
            ),
        ]:
            assert said in refusal(port, *frames)
        assert len(Driver(port=port).send_request(1, [payload]).marks) > 5
        assert processes.read_logs()[NAME].count("refused: ") == 8


@pytest.mark.parametrize(
    ("shaped", "samples", "said"),
    [
        (Shaped("other", "float32", (1, 4)), 1, r"the tensors ['other'], not ['h0']"),
        (Shaped("h0", "float64", (1, 4)), 1, "'h0' is float64 of shape (1, 4), not float32"),
        (Shaped("h0", "float32", (1, 5)), 1, "of shape (1, 5), not float32 of shape"),
        (Shaped("h0", "float32", (4,)), 4, "of shape (4,), not float32"),
        (Shaped("h0", "float32", (2, 4)), 3, "'h0' holds 2 samples, not the 3 announced"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(running, shaped, samples, said):
    with running("mobile-edge", "edge") as (_, port):
        message = Message(
            kind=Kind.TENSORS, samples=samples, tensors=[shaped], body=[bytes(shaped.size)]
        )
        assert said in refusal(port, *frames_of(message))
        good = Message(
            kind=Kind.TENSORS,
            samples=1,
            tensors=[Shaped("h0", "float32", (1, 4))],
            body=[np.ones((1, 4), np.float32)],
        )
        port.send(good)
        assert port.receive(now()).message.kind is Kind.ANSWER


def test_a_host_that_is_bombarded_still_answers(running, payload):
    with running() as (_, port):
        frames = frames_of(Message(kind=Kind.REQUEST, samples=1, body=[payload]))
        damaged = st.tuples(
            st.integers(0, len(frames) - 1), st.integers(0, 10_000), st.integers(1, 255)
        )

        @settings(max_examples=150, suppress_health_check=list(HealthCheck), database=None)
        @given(st.lists(st.binary(max_size=80), min_size=1, max_size=4) | damaged)
        def bombard(what):
            port.socket.send_multipart(what if isinstance(what, list) else broken(*what))
            port.receive(now())

        def broken(which, place, change):
            copies = [bytearray(frame) for frame in frames]
            copies[which][place % len(copies[which])] ^= change
            return copies

        bombard()
        assert Driver(port=port).send_request(2**40, [payload]).latency > 0


GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x05READY\x0bSocket-Type" + (6).to_bytes(4, "big") + b"DEALER"


def path_of(port):
    return port.socket.getsockopt_string(zmq.LAST_ENDPOINT).removeprefix("ipc://")


def read_until(raw, text):
    """Read from a connection until something came; an empty text stands for its end."""
    got = b""
    while piece := raw.recv(4096):
        got += piece
        if text and text in got:
            return
    assert not text, f"the connection ended before {text!r}"


def test_a_frame_beyond_the_limit_closes_the_connection_it_came_over_alone(running, payload):
    with running() as (processes, port):
        with plain.socket(plain.AF_UNIX) as raw:
            raw.settimeout(20)
            raw.connect(path_of(port))
            raw.sendall(GREETING + b"\x04" + bytes([len(READY)]) + READY)
            read_until(raw, b"READY")
            # A frame of one byte is read, and refused: it is a stranger's.
            raw.sendall(b"\x00\x01x")
            raw.sendall(b"\x02" + (MAX_FRAME + 1).to_bytes(8, "big") + b"x")
            read_until(raw, b"")
        assert Driver(port=port).send_request(1, [payload]).latency > 0
        assert processes.ask(NAME, "report").values["foreign"] == 1


def test_no_other_user_can_reach_a_host(running):
    with running() as (_, port):
        place = Path(path_of(port)).parent
        assert place.stat().st_mode & 0o777 == 0o700


STRANGER = """
import random, struct, sys, zmq
from edgebench.measure.transport.wire import HEADER, MARK, Kind, Message, pack
endpoint, count = sys.argv[1], int(sys.argv[2])
chance = random.Random(7)
context = zmq.Context()
socket = context.socket(zmq.DEALER)
socket.setsockopt(zmq.LINGER, 20_000)
socket.connect(endpoint)
[header] = pack(Message(kind=Kind.REQUEST))
early = header[:12] + struct.pack("<q", -2**63) + header[20:]
marks = bytearray(header + bytes(MARK.size * 1024))
HEADER.pack_into(marks, 0, b"EDGB", 1, 1, False, 7, 0, 0, 0, 1024, 0, 0)
for number in range(count):
    garbage = [chance.randbytes(chance.randrange(60)) for _ in range(chance.randrange(1, 4))]
    headed = bytearray(header)
    headed[chance.randrange(len(header))] = chance.randrange(256)
    socket.send_multipart(chance.choice([garbage, [headed], [early], [marks], [header]]))
socket.close()
# Only this waits for what is still to be sent; an end of the process would take it along.
context.term()
"""


@pytest.mark.parametrize(("placement", "tier"), [("mobile", "mobile"), ("mobile-cloud", "edge")])
def test_strangers_are_refused_and_counted(running, python, payload, placement, tier):
    with running(placement, tier) as (processes, port):
        python(STRANGER, port.socket.getsockopt_string(zmq.LAST_ENDPOINT), 300)
        # What the stranger wrote may still wait for the host to read it, one of it for each of ours:
        # serve until all has come.
        deadline = time.monotonic() + 20
        for number in itertools.count():
            if tier == "mobile":
                assert Driver(port=port).send_request(number, [payload]).latency > 0
            else:
                # Nobody comes after this relay here: a probe is answered by itself.
                port.send(Message(kind=Kind.PROBE, wanted=3))
                assert port.receive(now()).message.size == 3
            refused = processes.ask(f"host {tier}", "ping").values["foreign"]
            if refused == 300 or time.monotonic() > deadline:
                break
        assert processes.ask(f"host {tier}", "report").values["foreign"] == 300


def test_a_relay_refuses_what_it_could_not_pass_on(running, payload):
    with running("mobile-cloud", "edge") as (_, port):
        [header, body] = frames_of(Message(kind=Kind.REQUEST, samples=1, body=[payload]))
        early = header[:SENT_AT] + INSTANT.pack(-(2**63)) + header[SENT_AT + INSTANT.size :]
        assert "before the clock began" in refusal(port, early, body)
        # One of the last marks that are let in: the relay's own would be one too many.
        full = Message(
            kind=Kind.REQUEST, samples=1, body=[payload], marks=[Mark(0, 0, 1)] * MAX_MARKS
        )
        assert "1025 marks" in refusal(port, *frames_of(full))
        port.send(Message(kind=Kind.PROBE, wanted=3))
        assert port.receive(now()).message.size == 3


def test_a_message_from_the_future_holds_nothing_up(deploy, fabric, payload):
    deployment = deploy("mobile")
    with (
        fabric.open(deployment.tiers, ()) as hosts,
        Processes.open(deployment.scratch, 60) as processes,
        zmq.Context() as context,
    ):
        order = HostOrder(
            name=NAME,
            tier="mobile",
            controller=processes.endpoint,
            parent=os.getpid(),
            forward_link=Link(between=("mobile", "edge"), rate=1e9),
        )
        processes.start(hosts["mobile"], HOST_MODULE, order)
        endpoint = processes.hear("hello", [NAME])[NAME].values["endpoint"]
        port = connect(context, endpoint, ("downlink", 0), secret=processes.control.secret)
        port.socket.setsockopt(zmq.RCVTIMEO, 20_000)
        with port.socket:
            future = frames_of(Message(kind=Kind.PROBE), sent=now() + 3600 * 10**9)
            assert "sent in the future" in refusal(port, *future)
            port.send(Message(kind=Kind.PROBE, wanted=3))
            assert port.receive(now()).message.size == 3


def test_a_request_that_is_under_way_may_not_be_sent_again(running, payload):
    # Nobody listens where the next host should be, so the first stays under way.
    with running("mobile-edge", "mobile") as (_, port):
        frames = frames_of(Message(kind=Kind.REQUEST, request=5, samples=1, body=[payload]))
        port.socket.send_multipart(frames)
        assert "request 5 is under way already" in refusal(port, *frames)


def test_an_undecodable_payload_is_the_requests_own_fault(running, payload):
    with running() as (_, port):
        with pytest.raises(RequestFailed, match="on mobile in decode"):
            Driver(port=port).send_request(1, [b"no array"])
        assert Driver(port=port).send_request(2, [payload]).latency > 0


def test_the_raw_outputs_are_given_when_asked_for(running, payload, split):
    with running() as (_, port):
        port.send(Message(kind=Kind.REQUEST, raw=True, samples=1, body=[payload]))
        answer = port.receive(now()).message
        assert [tuple(tensor) for tensor in answer.tensors] == [("h0", "float32", (1, 4))]
        given_ = np.frombuffer(payload[-16:], np.float32)
        np.testing.assert_array_equal(np.frombuffer(answer.body[0], np.float32), given_ * 2)


@pytest.fixture
def list_imported(monkeypatch):
    """Return what lists the packages that a process has imported, as Python itself notes them."""
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")

    def read(processes, name):
        log = (processes.directory / name.replace(" ", "-") / "log").read_text()
        noted = [line for line in log.splitlines() if line.startswith("import time:")]
        return {line.rpartition("|")[2].strip().partition(".")[0] for line in noted}

    return read


def test_a_host_that_only_relays_imports_nothing_heavy(running, list_imported):
    with running("mobile-cloud", "edge") as (processes, _):
        processes.ask("host edge", "report")
        modules = list_imported(processes, "host edge")
    assert "zmq" in modules
    assert not modules & {"numpy", "torch", "onnxruntime", "openvino", "onnx", "PIL", "scipy"}
    assert "edgebench_plugins" not in modules


def test_a_host_that_computes_imports_no_framework_of_others(running, payload, list_imported):
    with running() as (processes, port):
        Driver(port=port).send_request(1, [payload])
        processes.ask(NAME, "report")
        modules = list_imported(processes, NAME)
    assert "numpy" in modules
    assert not modules & {"torch", "onnxruntime", "openvino", "onnx", "rich"}


def test_a_busy_reader_is_told_from_a_slow_way():
    with zmq.Context() as context, socket(context, zmq.DEALER) as near:
        number = near.bind_to_random_port("tcp://127.0.0.1")
        far = connect(context, f"tcp://127.0.0.1:{number}", ("downlink", 0))
        pace = Pace(rate=1e9, delay=1e-3)
        port = Port(socket=near, phase=("uplink", 0), pace=pace)
        with far.socket:
            sent = far.send(Message(kind=Kind.REQUEST))
            # It was due after a millisecond, and the reader had no time for it for ten.
            arrival = port.receive(sent + 10_000_000)
            assert arrival.delivered == sent + 1_000_000
            assert port.mark_way(arrival).value == 1_000_000
            sent = far.send(Message(kind=Kind.REQUEST))
            assert port.receive(sent).delivered >= sent + 1_000_000


def test_the_speed_is_taken_over_work_as_long_as_most_of_the_last_inferences(monkeypatch):
    asked, told = [], []
    monkeypatch.setattr(speed, "compare_speeds", lambda *words: asked.append(words) or {})
    host = HostProcess(
        name="edge",
        controller=SimpleNamespace(tell=lambda *words: told.append(words)),
        previous=None,
        piece=SimpleNamespace(slowdown=4.0),
    )
    # The first are long ago, and the very last was disturbed.
    host.inference.extend([90_000_000] * 20 + [5_000_000] * 9 + [700_000_000])
    assert host._obey({"verb": "speed"})
    assert asked == [(5e-3, 4.0)]
    assert told == [("speed", {"busy_threads": None})]
