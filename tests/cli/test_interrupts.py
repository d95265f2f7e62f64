"""Ctrl-C: once ends after the block under way, twice ends now; nothing measured is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from ..core.waiting import wait_for

BLOCKS = 3
TOYS = ("run", "--model", "toy", "--blocks", str(BLOCKS))


@pytest.fixture
def start(toy, tmp_path):
    """Start a run of its own process group, as a shell does, and end what is left of it."""
    begun = []

    def begin(*words):
        process = subprocess.Popen(
            [sys.executable, "-m", "edgebench", *TOYS, "--plugin", str(toy), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            start_new_session=True,
        )
        begun.append(process)
        return process

    yield begin
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def until(process, beginning):
    """Read what a run says until a line begins so."""
    for line in process.stderr:
        if line.startswith(beginning):
            return line
    raise AssertionError(f"it ended with {process.wait()} before it said {beginning!r}")


def press(process):
    """Send what Ctrl-C at a terminal sends: to everyone in the foreground."""
    os.killpg(process.pid, signal.SIGINT)


def test_once_ends_after_the_block_and_resume_repeats_none(start, cli, toy, conforms):
    words = ("--backend", "toy-numpy", "--requests", "5", "--verbose")
    process = start(*words, "--json")
    until(process, "edgebench: measure:")
    press(process)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "ending after the block under way; Ctrl-C again ends now" in err
    assert "go on with --resume" in err
    stopped = conforms(json.loads(out), "run")
    (case,) = stopped["cases"]
    assert stopped["finished"] is None
    assert case["status"] == "partial"
    assert 1 <= case["blocks"] < BLOCKS
    said = cli(*TOYS, "--plugin", toy, *words, "--resume", "--json")
    assert said.status == 0
    assert said.json["run"] == stopped["run"]
    assert said.json["cases"][0]["blocks"] == BLOCKS
    assert said.err.count("edgebench: measure:") == BLOCKS - case["blocks"]


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_else_ends_programs_ends_a_run_as_an_interrupt_does(
    start, tmp_path, monkeypatch, number
):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    process = start("--backend", "toy-numpy", "--requests", "5", "--verbose", "--json")
    until(process, "edgebench: measure:")
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with --resume" in err
    assert json.loads(out)["cases"][0]["status"] == "partial"
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    assert list((tmp_path / "scratch").iterdir()) == []


HANGING = """
import pathlib, time
from edgebench import Operator, hookimpl


def apply(pipeline, context):
    pathlib.Path(__file__).with_name("hanging").touch()
    time.sleep(600)


@hookimpl
def edgebench_operators():
    yield Operator(name="hang", summary="Hangs.", apply=apply, reads=["toy-matrix"])
"""


@pytest.mark.process
def test_once_ends_what_is_prepared_within_seconds(start, tmp_path):
    (tmp_path / "hanging.py").write_text(HANGING)
    process = start("--plugin", "hanging.py", "--backend", "toy-numpy", "--operator", "hang")
    wait_for(tmp_path / "hanging", process)
    press(process)
    began = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    # Half a minute is what a busy machine gets: it would wait half an hour for silence to end.
    assert time.monotonic() - began < 30
    assert "edgebench: ending what is being prepared (" in err
    assert "go on with --resume" in err


SIGNALLING = """
import os
from contextlib import contextmanager

from edgebench import Backend, hookimpl


class Session:
    def __init__(self, stage):
        self.first = True
        self.written = stage.outputs[0].inside

    def run(self, inputs):
        import numpy as np

        if self.first:
            self.first = False
            with open(os.environ["TELL"], "w") as file:
                file.write("running")
        return {self.written: np.zeros((1, 3), np.float32)}


@contextmanager
def open_session(stage, device, threads, options):
    yield Session(stage)


@hookimpl
def edgebench_backends():
    yield Backend(name="telling", summary="Tells when it runs.", open=open_session,
                  formats=["toy-matrix"])
"""


def test_twice_ends_now_and_leaves_no_process(start, cli, tmp_path, monkeypatch):
    (tmp_path / "telling.py").write_text(SIGNALLING)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv("TELL", str(pipe))
    process = start("--plugin", "telling.py", "--backend", "telling", "--requests", "20000",
                    "--operator", "identity")  # fmt: skip
    assert pipe.read_text() == "running"  # while it is scored
    assert pipe.read_text() == "running"  # while its first block is measured
    workers = psutil.Process(process.pid).children(recursive=True)
    press(process)
    until(process, "edgebench: ending after the block under way")
    press(process)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "edgebench: interrupted; go on with --resume (in edgebench.db)\n"
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert workers
    assert not alive
    assert cli("report", "--json").json["finished"] is None
