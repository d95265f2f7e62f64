import json
import os
import subprocess
import sys
import threading

import psutil
import pytest
import zmq

from edgebench import CaseFailed
from edgebench.measure.station.controller import Control, first_cpu, last_cpus, peak_memory
from edgebench.measure.station.orders import Order

SETTLE = """
import os, sys
from edgebench.measure.station.orders import Order
from edgebench.measure.station.controller import settle
settle(Order(name="x", tier="", control="", parent=int(sys.argv[1])), [int(sys.argv[2])])
"""


def settled(text, parent, cpu):
    argv = [sys.executable, "-c", SETTLE + text, str(parent), str(cpu)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.process
def test_a_worker_stays_on_its_processors():
    cpu = max(os.sched_getaffinity(0))
    done = settled("print(sorted(os.sched_getaffinity(0)))", os.getpid(), cpu)
    assert done.stdout.strip() == f"[{cpu}]"


@pytest.mark.process
def test_threads_that_it_starts_stay_there_too():
    cpu = min(os.sched_getaffinity(0))
    text = (
        "import threading\n"
        "seen = []\n"
        "thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))\n"
        "thread.start(); thread.join(); print(sorted(seen[0]))"
    )
    assert settled(text, os.getpid(), cpu).stdout.strip() == f"[{cpu}]"


@pytest.mark.process
def test_a_worker_does_not_start_for_a_controller_that_is_gone():
    # No process has a number beyond the greatest.
    done = settled("print('lives')", 99_999_999, 0)
    assert done.returncode != 0
    assert "ProcessLookupError" in done.stderr
    assert "lives" not in done.stdout


@pytest.mark.process
def test_a_worker_dies_with_the_thread_that_started_it():
    children = []

    def start():
        argv = [sys.executable, "-c", SETTLE + "print('up', flush=True); sys.stdin.read()"]
        process = subprocess.Popen(
            [*argv, str(os.getpid()), "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        process.stdout.readline()
        children.append(process)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    with children[0] as process:
        assert process.wait(20) == -9


def test_carriers_and_computers_are_kept_apart(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {7, 3, 5, 1})
    assert list(first_cpu()) == [1]
    assert list(last_cpus(1)) == [7]
    assert list(last_cpus(2)) == [5, 7]
    # More threads than processors: all of them.
    assert list(last_cpus(9)) == [1, 3, 5, 7]


@pytest.mark.process
def test_the_peak_is_this_processs_own():
    here = peak_memory()
    assert here >= psutil.Process().memory_info().rss * 0.5
    text = "from edgebench.measure.station.controller import peak_memory; print(peak_memory())"
    ballast = bytearray(os.urandom(1)) * (300 * 2**20)
    argv = [sys.executable, "-c", text]
    child = int(subprocess.run(argv, capture_output=True, check=True).stdout)
    assert len(ballast) > child


@pytest.fixture
def control():
    """Give a worker's control, and the controller's end of it."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as end:
        end.setsockopt(zmq.RCVTIMEO, 20_000)
        number = end.bind_to_random_port("tcp://127.0.0.1")
        order = Order(name="host x", tier="x", control=f"tcp://127.0.0.1:{number}", parent=0)
        control = Control.connect(context, order)
        with control.socket:
            yield control, end


def test_the_controller_knows_a_worker_by_the_name_that_it_gave(control):
    worker, end = control
    worker.say("hello", {"endpoint": "here"}, b"raw", b"more")
    name, document, *raw = end.recv_multipart()
    assert name == b"host x"
    assert json.loads(document) == {"verb": "hello", "endpoint": "here"}
    assert raw == [b"raw", b"more"]
    end.send_multipart([name, b'{"verb": "go"}'])
    assert worker.hear() == {"verb": "go"}


def test_the_cases_own_fault_is_told_before_the_end(control):
    worker, end = control

    def fail():
        with pytest.raises(CaseFailed), worker.telling("host x: "):
            raise CaseFailed("no such device")

    thread = threading.Thread(target=fail)
    thread.start()
    name, document = end.recv_multipart()
    assert json.loads(document) == {"verb": "failed", "reason": "host x: no such device"}
    end.send_multipart([name, b"{}"])
    thread.join(20)
    assert not thread.is_alive()


def test_a_fault_of_ours_is_left_to_its_traceback(control):
    worker, end = control
    with pytest.raises(ZeroDivisionError), worker.telling("host x: "):
        raise ZeroDivisionError
    assert end.poll(50) == 0
