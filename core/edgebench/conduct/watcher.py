"""Who watches a run."""

from __future__ import annotations

from typing import Protocol

from edgebench.cases.case import Case
from edgebench.records.outcome import Block


class Watcher(Protocol):
    """Whoever watches a run: told between blocks, and never during one."""

    def begun(self, resumed: str) -> None:
        """Take note that a run begins: a new one, or the one of the id *resumed* goes on."""
        ...

    def preparing(self, done: int, total: int, what: str) -> None:
        """Take note of how far one long step of preparing or scoring has come."""
        ...

    def prepared(self, case: Case) -> None:
        """Take note that a case is prepared and scored, or turned out not to be possible."""
        ...

    def measured(self, case: Case, block: Block) -> None:
        """Take note that a block is in the database."""
        ...

    def stopping(self) -> bool:
        """Say whether to end before the next block."""
        ...


class Unwatched:
    """The `Watcher` of a run that nobody watches, which ends when all is measured."""

    def begun(self, resumed: str) -> None:
        """Take no note of it."""

    def preparing(self, done: int, total: int, what: str) -> None:
        """Take no note of it."""

    def prepared(self, case: Case) -> None:
        """Take no note of it."""

    def measured(self, case: Case, block: Block) -> None:
        """Take no note of it."""

    def stopping(self) -> bool:
        """Say that the run goes on."""
        return False
