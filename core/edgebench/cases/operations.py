"""The operators of a chain with their options, looked up once for each text of a chain.

Planning, fingerprinting and preparing all read a case's chain here; the case itself keeps the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from edgebench.cases.case import Case
from edgebench.cases.chain import Named, parse_chain, structure, write_differing
from edgebench.catalogue.blame import blame
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.changes import Operator
from edgebench.parts.datasets import Dataset
from edgebench.parts.errors import Missing
from edgebench.parts.part import Part
from edgebench.parts.places import Backend, Fabric
from edgebench.parts.subjects import Model


@attrs.frozen
class Operation:
    """One operator of a chain, with its options."""

    operator: Operator
    options: Any
    written: str
    """How the two are written."""
    cuts: int
    """How many cuts it announces."""
    needs: frozenset[str]
    """What the operator needs under these options."""


@attrs.frozen(eq=False)
class Chains:
    """Reads chains: parses each text once, and looks up each operator with its options once."""

    plugins: Plugins
    _parsed: dict[str, tuple[Named, ...]] = attrs.field(factory=dict, init=False, repr=False)
    _operations: dict[Named, Operation] = attrs.field(factory=dict, init=False, repr=False)

    def of(self, text: str) -> tuple[Operation, ...]:
        """Return the operations of a chain.

        Raises:
            ChainError, UnknownName, OptionError: It is no chain of known operators.
            Missing: What one of them requires is not installed.
        """
        return tuple(self._operation(named) for named in self.parse(text))

    def parse(self, text: str) -> tuple[Named, ...]:
        """Return what a chain names, hybrids spelt out, whether or not it is installed.

        Raises:
            ChainError: The text is malformed.
        """
        if text not in self._parsed:
            self._parsed[text] = parse_chain(text, self.plugins.registry.hybrids)
        return self._parsed[text]

    def list_parts(self, case: Case) -> Sequence[tuple[type[Part], str]]:
        """Return the kind and name of every part that a case names, installed or not."""
        return [
            (Model, case.model),
            (Fabric, case.fabric),
            *((Operator, named.name) for named in self.parse(case.chain)),
            *((Backend, choice.name) for choice in case.backends),
            *([(Dataset, case.dataset)] if case.dataset else []),
        ]

    def spell(self, text: str) -> str:
        """Return a chain as cases keep it: no hybrids, and no options that say the default.

        Raises:
            ChainError, UnknownName, OptionError: It is no chain of known operators.
        """
        return "+".join(map(self._spelling, self.parse(text)))

    def _spelling(self, named: Named) -> str:
        try:
            return str(Named(named.name, write_differing(self._operation(named).options)))
        except Missing:
            # Known and not installed is a reason to skip its cases, not a mistake in writing.
            return str(named)

    def _operation(self, named: Named) -> Operation:
        if named not in self._operations:
            operator = self.plugins.get(Operator, named.name)
            options: Any = structure(operator.options, named.options, named.name)
            with blame(self.plugins, Operator, named.name):
                cuts, needs = operator.cuts(options), operator.needed(options)
                if not isinstance(cuts, int):
                    raise TypeError(f"announces {cuts!r} cuts, which is no number")
            self._operations[named] = Operation(operator, options, str(named), cuts, needs)
        return self._operations[named]
