"""The reference backend: it runs what must be the same whatever a case is measured with.

It follows from a stage's format alone, so that a key can name it without asking whether it is
usable here; where it is not, who asked is told what runs instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.usable import Usability
from edgebench.cases.ways import Reader, rank_readers
from edgebench.catalogue.plugins import Plugins


def list_references(form: str, plugins: Plugins) -> Sequence[Reader]:
    """Return the backends that may stand for the framework of a format, the nearest first.

    They come with the format, which no stranger's does, and read it or what an exact converter
    makes of it.
    """
    readers = rank_readers(form, plugins)
    return [one for one in readers if one.exact and one.at_home and one.backend.formats]


@attrs.frozen(eq=False)
class References:
    """Finds the reference backend of stages of a case, among those that are usable here."""

    plugins: Plugins
    case: Case
    open_usability: Callable[[], Usability]
    """Opens the hosts that are asked; called once a backend that is none of the case's is met."""
    refused: dict[str, str] = attrs.field(factory=dict, init=False)
    """By the name of a backend, why it cannot be used here."""
    _asked: list[Usability] = attrs.field(factory=list, init=False)

    def choose(self, form: str, own: BackendChoice) -> BackendChoice:
        """Return what runs a stage of a format, which *own* will run when it is measured.

        The reference; without one the case's own backend; where that cannot read the format, which
        another operator may still change, the nearest that can.
        """
        references = list_references(form, self.plugins)
        readers = rank_readers(form, self.plugins)
        if found := self._first_usable(references):
            return found
        if any(reader.backend.name == own.name for reader in readers):
            return own
        return self._first_usable(readers) or own

    def _first_usable(self, readers: Sequence[Reader]) -> BackendChoice | None:
        choices = (BackendChoice(reader.backend.name) for reader in readers)
        return next((choice for choice in choices if self._is_usable(choice)), None)

    def _is_usable(self, choice: BackendChoice) -> bool:
        # The planner has asked those of the case.
        if choice in self.case.backends:
            return True
        if choice.name not in self.refused:
            if not self._asked:
                self._asked.append(self.open_usability())
            why = self._asked[0].why_not(choice.name, choice.device, self.case.route[0])
            self.refused[choice.name] = why or ""
        return not self.refused[choice.name]
