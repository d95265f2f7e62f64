"""The worker that prepares: what becomes of it, and of what it started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from textwrap import dedent

import psutil
import pytest

from edgebench.parts.documents import to_document
from edgebench.parts.errors import CaseFailed, CaseSkipped, DataError, Stopped, StoreError
from edgebench.prepare.preparer import Preparer
from edgebench.store.scratch import clear_up

from ..waiting import wait_for
from .conftest import toy_case

MISBEHAVING = """
    import os, pathlib, signal, subprocess, sys, tempfile, time
    from edgebench import DataError, Operator, hookimpl

    HERE = pathlib.Path(__file__).parent

    def operator(name, does, **more):
        def apply(pipeline, context):
            does(context)
            return pipeline.replaced([pipeline.stages[0].changed(pipeline.stages[0].live * 2)])
        return Operator(name=name, summary="Misbehaves.", apply=apply, reads=["toy-matrix"], **more)

    def say(context):
        print('{"path": "/nowhere"}', flush=True)
        os.write(1, b"\\xff not text\\n")
        subprocess.run(["echo", "from a child"], check=True)

    def hang(context):
        child = subprocess.Popen(["sleep", "600"])
        (HERE / "child.tmp").write_text(str(child.pid))
        (HERE / "child.tmp").rename(HERE / "child")
        time.sleep(600)

    def plod(context):
        for done in range(8):
            time.sleep(0.6)
            context.progress(done, 8, "plodding")

    def plod_and_hang(context):
        context.progress(0, 8, "plodding")
        time.sleep(600)

    def daemon(context):
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        (HERE / "child").write_text(str(child.pid))

    def litter(context):
        (HERE / "litter").write_text(tempfile.mkdtemp(prefix="library-"))

    def die(context):
        os.kill(os.getpid(), signal.SIGKILL)

    def die_with_child(context):
        if os.fork() == 0:
            time.sleep(600)  # holds the pipe of events open, as a forked loader of data does
        die(context)

    def fail(context):
        print("so far, so good")
        open(HERE / "not-there")

    def refuse(context):
        print("looked at the data")
        raise DataError("toy-points: no row is called so")

    def leave(context):
        os._exit(3)

    def count(context):
        import numpy as np
        for done in range(3):
            context.progress(np.int64(done), 3, "counting")

    def log(context):
        with (HERE / "made").open("a") as made:
            made.write("made\\n")
        time.sleep(0.5)

    @hookimpl
    def edgebench_operators():
        for does in (say, hang, plod, plod_and_hang, daemon, litter, die, die_with_child, fail, refuse,
                     leave, count, log):
            yield operator(does.__name__.replace("_", "-"), does)
        yield operator("liar", count, cuts=lambda options: 1)
        yield Operator(name="choosy", summary="Refuses.", apply=print,
                       accepts=lambda pipeline: "its matrix is too small")
