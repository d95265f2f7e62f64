"""Progress for people, and the first and second Ctrl-C.

Bars are drawn only when something has happened, never by a thread that would take processor time
from what is being measured; where there is no terminal a line now and then says how far long steps
have come.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs

from edgebench.cases.case import Case
from edgebench.cases.plan import Plan
from edgebench.cli.common import Common
from edgebench.cli.printing import make_console
from edgebench.conduct.watcher import Watcher
from edgebench.records.outcome import Block

REDRAW_S = 0.1
SAY_S = 20.0
"""Time between two lines about a long step, where there are no bars."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What is heard as Ctrl-C is: CI and ssh send the others."""


@attrs.define
class Interrupts:
    """Hears Ctrl-C: the first asks to end after the block under way, the second ends now.

    What is being prepared or scored is not waited for: it is begun anew when the run goes on.
    """

    common: Common
    asked: bool = False
    preparing: str = ""
    """What is being prepared or scored; empty while a block is measured."""
    _terminals: list[int] = attrs.field(init=False)
    """Which of our outputs are a terminal."""

    @_terminals.default
    def _find_terminals(self) -> list[int]:
        return [number for number in (1, 2) if os.isatty(number)]

    def hear(self, number: int, _: object) -> None:
        """Take note of one; the handler of a signal."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        if number == signal.SIGHUP:
            self._leave_terminal()
        if self.preparing:
            said = f"ending what is being prepared ({self.preparing}), which --resume begins anew"
        else:
            said = "ending after the block under way"
        self.common.note(f"edgebench: {said}; Ctrl-C again ends now")

    def _leave_terminal(self) -> None:
        """Print nowhere in place of on a terminal that is gone, which takes no word more."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in self._terminals:
            os.dup2(nowhere, number)
        os.close(nowhere)


@contextmanager
def hear_interrupts(common: Common) -> Iterator[Interrupts]:
    """Hear Ctrl-C, and what ends programs in its place, while the block of code lasts."""
    interrupts = Interrupts(common)
    # Whoever started us with a signal ignored, as `nohup` does, wants it to stay so.
    heard = [one for one in ENDING if signal.getsignal(one) != signal.SIG_IGN]
    before = {one: signal.signal(one, interrupts.hear) for one in {signal.SIGINT, *heard}}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@attrs.define
class Pace:
    """How fast one long step goes: it begins anew where less is done than was, or of another."""

    total: int = 0
    done: int = 0
    first: int = 0
    """How much was done when its time began."""
    since: float = 0.0

    def goes_on(self, done: int, total: int) -> bool:
        """Take note of how far it has come; say whether it is the same step still."""
        same = total == self.total and done >= self.done
        if not same:
            self.first, self.since = done, time.monotonic()
        self.done, self.total = done, total
        return same

    @property
    def left(self) -> str:
        """The time that is left at this pace, as words to be added; empty if that is not known."""
        if self.done <= self.first or self.total <= self.done:
            return ""
        each = (time.monotonic() - self.since) / (self.done - self.first)
        return f", about {max(1.0, (self.total - self.done) * each):.0f} s left"


@attrs.define
class Progress(Watcher):
    """The `Watcher` that says how a run goes, and whether it is to end."""

    common: Common
    args: argparse.Namespace
    interrupts: Interrupts
    bars: Any = None
    """Rich's bars, where they are drawn."""
    tasks: Mapping[str, Any] = attrs.field(factory=dict)
    """The bar of each step, and `detail`: how far a long step has come."""
    _pace: Pace = attrs.field(factory=Pace, init=False)
    _drawn: float = attrs.field(default=0.0, init=False)
    _said: float = attrs.field(factory=time.monotonic, init=False)
    """When the last line was said where there are no bars, or a long step began."""

    def begun(self, resumed: str) -> None:
        """Say that a new run begins where one was to go on."""
        if self.args.resume and not resumed:
            self.common.note(
                f"edgebench: {self.args.db} holds no unfinished run of this, here and with these "
                "versions; a new one begins"
            )

    def preparing(self, done: int, total: int, what: str) -> None:
        """Show how far one long step of preparing or scoring has come."""
        self.interrupts.preparing = what
        same = self._pace.goes_on(done, total)
        if self.bars is None and time.monotonic() - self._said > SAY_S:
            self._said = time.monotonic()
            self.common.note(f"edgebench: {what}: {done} of {total}{self._pace.left}")
        if self.bars is not None:
            if not same:
                # What the step before took says nothing of the time that is left.
                self.bars.reset(self.tasks["detail"])
            self._update("detail", completed=done, total=total or None, what=what, visible=True)
            if time.monotonic() - self._drawn > REDRAW_S:
                self._draw()

    def begins(self, case: Case) -> None:
        """Take note of what Ctrl-C would end."""
        self.interrupts.preparing = case.label

    def prepared(self, case: Case) -> None:
        """Show that one more case is prepared."""
        self.interrupts.preparing = ""
        self._step("prepare", case.label)

    def measured(self, case: Case, block: Block) -> None:
        """Show that one more block is measured, or why it failed."""
        self._step("measure", case.label if block.status == "ok" else block.reason)

    def stopping(self) -> bool:
        """Say whether Ctrl-C was pressed."""
        return self.interrupts.asked

    def _step(self, name: str, what: str) -> None:
        self._said = time.monotonic()
        if self.bars is not None:
            self._update("detail", visible=False)
            self._update(name, advance=1, what=what)
            self._draw()
        elif self.common.verbose:
            self.common.note(f"edgebench: {name}: {what}")

    def _update(self, name: str, **changes: Any) -> None:
        self.bars.update(self.tasks[name], **changes)

    def _draw(self) -> None:
        self.bars.refresh()
        self._drawn = time.monotonic()


@contextmanager
def show_progress(
    plan: Plan, interrupts: Interrupts, args: argparse.Namespace, common: Common
) -> Iterator[Progress]:
    """Give what a run tells its progress to; at a terminal, draw it."""
    if not sys.stderr.isatty() or common.quiet or common.json:
        yield Progress(common, args, interrupts)
        return
    with _make_bars() as bars:
        from edgebench.conduct.turns import count_blocks

        blocks = len(plan.cases) * count_blocks(plan.study)
        tasks = {
            "prepare": bars.add_task("prepare", total=len(plan.cases), what=""),
            "measure": bars.add_task("measure", total=blocks, what=""),
            "detail": bars.add_task("", total=None, what="", visible=False),
        }
        yield Progress(common, args, interrupts, bars, tasks)


def _make_bars() -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}", markup=False),
        console=make_console(stderr=True),
        auto_refresh=False,
        transient=True,
    )
