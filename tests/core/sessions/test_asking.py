"""Backends are asked in processes of their own, which may end in any way."""

from __future__ import annotations

import subprocess
import sys
import time
from textwrap import dedent

import psutil
import pytest

from edgebench.cases.usable import Usability
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.places import HostFacts
from edgebench.sessions import asking
from edgebench.sessions.asking import ask_in_processes
from edgebench.store.scratch import clear_up

from ..waiting import wait_for

HOSTS = {
    "mobile": HostFacts(tier="mobile", cpus=1, memory=1),
    "edge": HostFacts(tier="edge", cpus=2, memory=1),
}
ODD = """
    import os, pathlib, subprocess, sys, time
    from edgebench import Backend, hookimpl

    def leave(facts, device):
        print("going", flush=True)
        os._exit(3)

    def raise_error(facts, device):
        raise RuntimeError("no driver")

    def abort(facts, device):
        os.abort()

    def sleep(facts, device):
        time.sleep(600)

    def litter(facts, device):
        here = pathlib.Path(__file__).parent
        (here / "asker").write_text(str(os.getpid()))
        one = subprocess.Popen(["sleep", "600"])
        other = subprocess.Popen(["sleep", "600"], start_new_session=True)
        (here / "children.tmp").write_text(f"{one.pid} {other.pid}")
        (here / "children.tmp").rename(here / "children")
        time.sleep(600)

    def linger(facts, device):
        import atexit, threading

        print("half a line", end="")
        atexit.register(time.sleep, 600)
        threading.Thread(target=time.sleep, args=[600]).start()
        subprocess.Popen(["sleep", "600"], start_new_session=True)
        return True

    def refuse(facts, device):
        print("a banner", flush=True)
        return facts.cpus > 1 or f"{device} of {facts.tier} is too small"

    @hookimpl
    def edgebench_backends():
        for usable in (leave, raise_error, abort, sleep, litter, linger, refuse):
            yield Backend(name=usable.__name__.replace("_", "-"), summary="Odd.", open=print,
                          formats=["toy-matrix"], usable=usable, devices=lambda: ("npu", "cpu"))
"""


@pytest.fixture
def usability(registry, tmp_path):
    tmp_path.joinpath("odd.py").write_text(dedent(ODD))
    plugins = Plugins.load(registry, [tmp_path / "odd.py"])
    return Usability(plugins, HOSTS, ask_in_processes)


@pytest.mark.process
def test_a_backend_answers_for_each_device_and_tier(usability):
    usability.ask([("refuse", ""), ("refuse", "cpu"), ("refuse", "gpu")])
    assert usability.devices("refuse") == ("npu", "cpu")
    assert usability.why_not("refuse", "", "mobile") == "npu of mobile is too small"
    assert usability.why_not("refuse", "cpu", "mobile") == "cpu of mobile is too small"
    assert usability.why_not("refuse", "cpu", "edge") is None
    said = "has no device 'gpu' here; it has npu, cpu"
    assert usability.why_not("refuse", "gpu", "edge") == said


@pytest.mark.process
def test_a_backend_may_say_why_it_has_no_such_device(usability):
    usability.ask([("refuse", "gpu"), ("raise-error", "gpu")])
    assert usability.why_not("refuse", "gpu", "mobile") == "gpu of mobile is too small"
    said = "has no device 'gpu' here; it has npu, cpu"
    assert usability.why_not("raise-error", "gpu", "mobile") == said


@pytest.mark.process
def test_whatever_becomes_of_one_process_the_others_answer(usability, tmp_path):
    usability.ask([("leave", ""), ("raise-error", ""), ("abort", ""), ("refuse", "")])
    for name, why in (
        ("leave", "it ended with status 3"),
        ("raise-error", "RuntimeError: no driver"),
        ("abort", "it was killed by SIGABRT"),
    ):
        said = usability.why_not(name, "", "mobile")
        assert said == f"asking backend {name} ({tmp_path}/odd.py) failed: {why}"
    assert usability.why_not("refuse", "", "edge") is None
    assert usability.devices("leave") == ()


@pytest.mark.process
def test_what_a_backend_would_do_at_its_end_is_not_waited_for(usability):
    begin = time.monotonic()
    assert usability.why_not("linger", "", "edge") is None
    assert time.monotonic() - begin < asking.LIMIT_S / 2


@pytest.mark.process
def test_a_backend_that_does_not_answer_is_not_waited_for(usability, monkeypatch, tmp_path):
    monkeypatch.setattr(asking, "LIMIT_S", 0.0)
    said = usability.why_not("sleep", "", "edge")
    assert said == f"backend sleep ({tmp_path}/odd.py) did not say within 0 s whether it is usable"


@pytest.mark.process
def test_what_a_backend_started_does_not_outlive_the_question(usability, tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "LIMIT_S", 5.0)
    assert "did not say within 5 s" in usability.why_not("litter", "", "edge")
    for pid in (tmp_path / "children").read_text().split():
        wait_for_end(int(pid))


@pytest.mark.process
def test_no_question_outlives_a_controller_that_is_killed(tmp_path, toy):
    (tmp_path / "odd.py").write_text(dedent(ODD))
    words = ["plan", "--plugin", toy, "--plugin", "odd.py", "--model", "toy", "--backend", "litter"]
    controller = subprocess.Popen([sys.executable, "-m", "edgebench", *words], cwd=tmp_path)
    wait_for(tmp_path / "children", controller)
    asker = int((tmp_path / "asker").read_text())
    controller.kill()
    controller.wait()
    wait_for_end(asker)
    clear_up()
    for pid in (tmp_path / "children").read_text().split():
        wait_for_end(int(pid))


def wait_for_end(pid):
    """A child that was killed may lie there until its new parent has taken note."""
    end = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.02)