"""


@pytest.fixture
def preparer(world, process):
    recipes = world(MISBEHAVING)

    def make(progress=lambda *_: None, **more):
        return Preparer(recipes=recipes, progress=progress, **more)

    return make


@pytest.fixture
def workers(monkeypatch):
    """Count the workers that are started."""
    started = []
    real = subprocess.Popen

    def counting(argv, *args, **kwargs):
        if "edgebench.prepare.worker" in argv:
            started.append(argv)
        return real(argv, *args, **kwargs)

    monkeypatch.setattr(subprocess, "Popen", counting)
    return started


def whats(preparer):
    return sorted(entry.what for entry in preparer.recipes.store.entries())


def test_what_is_prepared_is_found_without_a_worker(preparer, workers):
    first = preparer().prepare(toy_case("count"))
    assert len(workers) == 1
    again = preparer().prepare(toy_case("count"))
    assert again.path == first.path
    assert again.log == ""
    assert len(workers) == 1
    assert preparer().prepare(toy_case()).path.is_dir()
    assert len(workers) == 1


def test_what_was_damaged_is_prepared_again(preparer, world, workers):
    path = preparer().prepare(toy_case("count")).path
    (path / "pipeline.json").write_text("{")
    # Files are checked once a process: a run that began earlier would not see it.
    again = Preparer(recipes=world(MISBEHAVING), progress=lambda *_: None)
    assert again.prepare(toy_case("count")).path == path
    assert len(workers) == 2
    assert json.loads((path / "pipeline.json").read_text())["model"] == "toy"


def test_inputs_are_found_without_a_worker_too(preparer, workers):
    place = preparer().inputs(toy_case())
    assert preparer().inputs(toy_case()) == place
    assert len(workers) == 1
    assert whats(preparer()) == ["splits of toy-points"]


def test_progress_arrives_in_order(preparer):
    seen = []
    preparer(lambda *event: seen.append(event)).prepare(toy_case("count"))
    assert [event for event in seen if event[2] == "counting"] == [
        (done, 3, "counting") for done in range(3)
    ]
    assert (0, 1, "toy:small trained") in seen


def test_what_parts_print_is_in_the_log_and_nowhere_else(preparer, capfd):
    prepared = preparer().prepare(toy_case("say"))
    assert '{"path": "/nowhere"}' in prepared.log
    assert "\ufffd not text" in prepared.log
    assert "from a child" in prepared.log
    assert prepared.path.is_relative_to(preparer().recipes.store.root)
    assert capfd.readouterr() == ("", "")


NAMED = r"^the preparing process {} \(/.+\)$"


@pytest.mark.parametrize("chain", ["die", "die-with-child"])
def test_a_worker_that_is_killed_says_by_what(preparer, chain):
    began = time.monotonic()
    with pytest.raises(
        CaseFailed, match=NAMED.format(f"was killed by SIGKILL while it ran operator {chain}")
    ):
        preparer(limit_s=60).prepare(toy_case(chain))
    assert time.monotonic() - began < 30


def test_a_worker_that_leaves_without_a_word(preparer):
    with pytest.raises(
        CaseFailed,
        match=NAMED.format("ended with status 3 and said nothing while it ran operator leave"),
    ):
        preparer().prepare(toy_case("leave"))


def test_an_operator_that_raises_fails_its_case_and_leaves_nothing(preparer):
    with pytest.raises(
        CaseFailed, match=r"^operator fail \(/.*FileNotFoundError: .*not-there"
    ) as caught:
        preparer().prepare(toy_case("fail"))
    assert "so far, so good" in caught.value.log
    assert "Traceback" in caught.value.log
    assert whats(preparer()) == ["splits of toy-points", "toy:small trained"]
    assert list((preparer().recipes.store.root / "tmp").iterdir()) == []


def test_data_that_is_refused_comes_with_what_was_printed(preparer):
    with pytest.raises(DataError, match="^toy-points: no row is called so$") as caught:
        preparer().prepare(toy_case("refuse"))
    assert "looked at the data" in caught.value.log


def test_an_operator_that_cuts_other_than_it_announced(preparer):
    with pytest.raises(CaseFailed, match=r"^operator liar \(/.*\): announced 1 cuts and made 0"):
        preparer().prepare(toy_case("liar"))


def test_an_operator_that_accepts_no_such_pipeline_skips_the_case(preparer):
    with pytest.raises(CaseSkipped, match="choosy cannot be applied to toy: its matrix is too"):
        preparer().prepare(toy_case("choosy"))


def test_a_placement_of_more_tiers_than_pieces_skips_the_case(preparer):
    with pytest.raises(CaseSkipped, match="mobile-edge needs 2 pieces, count gives 1"):
        preparer().prepare(toy_case("count", "mobile-edge"))


def test_a_worker_that_is_silent_for_too_long_is_ended_with_all_it_started(preparer, tmp_path):
    with pytest.raises(
        CaseFailed, match=r"said nothing for 3 s and was ended .+ while it ran operator hang \(/"
    ):
        preparer(limit_s=3).prepare(toy_case("hang"))
    assert_gone(tmp_path)
    assert list((preparer().recipes.store.root / "tmp").glob("*/stage-0")) == []


def test_an_operator_is_not_blamed_for_what_is_done_beside_it(preparer):
    with pytest.raises(CaseFailed, match="was ended .--prepare-limit. at plodding$"):
        preparer(limit_s=3).prepare(toy_case("plod-and-hang"))


def test_a_worker_that_says_how_far_it_is_is_not_ended(preparer):
    said = []
    began = time.monotonic()
    preparer(lambda *words: said.append(words), limit_s=3).prepare(toy_case("plod"))
    assert time.monotonic() - began > 3.5
    assert said[-1] == (7, 8, "plodding")


def test_a_worker_that_hangs_ends_within_seconds_when_that_is_wanted(preparer, tmp_path):
    wanted = (tmp_path / "child").exists
    with pytest.raises(Stopped):
        preparer(stopping=wanted).prepare(toy_case("hang"))
    assert_gone(tmp_path)


def test_what_leaves_the_session_of_its_worker_is_ended_too(preparer, tmp_path):
    preparer().prepare(toy_case("daemon"))
    assert_gone(tmp_path)


def test_what_parts_leave_in_the_temporary_directory_is_removed(preparer, tmp_path):
    preparer().prepare(toy_case("litter"))
    assert not Path((tmp_path / "litter").read_text()).exists()


def test_an_interrupt_ends_the_worker_and_all_it_started(preparer, tmp_path):
    def interrupt():
        wait_for(tmp_path / "child")
        os.kill(os.getpid(), signal.SIGINT)

    waiting = threading.Thread(target=interrupt)
    waiting.start()
    with pytest.raises(KeyboardInterrupt):
        preparer().prepare(toy_case("hang"))
    waiting.join()
    assert_gone(tmp_path)


@pytest.mark.process
def test_a_controller_that_is_killed_takes_its_worker_along(tmp_path, toy):
    plugin = tmp_path / "stranger.py"
    plugin.write_text(dedent(MISBEHAVING))
    argv = [sys.executable, "-m", "edgebench", "run", "--plugin", toy, "--plugin", plugin]
    argv += ["--model", "toy", "--operator", "hang", "--backend", "toy-numpy"]
    controller = subprocess.Popen([*map(str, argv)], cwd=tmp_path, stderr=subprocess.DEVNULL)
    wait_for(tmp_path / "child")
    below = psutil.Process(controller.pid).children(recursive=True)
    (worker,) = [each for each in below if "edgebench.prepare.worker" in each.cmdline()]
    controller.kill()
    controller.wait()
    assert psutil.wait_procs([worker], timeout=10)[1] == []
    # What an operator left running nobody was there to end; whoever runs next is.
    clear_up()
    assert_gone(tmp_path)


@pytest.mark.process
def test_two_controllers_make_one_thing_once(world, toy, tmp_path):
    world(MISBEHAVING)
    script = f"""
