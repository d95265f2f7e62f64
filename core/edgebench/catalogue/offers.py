"""What candidates load as and offer: each is imported at most once, and asked once a kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from edgebench.catalogue.candidates import Candidate
from edgebench.catalogue.loaded import Loaded, load
from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import WORDS
from edgebench.catalogue.standing import Fault
from edgebench.parts.component import Component

C = TypeVar("C", bound=Component)


class Offers:
    """The answers of candidates, kept: what was told of one stays true."""

    def __init__(self, registry: Registry, candidates: Sequence[Candidate]) -> None:
        self._registry = registry
        self._candidates = candidates
        self._said: dict[tuple[str, str], list[Candidate]] = {}
        for candidate in candidates:
            for said in candidate.said:
                self._said.setdefault(said, []).append(candidate)
        self._loaded: dict[Candidate, Loaded | Fault] = {}
        self._records: dict[tuple[Candidate, type[Component]], dict[str, Any] | Fault] = {}
        self._owners: dict[type[Component], dict[str, list[Candidate]]] = {}

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with those that were asked so far."""
        answers = (*self._loaded.values(), *self._records.values())
        return tuple(answer for answer in answers if isinstance(answer, Fault))

    def said(self, kind: type[Component], name: str) -> Sequence[Candidate]:
        """Return the candidates whose rows say that they offer a name, without importing them."""
        return self._said.get((WORDS[kind], name), ())

    def load(self, candidate: Candidate) -> Loaded | Fault:
        """Return a candidate imported, or what is wrong with it."""
        if candidate not in self._loaded:
            self._loaded[candidate] = load(candidate)
        return self._loaded[candidate]

    def of(self, candidate: Candidate, kind: type[C]) -> dict[str, C] | Fault:
        """Return the records of a kind that a candidate yields: all, or what is wrong with one."""
        if (candidate.row and WORDS[kind] not in candidate.row.offers) or not candidate.importable:
            return {}
        loaded = self.load(candidate)
        if isinstance(loaded, Fault):
            return loaded
        if (candidate, kind) not in self._records:
            self._records[candidate, kind] = loaded.records(kind, self._registry)
        return self._records[candidate, kind]

    def records(self, candidate: Candidate, kind: type[C]) -> dict[str, C]:
        """Return the records of a kind that a candidate yields; none where something is wrong."""
        offered = self.of(candidate, kind)
        return {} if isinstance(offered, Fault) else offered

    def owners(self, kind: type[Component]) -> dict[str, list[Candidate]]:
        """Return who offers each name of a kind, sorted by name; more than one is a clash."""
        if kind not in self._owners:
            owners: dict[str, list[Candidate]] = {}
            for candidate in self._candidates:
                said = candidate.says(WORDS[kind])
                for name in dict.fromkeys([*said, *self.records(candidate, kind)]):
                    owners.setdefault(name, []).append(candidate)
            self._owners[kind] = dict(sorted(owners.items()))
        return self._owners[kind]
