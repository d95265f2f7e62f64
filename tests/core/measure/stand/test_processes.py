import os
import tempfile
import time
import traceback
from pathlib import Path

import pytest
import zmq

from edgebench.measure.stand.process import find_reason
from edgebench.measure.stand.processes import Processes, ProcessFailed, TimedOut
from edgebench.measure.station.orders import Order
from edgebench.store.owners import identify_owner


@pytest.fixture
def start_process(tmp_path, monkeypatch, fabric, deploy):
    """Give what starts a module of a few lines as a process of a block."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    deployment = deploy("mobile")

    def start(processes, name, text):
        module = name.replace(" ", "_")
        (tmp_path / f"{module}.py").write_text(text)
        with fabric.open(deployment.tiers, ()) as hosts:
            # A host outlives its fabric here, and is ended by `Processes` alone.
            unbound = hosts["mobile"].__class__(
                tier=hosts["mobile"].tier, threads=1, slowdown=1.0, cpu="", memory=None
            )
        order = Order(name=name, tier="mobile", controller=processes.endpoint, parent=0)
        processes.start(unbound, module, order)

    return start


@pytest.fixture
def processes(tmp_path):
    with Processes.open(tmp_path, 20) as processes:
        yield processes


TALK = """
import json, sys, zmq, time
from edgebench.measure.station.orders import Order
from edgebench.measure.station.controller import Controller
document = json.load(open(sys.argv[1]))
controller = Controller.connect(zmq.Context(), Order(name=document["name"], tier="", parent=0,
                                               controller=document["controller"],
                                               secret=document["secret"]))