import pathlib
from edgebench.store.artifacts import Store
from edgebench.catalogue.plugins import Plugins
from edgebench.prepare.preparer import Preparer
from edgebench.prepare.recipe import Recipes
from edgebench.catalogue.registry import Registry
from edgebench.cases.case import Case
from edgebench.parts.documents import from_document
import json, sys
registry = Registry.read()
files = [pathlib.Path(file) for file in sys.argv[2:]]
plugins = Plugins.load(registry, files)
recipes = Recipes(plugins, Store({str(tmp_path / "store")!r}))
case = from_document(Case, json.loads(sys.argv[1]))
print(Preparer(recipes=recipes, progress=lambda *_: None).prepare(case).path)
"""
    words = [json.dumps(to_document(toy_case("log"))), str(toy), str(tmp_path / "stranger_0.py")]
    both = [
        subprocess.Popen([sys.executable, "-c", script, *words], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert said[0] == said[1] != ""
    assert (tmp_path / "made").read_text() == "made\n"


@pytest.mark.process
def test_a_store_that_cannot_be_written_is_one_clear_line(world, tmp_path):
    (tmp_path / "store").write_text("a file")
    recipes = world(MISBEHAVING)
    with pytest.raises((CaseFailed, StoreError), match="cannot write to the artifact store"):
        Preparer(recipes=recipes, progress=lambda *_: None).prepare(toy_case())


def assert_gone(place):
    """A child that was killed may lie there until its new parent has taken note."""
    pid = int((place / "child").read_text())
    end = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.02)
