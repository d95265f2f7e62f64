"""Looking at installed plugins, with a word about it where that takes long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import attrs

from edgebench.catalogue.registry import Registry
from edgebench.survey.offers import find_offers

PATIENCE_S = 1.0
"""How long it may take until something is said."""


def find_offers_aloud(
    registry: Registry, note: Callable[[str], None], *, again: bool = False
) -> Path | None:
    """Return the file that says what installed plugins offer; raises what `find_offers` raises.

    Where that takes a while, a bar is drawn on a terminal, and one line said elsewhere.
    """
    with ExitStack() as stack:
        return find_offers(registry, _Telling(note, stack).tell, again=again)


@attrs.define
class _Telling:
    """Shows how far it has come, once it has taken a while."""

    note: Callable[[str], None]
    stack: ExitStack
    """Ends the bar."""
    begin: float = attrs.field(factory=time.monotonic)
    show: Callable[[int, int], object] | None = None

    def tell(self, done: int, total: int) -> None:
        """Take note that *done* of *total* distributions were looked at."""
        if self.show is None and time.monotonic() - self.begin > PATIENCE_S:
            self.show = self._begin_showing(total)
        if self.show is not None:
            self.show(done, total)

    def _begin_showing(self, total: int) -> Callable[[int, int], object]:
        what = f"looking at {total} newly installed distributions with plugins"
        if not sys.stderr.isatty():
            self.note(f"edgebench: {what}")
            return lambda *_: None
        from rich.progress import Progress as Bars

        from edgebench.cli.printing import make_console

        bars = Bars(console=make_console(sys.stderr, None), transient=True)
        bar = self.stack.enter_context(bars).add_task(what, total=total)
        return lambda done, _: bars.update(bar, completed=done)
