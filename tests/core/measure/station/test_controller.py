import json
import threading

import pytest
import zmq

from edgebench import CaseFailed
from edgebench.measure.station.controller import Controller
from edgebench.measure.station.orders import Order


@pytest.fixture
def connection():
    """Give what a process knows of its controller, and the controller.s own end."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as end:
        end.setsockopt(zmq.RCVTIMEO, 20_000)
        number = end.bind_to_random_port("tcp://127.0.0.1")
        order = Order(name="host x", tier="x", controller=f"tcp://127.0.0.1:{number}", parent=0)
        controller = Controller.connect(context, order)
        with controller.socket:
            yield controller, end


def test_the_controller_knows_a_process_by_the_name_that_it_gave(connection):
    controller, end = connection
    controller.tell("hello", {"endpoint": "here"}, b"raw", b"more")
    name, document, *raw = end.recv_multipart()
    assert name == b"host x"
    assert json.loads(document) == {"verb": "hello", "endpoint": "here"}
    assert raw == [b"raw", b"more"]
    end.send_multipart([name, b'{"verb": "go"}'])
    assert controller.hear() == {"verb": "go"}


def test_the_cases_own_fault_is_told_before_the_end(connection):
    controller, end = connection

    def fail():
        with pytest.raises(CaseFailed), controller.report_faults("host x: "):
            raise CaseFailed("no such device")

    thread = threading.Thread(target=fail)
    thread.start()
    name, document = end.recv_multipart()
    assert json.loads(document) == {"verb": "failed", "reason": "host x: no such device"}
    end.send_multipart([name, b"{}"])
    thread.join(20)
    assert not thread.is_alive()


def test_a_fault_of_ours_is_left_to_its_traceback(connection):
    controller, end = connection
    with pytest.raises(ZeroDivisionError), controller.report_faults("host x: "):
        raise ZeroDivisionError
    assert end.poll(50) == 0
