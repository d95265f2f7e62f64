"""The two ends of a connection on loopback."""

import pytest
import zmq

from edgebench.measure.transport.pace import Pace, now
from edgebench.measure.transport.port import ZERO_COPY_BYTES, Port, Refused, connect, socket
from edgebench.measure.transport.wire import CODES, Kind, Mark, Message

from ..conftest import frames_of

SECOND = 10**9


@pytest.fixture
def context():
    with zmq.Context() as context:
        yield context


@pytest.fixture
def pair(context):
    """Return what makes the ends of a connection, the bound one paced."""
    opened = []

    def make(pace=None):
        bound = socket(context, zmq.ROUTER)
        number = bound.bind_to_random_port("tcp://127.0.0.1")
        far = connect(context, f"tcp://127.0.0.1:{number}", ("downlink", 0))
        opened.extend([bound, far.socket])
        for one in opened:
            one.setsockopt(zmq.RCVTIMEO, 20_000)
        return Port(socket=bound, phase=("transfer", 2), pace=pace), far

    yield make
    for one in opened:
        one.close()


def test_a_message_says_when_it_was_sent_and_by_whom(pair):
    near, far = pair()
    sent = far.send(Message(kind=Kind.REQUEST, request=7, samples=1, body=[b"abc"]))
    arrival = near.receive(now())
    assert arrival.message.sent == sent
    assert bytes(arrival.message.body[0]) == b"abc"
    near.send(Message(kind=Kind.ANSWER, request=7), arrival.peer)
    assert far.receive(now()).message.request == 7


def test_answers_go_to_the_peer_that_asked(pair, context):
    near, far = pair()
    endpoint = far.socket.getsockopt(zmq.LAST_ENDPOINT).decode().rstrip("\0")
    other = connect(context, endpoint, ("downlink", 0))
    with other.socket:
        other.socket.setsockopt(zmq.RCVTIMEO, 20_000)
        other.send(Message(kind=Kind.PROBE, request=1))
        stranger = near.receive(now())
        far.send(Message(kind=Kind.PROBE, request=2))
        ours = near.receive(now())
        near.send(Message(kind=Kind.ECHO, request=2), ours.peer)
        near.send(Message(kind=Kind.ECHO, request=1), stranger.peer)
        assert far.receive(now()).message.request == 2
        assert other.receive(now()).message.request == 1


def test_the_way_is_counted_as_the_hop_says(pair):
    near, far = pair()
    far.send(Message(kind=Kind.PROBE))
    arrival = near.receive(now() - SECOND)
    assert near.mark_way(arrival) == Mark(
        CODES["transfer"], 2, arrival.delivered - arrival.message.sent
    )


def test_without_a_pace_a_message_is_there_when_it_comes(pair):
    near, far = pair()
    sent = far.send(Message(kind=Kind.PROBE, body=[bytes(100_000)]))
    assert sent < near.receive(sent).delivered < now()


@pytest.mark.parametrize("size", [1_000, 32_000, 100_000, 800_000])
def test_a_paced_message_is_held_for_as_long_as_its_link_takes(pair, size):
    rate, delay = 200e6, 2e-3
    near, far = pair(Pace(rate=rate, delay=delay))
    sent = far.send(Message(kind=Kind.PROBE, body=[bytes(size)]))
    arrival = near.receive(sent)
    # In whole nanoseconds, as clocks and paces count: as a float it may lie just above them.
    theory = round((size * 8 / rate + delay) * 1e9)
    assert theory <= arrival.delivered - sent
    assert now() >= arrival.delivered


def test_a_link_that_is_busy_keeps_the_next_message_waiting(pair):
    near, far = pair(Pace(rate=80e6))
    first = far.send(Message(kind=Kind.PROBE, body=[bytes(50_000)]))
    far.send(Message(kind=Kind.PROBE, body=[bytes(50_000)]))
    near.receive(first)
    # Each takes five milliseconds of the link.
    assert near.receive(first).delivered >= first + 10_000_000


def test_only_the_body_is_charged(pair):
    near, far = pair(Pace(rate=1.0))
    marks = [Mark(0, 0, 1)] * 100
    sent = far.send(Message(kind=Kind.REQUEST, marks=marks, body=[]))
    # At one bit a second, a charged header would never arrive.
    assert near.receive(sent).delivered < sent + SECOND


def test_what_was_due_while_the_reader_was_busy_waited_in_its_queue(pair):
    near, far = pair(Pace(rate=1e9, delay=1e-3))
    sent = far.send(Message(kind=Kind.PROBE))
    assert near.receive(ready=sent + SECOND).delivered == sent + 1_000_000
    near, far = pair()
    sent = far.send(Message(kind=Kind.PROBE))
    assert near.receive(ready=sent + SECOND).delivered == sent


def test_a_refused_message_says_whose_it_was(pair):
    near, far = pair()
    far.socket.send_multipart([b"nonsense"])
    with pytest.raises(Refused, match="without a header") as refused:
        near.receive(now())
    near.send(Message(kind=Kind.ERROR, body=[b"no"]), refused.value.peer)
    assert far.receive(now()).message.kind is Kind.ERROR


def test_a_refused_message_does_not_keep_the_link_busy(pair):
    near, far = pair(Pace(rate=8.0))
    message = Message(kind=Kind.PROBE, body=[bytes(1000)])
    far.socket.send_multipart(frames_of(message, now() + 3600 * SECOND))
    with pytest.raises(Refused, match="in the future"):
        near.receive(now())
    sent = far.send(Message(kind=Kind.PROBE))
    assert near.receive(sent).delivered < sent + SECOND


@pytest.mark.parametrize("raw", [False, True])
def test_large_frames_arrive_whole_copied_or_not(pair, raw):
    near, far = pair()
    body = bytes(range(256)) * (ZERO_COPY_BYTES // 256 + 1)
    far.send(Message(kind=Kind.REQUEST, raw=raw, samples=1, body=[body]))
    assert bytes(near.receive(now()).message.body[0]) == body


def test_what_is_sent_raw_may_be_written_over_at_once(pair):
    near, far = pair()
    body = bytearray(b"a" * 4 * ZERO_COPY_BYTES)
    far.send(Message(kind=Kind.REQUEST, raw=True, samples=1, body=[body]))
    body[:] = b"b" * len(body)
    assert set(bytes(near.receive(now()).message.body[0])) == {ord("a")}
