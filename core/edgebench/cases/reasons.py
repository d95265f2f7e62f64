"""Why a case cannot be, found from declared formats, needs, pieces and links; never from names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.chain import parse_chain, structure
from edgebench.cases.inputs import why_no_inputs
from edgebench.cases.usable import Usability
from edgebench.cases.ways import find_way, no_way
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import Registry
from edgebench.parts.changes import Converter, Operator, Trainer
from edgebench.parts.component import Component
from edgebench.parts.places import Backend, Fabric, Placement
from edgebench.parts.subjects import Dataset, Model

_DATA_NEEDS = ("calibration", "training", "validation")


@attrs.frozen
class Reasons:
    """Finds the first reason why a case cannot be."""

    plugins: Plugins
    registry: Registry
    usability: Callable[[str], Usability]
    """From the name of a fabric to what its hosts answer."""

    def why_not(self, case: Case) -> str | None:
        """Return the reason in one sentence, or None if nothing speaks against the case."""
        checks = (
            self._missing,
            self._no_inputs,
            self._pieces,
            self._needs,
            self._formats,
            self._no_fabric,
            self._unusable,
        )
        return next((reason for check in checks if (reason := check(case))), None)

    def reference(self, case: Case) -> Case | None:
        """Return the case of the model untransformed, on the usable backend nearest its format.

        It runs where the input is, so that links have no part in it; None where nothing runs it.
        """
        form = self.plugins.get(Model, case.model).format
        converters = list(self.plugins.all(Converter).values())
        nearest: list[tuple[int, int, str]] = []
        for name, backend in self.plugins.all(Backend).items():
            way = find_way(converters, form, backend.formats) if form else ()
            if way is not None:
                # What an exact way leads to computes as the model itself does.
                inexact = sum(not converter.exact for converter in way)
                nearest.append((inexact, len(way), name))
        candidates = (
            attrs.evolve(
                case,
                chain="",
                placement=Placement(case.route[:1]),
                route=case.route[:1],
                links=(),
                backends=[BackendChoice(name)],
                batch=1,
            )
            for _, _, name in sorted(nearest)
        )
        return next((each for each in candidates if self.why_not(each) is None), None)

    def _missing(self, case: Case) -> str | None:
        wanted: list[tuple[type[Component], str]] = [(Model, case.model), (Fabric, case.fabric)]
        wanted += [(Operator, name) for name in self._operator_names(case)]
        wanted += [(Backend, choice.name) for choice in case.backends]
        wanted += [(Dataset, case.dataset)] if case.dataset else []
        for kind, name in wanted:
            if reason := self.plugins.why_not(kind, name):
                return reason
        return None

    def _no_inputs(self, case: Case) -> str | None:
        return why_no_inputs(case, self.plugins)

    def _pieces(self, case: Case) -> str | None:
        pieces = 1 + sum(operator.cuts(options) for operator, options in self._operations(case))
        tiers = len(case.placement.tiers)
        if pieces == tiers:
            return None
        return (
            f"{case.placement} needs {tiers} piece{'s' * (tiers > 1)}, {case.chain} gives {pieces}"
        )

    def _needs(self, case: Case) -> str | None:
        for operator, options in self._operations(case):
            needs = operator.needed(options)
            data = [need for need in _DATA_NEEDS if need in needs]
            if data and not case.dataset and self.plugins.get(Model, case.model).inputs is None:
                return f"{operator.name} needs {data[0]} inputs, and {case.model} has no dataset"
            if "profile" in needs:
                return (
                    f"{operator.name} needs a profile of its stages, and this version measures none"
                )
            if "training" in needs and self.plugins.get(Model, case.model).loss is None:
                return f"{operator.name} trains, and {case.model} gives no loss to be trained with"
        return None

    def _formats(self, case: Case) -> str | None:
        """Follow the formats along the chain as far as they are declared."""
        converters = list(self.plugins.all(Converter).values())
        form = self.plugins.get(Model, case.model).format
        for operator, options in self._operations(case):
            if form and operator.reads:
                way = find_way(converters, form, operator.reads)
                if way is None:
                    return no_way(form, operator.reads, operator.name)
                form = way[-1].target if way else form
            if "training" in operator.needed(options) and form and not self._trainable(form):
                return f"{operator.name} trains, and nothing here trains stages of format {form}"
            form = operator.writes or form
        for choice in case.backends:
            formats = self.plugins.get(Backend, choice.name).formats
            if form and find_way(converters, form, formats) is None:
                return no_way(form, formats, choice.name)
        return None

    def _no_fabric(self, case: Case) -> str | None:
        said = self.plugins.get(Fabric, case.fabric).usable()
        return None if said is True else f"{case.fabric}: {said or 'not usable here'}"

    def _unusable(self, case: Case) -> str | None:
        usability = self.usability(case.fabric)
        for tier, choice in zip(case.placement.tiers, case.backends, strict=True):
            if why := usability.why_not(choice.name, choice.device, tier):
                return f"{choice}: {why}"
        return None

    def _trainable(self, form: str) -> bool:
        return any(trainer.format == form for trainer in self.plugins.all(Trainer).values())

    def _operator_names(self, case: Case) -> Sequence[str]:
        return [part.name for part in parse_chain(case.chain, self.registry.hybrids)]

    def _operations(self, case: Case) -> Sequence[tuple[Operator, Any]]:
        parts = parse_chain(case.chain, self.registry.hybrids)
        operators = [self.plugins.get(Operator, part.name) for part in parts]
        return [
            (operator, structure(operator.options, part.options, part.name))
            for operator, part in zip(operators, parts, strict=True)
        ]