"""


def test_a_process_is_asked_and_answers_with_values_and_bytes(processes, start_process):
    start_process(
        processes,
        "one",
        TALK + "heard = {'verb': 'hello'}\n"
        "while True:\n"
        "    controller.tell(heard['verb'], {'twice': heard.get('number', 0) * 2}, b'raw')\n"
        "    heard = controller.hear()\n",
    )
    processes.hear("hello", ["one"])
    reply = processes.ask("one", "double", number=21)
    assert reply.values == {"twice": 42}
    assert list(reply.raw) == [b"raw"]


def test_what_its_libraries_start_finds_no_module_of_the_working_directory(
    processes, start_process, tmp_path, monkeypatch
):
    folder = tmp_path / "cloned"
    folder.mkdir()
    (folder / "ctypes.py").write_text("open('harm', 'w').close()\n")
    monkeypatch.chdir(folder)
    asks = "import subprocess; subprocess.run([sys.executable, '-c', 'import ctypes'])\n"
    start_process(processes, "one", TALK + asks + "controller.tell('hello', {}); controller.hear()")
    processes.hear("hello", ["one"])
    assert not (folder / "harm").exists()


def test_several_processes_are_heard_in_any_order(processes, start_process):
    for name, wait in (("one", 0.3), ("other", 0)):
        start_process(
            processes,
            name,
            TALK + f"time.sleep({wait}); controller.tell('hello', {{}}); controller.hear()",
        )
    assert set(processes.hear("hello", ["one", "other"])) == {"one", "other"}


def test_what_one_says_early_is_kept_until_it_is_asked_for(processes, start_process):
    say = "controller.tell('{}', {{}}); "
    start_process(
        processes, "quick", TALK + say.format("hello") + say.format("ready") + "controller.hear()"
    )
    slow = "time.sleep(0.5); " + say.format("hello") + say.format("ready") + "controller.hear()"
    start_process(processes, "slow", TALK + slow)
    assert set(processes.hear("hello", ["slow", "quick"])) == {"slow", "quick"}
    assert set(processes.hear("ready", ["slow", "quick"])) == {"slow", "quick"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ValueError('twelve\\nthirteen')", "one: ValueError: twelve"),
        ("import os; os.kill(os.getpid(), 9)", "one was killed by SIGKILL"),
        ("import os; os.abort()", "one was killed by SIGABRT"),
        ("print('cannot go on'); raise SystemExit(3)", "one: cannot go on"),
        ("raise SystemExit(3)", "one ended with status 3 and said nothing"),
        ("import nowhere_to_be_found", "one: ModuleNotFoundError: No module named"),
        (TALK + "controller.tell('failed', {'reason': 'no chip'}); controller.hear()", "no chip"),
        (
            TALK + "controller.tell('bye', {}); controller.hear()",
            "one said bye where hello was expected",
        ),
    ],
)
def test_how_a_process_ended_is_the_reason(processes, start_process, text, said):
    start_process(processes, "one", text)
    with pytest.raises(ProcessFailed) as failed:
        processes.hear("hello", ["one"])
    assert str(failed.value).startswith(said)


def test_any_process_ending_is_noticed_while_another_is_awaited(processes, start_process):
    start_process(processes, "one", TALK + "controller.hear()")
    start_process(processes, "other", "import time; time.sleep(0.2); raise OSError('gone')")
    with pytest.raises(ProcessFailed, match="other: OSError: gone"):
        processes.hear("hello", ["one"])


def test_what_was_said_before_the_end_counts(processes, start_process):
    start_process(
        processes,
        "one",
        TALK + "controller.tell('hello', {'last': 'words'}); controller.socket.close(1000)\n"
        "controller.socket.context.term()",
    )
    assert processes.hear("hello", ["one"])["one"].values == {"last": "words"}


def test_the_time_is_that_of_all_together(tmp_path, start_process):
    with Processes.open(tmp_path, 1.0) as processes:
        start_process(processes, "host x", TALK + "time.sleep(3600)")
        with pytest.raises(TimedOut) as late:
            processes.hear("ready", ["host x"])
        assert str(late.value) == (
            "no answer within 1 s (--time-limit), host x was silent: waited for host x to load"
        )


def ends(process, within_s=10.0):
    """Say whether a process ends: a busy machine takes its time to kill, and to bury."""
    deadline = time.monotonic() + within_s
    state = Path(f"/proc/{process}/stat")
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z":
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_grandchildren_are_ended_too(tmp_path, start_process):
    text = (
        "import subprocess, sys, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)'])\n"
    )
    with Processes.open(tmp_path, 20) as processes:
        start_process(
            processes,
            "one",
            text + TALK + "controller.tell('hello', {'child': child.pid}); controller.hear()",
        )
        child = processes.hear("hello", ["one"])["one"].values["child"]
        assert Path(f"/proc/{child}").exists()
    assert ends(child)


def test_what_leaves_its_session_is_ended_too(tmp_path, start_process):
    # As a server does that is to live on: another session, another parent, another working place.
    daemon = "import os, time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); "
    text = (
        "import subprocess, sys, pathlib\n"
        f"say = {daemon!r} + \"open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(3600)\"\n"
        f"file = pathlib.Path({str(tmp_path / 'pid')!r})\n"
        "subprocess.run([sys.executable, '-c', 'import sys;' + say, file], check=True)\n"
        "while not (file.exists() and file.read_text()): pass\n"
    )
    with Processes.open(tmp_path, 20) as processes:
        start_process(
            processes,
            "one",
            text + TALK + "controller.tell('hello', {'child': int(file.read_text())}); "
            "controller.hear()",
        )
        child = processes.hear("hello", ["one"])["one"].values["child"]
        assert os.getsid(child) != os.getsid(os.getpid())
    assert ends(child)


def test_strangers_cannot_talk_to_the_controller(processes, start_process):
    start_process(processes, "one", TALK + "controller.tell('hello', {}); controller.hear()")
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.setsockopt(zmq.ROUTING_ID, b"one")
        stranger.connect(processes.endpoint)
        for frames in ([b"garbage"], [b""], [b'{"verb": "failed", "reason": "no"}', b"\xff"]):
            stranger.send_multipart(frames)
        while processes.control.foreign < 3:
            processes._receive("all that was said")
        assert processes.hear("hello", ["one"])


def test_a_directory_with_a_long_path_is_no_place_for_sockets(tmp_path, monkeypatch):
    long = tmp_path.joinpath(*["a" * 40] * 3)
    long.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with Processes.open(tmp_path, 1) as processes:
        assert not processes.endpoint.startswith(f"ipc://{long}")


def test_the_log_keeps_the_end_of_what_was_printed(processes, start_process):
    start_process(
        processes,
        "one",
        "print('x' * 200_000 + 'end')\n" + TALK + "controller.tell('hello', {})\n"
        "sys.stdout.flush(); controller.tell('ready', {}); controller.hear()",
    )
    processes.hear("hello", ["one"])
    processes.hear("ready", ["one"])
    assert len(processes.read_logs()["one"]) == 64 * 1024
    assert processes.read_logs()["one"].endswith("xend\n")


def test_directories_of_controllers_that_are_gone_are_removed(tmp_path, monkeypatch):
    with tempfile.TemporaryDirectory() as private:
        monkeypatch.setattr(tempfile, "tempdir", private)
        # This process is not the one that had its number so long ago.
        place, pid, _ = identify_owner().split("-")
        gone = Path(private, f"edgebench-{place}-{pid}-1-x")
        gone.mkdir()
        (gone / "control").touch()
        others = Path(private, "edgebench-something-else")
        others.mkdir()
        with Processes.open(tmp_path, 1), Processes.open(tmp_path, 1):
            assert not gone.exists()
            assert others.exists()
            assert len(list(Path(private).iterdir())) == 3


def traceback_of(error, cause=None):
    try:
        raise error from cause
    except type(error):
        return traceback.format_exc()


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", ""),
        ("one\ntwo\n\n", "two"),
        ("warning: x\n" + traceback_of(KeyError("k")) + "bye\n", "KeyError: 'k'"),
        (traceback_of(ValueError("first\nsecond\n  third")), "ValueError: first"),
        (
            traceback_of(OSError("x"), ZeroDivisionError()),
            "OSError: x",
        ),
        ("Traceback (most recent call last):\n  cut short", "cut short"),
        ("Traceback (most recent call last):", ""),
    ],
)
def test_the_reason_is_found_in_what_was_printed(log, reason):
    assert find_reason(log) == reason
