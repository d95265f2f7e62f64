"""Who watches a run."""

from __future__ import annotations

from edgebench.cases.case import Case
from edgebench.records.outcome import Block


class Watcher:
    """Whoever watches a run: told between blocks, and never during one.

    This one takes note of nothing, and lets the run go on until all is measured.
    """

    def begun(self, resumed: str) -> None:
        """Take note that a run begins: a new one, or the one of the id *resumed* goes on."""

    def begins(self, case: Case) -> None:
        """Take note that a case is about to be prepared and scored."""

    def preparing(self, done: int, total: int, what: str) -> None:
        """Take note of how far one long step of preparing or scoring has come."""

    def prepared(self, case: Case) -> None:
        """Take note that a case is prepared and scored, or turned out not to be possible."""

    def measured(self, case: Case, block: Block) -> None:
        """Take note that a block is in the database."""

    def stopping(self) -> bool:
        """Say whether to end before the next block, and not to wait for what is being prepared."""
        return False
