"""Progress for people at a terminal, and the first and second Ctrl-C.

Bars are drawn only when something has happened, never by a thread that would take processor time
from what is being measured; where there is no terminal nothing is drawn.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

import attrs

if TYPE_CHECKING:
    from edgebench.cases.case import Case
    from edgebench.cases.plan import Plan
    from edgebench.cli.common import Common
    from edgebench.records.outcomes import Block

REDRAW_S = 0.1


class Interrupts:
    """Turns the first Ctrl-C into a request to end after the block under way, the second into one
    to end now.
    """  # noqa: D205 (one sentence, over two lines)

    def __init__(self, common: Common) -> None:
        self.asked = False
        self._common = common

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _heard(self, _: int, __: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self._common.note("edgebench: ending after the block under way; Ctrl-C again ends now")


@attrs.frozen
class _Watching:
    """The `Watcher` that draws progress and hears interrupts."""

    progress: Progress
    interrupts: Interrupts
    args: argparse.Namespace
    common: Common

    def begun(self, resumed: str) -> None:
        if self.args.resume and not resumed:
            self.common.note(
                f"edgebench: {self.args.db} holds no unfinished run of this, here and with these "
                "versions; a new one begins"
            )

    def preparing(self, done: int, total: int, what: str) -> None:
        self.progress.preparing(done, total, what)

    def prepared(self, case: Case) -> None:
        self.progress.step("prepare", case.label)

    def measured(self, case: Case, block: Block) -> None:
        self.progress.step("measure", case.label if block.status == "ok" else block.reason)

    def stopping(self) -> bool:
        return self.interrupts.asked


class Progress:
    """Bars for preparing and measuring, with the time left."""

    def __init__(self, plan: Plan, common: Common) -> None:
        self._totals = {
            "prepare": len(plan.cases),
            "measure": len(plan.cases) * plan.study.suite.blocks,
        }
        self._common = common
        self._shown = sys.stderr.isatty() and not common.quiet and not common.json
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._drawn = 0.0

    def __enter__(self) -> Self:
        if self._shown:
            self._bars = _bars()
            self._bars.start()
            for name, total in self._totals.items():
                self._tasks[name] = self._bars.add_task(name, total=total, what="")
            self._tasks["detail"] = self._bars.add_task("", total=None, what="", visible=False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def watching(self, interrupts: Interrupts, args: argparse.Namespace) -> _Watching:
        """Return what a run tells its progress to."""
        return _Watching(self, interrupts, args, self._common)

    def preparing(self, done: int, total: int, what: str) -> None:
        """Show how far one long step of preparing has come."""
        if self._bars is not None:
            self._bars.update(
                self._tasks["detail"], completed=done, total=total or None, what=what, visible=True
            )
            self._draw()

    def step(self, name: str, what: str) -> None:
        """Show that one more case is prepared, or one more block measured."""
        if self._common.verbose and not self._shown:
            self._common.note(f"edgebench: {name}: {what}")
        if self._bars is not None:
            self._bars.update(self._tasks["detail"], visible=False)
            self._bars.update(self._tasks[name], advance=1, what=what)
            self._draw(at_once=True)

    def _draw(self, *, at_once: bool = False) -> None:
        if at_once or time.monotonic() - self._drawn > REDRAW_S:
            self._bars.refresh()
            self._drawn = time.monotonic()


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}", markup=False),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
    )
