import os
import subprocess
import sys
import threading

import psutil
import pytest

from edgebench.measure.station.own_process import first_cpu, last_cpus, read_peak_memory

BIND = """
import os, sys
from edgebench.measure.station.orders import Order
from edgebench.measure.station.own_process import bind_process
bind_process(Order(name="x", tier="", controller="", parent=int(sys.argv[1])), [int(sys.argv[2])])
"""


def run_bound(text, parent, cpu):
    argv = [sys.executable, "-c", BIND + text, str(parent), str(cpu)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.process
def test_a_process_stays_on_its_processors():
    cpu = max(os.sched_getaffinity(0))
    done = run_bound("print(sorted(os.sched_getaffinity(0)))", os.getpid(), cpu)
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
    assert run_bound(text, os.getpid(), cpu).stdout.strip() == f"[{cpu}]"


@pytest.mark.process
def test_a_process_does_not_start_for_a_controller_that_is_gone():
    # No process has a number beyond the greatest.
    done = run_bound("print('lives')", 99_999_999, 0)
    assert done.returncode != 0
    assert "ProcessLookupError" in done.stderr
    assert "lives" not in done.stdout


@pytest.mark.process
def test_a_process_dies_with_the_thread_that_started_it():
    children = []

    def start():
        argv = [sys.executable, "-c", BIND + "print('up', flush=True); sys.stdin.read()"]
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
    here = read_peak_memory()
    assert here >= psutil.Process().memory_info().rss * 0.5
    text = "from edgebench.measure.station.own_process import read_peak_memory; print(read_peak_memory())"
    ballast = bytearray(os.urandom(1)) * (300 * 2**20)
    argv = [sys.executable, "-c", text]
    child = int(subprocess.run(argv, capture_output=True, check=True).stdout)
    assert len(ballast) > child
