"""The reference backend: it runs what must be the same whatever a case is measured with.

It follows from a stage's format alone, so that a key can name it without asking whether it is
usable here; where it is not, who asked is told what runs instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.usable import Usability
from edgebench.cases.ways import Reader, rank_readers
from edgebench.catalogue.plugins import Plugins
from edgebench.sessions.asking import ask_in_processes


def list_references(form: str, plugins: Plugins) -> Sequence[Reader]:
    """Return the backends that may stand for the framework of a format, the nearest first.

    They come with the format, which no stranger's does, and read it or what an exact converter
    makes of it.
    """
    return [reader for reader in rank_readers(form, plugins) if _is_reference(reader)]


def _is_reference(reader: Reader) -> bool:
    return reader.exact and reader.at_home and bool(reader.backend.formats)


@attrs.frozen(eq=False)
class Answers:
    """What the backends that were met while preparing say of this machine, asked once each.

    A process that loads its framework answers for a backend, so all steps share what it said.
    """

    plugins: Plugins
    _said: dict[tuple[str, str, str], str] = attrs.field(factory=dict, init=False)

    def why_not(self, backend: str, case: Case) -> str:
        """Return why a backend cannot run where a case's input is; empty if it can."""
        asked = backend, case.fabric, case.route[0]
        if asked not in self._said:
            with Usability.open(self.plugins, case.fabric, ask_in_processes) as usability:
                self._said[asked] = usability.why_not(backend, "", case.route[0]) or ""
        return self._said[asked]


@attrs.frozen(eq=False)
class References:
    """Finds the reference backend of stages of a case, among those that are usable here."""

    answers: Answers
    case: Case
    refused: dict[str, str] = attrs.field(factory=dict, init=False)
    """By the name of a backend, why it cannot be used here."""

    def choose(self, form: str, own: BackendChoice) -> BackendChoice:
        """Return what runs a stage of a format, which *own* will run when it is measured.

        The reference; without one the case's own backend; where that cannot read the format, which
        another operator may still change, the nearest that can.
        """
        readers = rank_readers(form, self.answers.plugins)
        if found := self._first_usable(list(filter(_is_reference, readers))):
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
        if why := self.answers.why_not(choice.name, self.case):
            self.refused[choice.name] = why
        return not why
