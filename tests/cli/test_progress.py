"""Whoever watches a run: the first and second Ctrl-C, and what is said without a terminal."""

from __future__ import annotations

import re
import signal
from argparse import Namespace

import attrs
import pytest

from edgebench.cli import progress as progress_module
from edgebench.cli.common import Common
from edgebench.cli.progress import Interrupts, hear_interrupts, show_progress

SAID = "edgebench: ending after the block under way; Ctrl-C again ends now\n"


@attrs.frozen
class Block:
    """As much of a block as is looked at."""

    status: str
    reason: str = ""


@attrs.frozen
class Case:
    """As much of a case as is looked at."""

    label: str = "a on b"


@pytest.fixture
def watch():
    """Give a function that opens the progress of a run; of its plan only bars know how long."""

    def show(interrupts=None, *, resume=False, **options):
        args = Namespace(resume=resume, db="x.db")
        heard = interrupts or Interrupts(Common())
        return show_progress(None, heard, args, Common(**options))

    return show


def test_the_first_interrupt_is_noted_and_the_second_raised(capsys):
    with hear_interrupts(Common()) as interrupts:
        assert not interrupts.asked
        signal.raise_signal(signal.SIGINT)
        assert interrupts.asked
        assert capsys.readouterr().err == SAID
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def hearing():
    """Let a hang-up end this program, also where whoever started it had that ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hearing")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_else_ends_programs_is_heard_as_an_interrupt(capsys, number):
    with hear_interrupts(Common()) as interrupts:
        signal.raise_signal(number)
        assert interrupts.asked
        assert capsys.readouterr().err == SAID
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_a_hang_up_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with hear_interrupts(Common()) as interrupts:
            signal.raise_signal(signal.SIGHUP)
            assert not interrupts.asked
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interrupt_says_what_of_preparing_it_ends(watch, capsys):
    with hear_interrupts(Common()) as interrupts, watch(interrupts) as progress:
        progress.begins(Case())
        progress.preparing(1, 2, "epochs")
        signal.raise_signal(signal.SIGINT)
    assert "ending what is being prepared (epochs), which --resume begins" in (
        capsys.readouterr().err
    )


def test_long_steps_say_now_and_then_how_far_they_are(watch, capsys, monkeypatch):
    monkeypatch.setattr(progress_module, "SAY_S", 0.0)
    with watch() as progress:
        progress.preparing(30, 200, "scoring a on b")
    assert capsys.readouterr().err == "edgebench: scoring a on b: 30 of 200\n"
    with watch(quiet=True) as progress:
        progress.preparing(30, 200, "scoring a on b")
    assert capsys.readouterr().err == ""


def test_interrupts_are_heard_by_whoever_did_before_when_all_is_over():
    def fail():
        with hear_interrupts(Common()):
            assert signal.getsignal(signal.SIGINT) is not before
            raise ValueError("broken")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="broken"):
        fail()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_stops_when_it_was_asked_to(watch):
    with hear_interrupts(Common(quiet=True)) as interrupts, watch(interrupts) as progress:
        assert not progress.stopping()
        signal.raise_signal(signal.SIGINT)
        assert progress.stopping()


def test_without_a_terminal_only_more_words_are_said_if_they_are_asked_for(watch, capsys):
    for options in ({}, {"verbose": True, "quiet": True}):
        with watch(**options) as progress:
            progress.preparing(1, 2, "epochs")
            progress.prepared(Case())
        assert capsys.readouterr().err == ""
    with watch(verbose=True) as progress:
        progress.preparing(1, 2, "epochs")
        progress.prepared(Case())
        progress.measured(Case(), Block("ok"))
        progress.measured(Case(), Block("failed", "no luck"))
    assert capsys.readouterr().err.splitlines() == [
        "edgebench: prepare: a on b",
        "edgebench: measure: a on b",
        "edgebench: measure: no luck",
    ]


@pytest.mark.parametrize(
    ("resume", "resumed", "said"), [(True, "", True), (True, "an-id", False), (False, "", False)]
)
def test_a_run_that_was_to_go_on_and_begins_anew_says_so(watch, capsys, resume, resumed, said):
    with watch(resume=resume) as progress:
        progress.begun(resumed)
    assert ("x.db holds no unfinished run of this" in capsys.readouterr().err) is said


def test_a_long_step_says_how_much_time_is_left_at_its_own_pace(watch, capsys, monkeypatch):
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(progress_module, "SAY_S", float("-inf"))
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: float(next(clock)))
    with watch() as progress:
        progress.preparing(0, 4, "epoch 0")
        progress.preparing(1, 4, "epoch 1")
        progress.preparing(0, 4, "epoch 0 of another")
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == "edgebench: epoch 0: 0 of 4"
    left = re.fullmatch(r"edgebench: epoch 1: 1 of 4, about (\d+) s left", second)
    assert left
    assert int(left[1]) % 3 == 0, "three steps are left, each as long as the first"
    assert third == "edgebench: epoch 0 of another: 0 of 4"


def test_a_bar_of_a_long_step_forgets_the_pace_of_the_one_before():
    with progress_module._make_bars() as bars:
        tasks = {"detail": bars.add_task("", total=None, what="", visible=False)}
        progress = progress_module.Progress(
            Common(), Namespace(), Interrupts(Common()), bars, tasks
        )
        for done in range(5):
            progress.preparing(done, 5, "epochs")
        (bar,) = bars.tasks
        assert bar.time_remaining is not None
        progress.preparing(0, 5, "epochs of another")
        assert bar.time_remaining is None
        assert (bar.completed, bar.total) == (0, 5)
