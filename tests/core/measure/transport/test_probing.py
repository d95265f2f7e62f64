import math
import threading

import pytest
import zmq

from edgebench import Link
from edgebench.measure.transport.pace import Pace
from edgebench.measure.transport.port import Port, connect, socket
from edgebench.measure.transport.probing import TIMES, UNKNOWN_BYTES, probe
from edgebench.measure.transport.wire import Kind, Message

LINK = Link(between=("mobile", "edge"), rate=8e6, delay=1e-3)


@pytest.fixture
def ends():
    """Give the two ends of a paced link, the farther answering probes."""
    with zmq.Context() as context:
        far_socket = socket(context, zmq.ROUTER)
        number = far_socket.bind_to_random_port("tcp://127.0.0.1")
        far = Port(
            socket=far_socket, phase=("uplink", 0), pace=Pace(rate=LINK.rate, delay=LINK.delay)
        )
        near = connect(context, f"tcp://127.0.0.1:{number}", ("downlink", 0))
        asked = []

        def echo():
            while (arrival := far.receive(0)).message.kind is Kind.PROBE:
                asked.append((arrival.message.size, arrival.message.wanted))
                far.send(
                    Message(kind=Kind.ECHO, body=[bytes(arrival.message.wanted)]), arrival.peer
                )

        thread = threading.Thread(target=echo)
        thread.start()
        yield near, asked
        near.send(Message(kind=Kind.ANSWER))
        thread.join()
        near.socket.close()
        far_socket.close()


def test_a_link_is_probed_each_way_with_the_sizes_seen(ends):
    near, asked = ends
    seen = probe(near, [9_000, 10_000, 11_000], [500], LINK.rate)
    assert set(asked) == {(0, 0), (10_000, 0), (0, 500)}
    assert seen["forward"]["bytes"] == 10_000
    # What is sent is held for at least as long as the link takes, and the reply is not paced here.
    assert seen["forward"]["seconds"] >= 11e-3
    assert 1e-3 <= seen["round_trip"] < seen["forward"]["seconds"]


def test_where_nothing_was_sent_yet_a_small_message_stands_for_it(ends):
    near, asked = ends
    probe(near, [], [], LINK.rate)
    assert set(asked) == {(0, 0), (UNKNOWN_BYTES, 0), (0, UNKNOWN_BYTES)}


def test_long_messages_are_sent_once(ends):
    near, asked = ends
    probe(near, [300_000], [], LINK.rate)
    assert asked.count((300_000, 0)) == 1
    assert list(TIMES)[-1] == math.inf
