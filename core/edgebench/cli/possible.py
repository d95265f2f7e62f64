"""What can be done to a model on tiers, as far as planning tells, and what of it is offered."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgebench.cases.expand import expand_chains
from edgebench.cli.asking import Asker
from edgebench.cli.common import Common
from edgebench.cli.harmless import list_choices, refuse_harm, why_harmful
from edgebench.cli.project import FILE, Project, ProjectFile
from edgebench.parts.changes import Operator
from edgebench.parts.errors import EdgebenchError, RegistryError

if TYPE_CHECKING:
    from edgebench.cases.case import Case
    from edgebench.cases.operations import Chains
    from edgebench.cases.plan import Plan

QUICK = frozenset(["calibration", "target"])
"""What an operator may need that is offered at once: it trains nothing, and scores nothing."""
CUTTING = QUICK | {"placement", "links", "profile", "run"}
"""What one that cuts may need where it is offered at once."""


@attrs.frozen(kw_only=True)
class Possible:
    """The cases of a survey, of single operators and of what is asked for, on one tier and two."""

    cases: tuple[Case, ...]
    chains: Chains
    operators: Mapping[str, Operator]
    nothing: str
    """The operator that changes nothing, the registry's default."""

    @classmethod
    def find(cls, text: str, directory: Path, common: Common) -> Possible:
        """Plan the survey that a project's text says.

        Raises:
            EdgebenchError: What it names is unknown, or is not what it must be.
        """
        # What is understood of the data is said of what is written in the end.
        plan = plan_project(text, directory, attrs.evolve(common, quiet=True))
        return cls(
            cases=plan.cases,
            chains=plan.chains,
            operators=common.plugins.all(Operator),
            nothing=common.registry.defaults.operator,
        )

    def choose_backends(self, operators: Sequence[str], asker: Asker | None) -> list[str]:
        """Return the backend that runs the most, or those that are chosen.

        What is counted is what *operators* make, or where none is given what is offered.
        """
        counted = self._expand(operators) or self._list_offered([])
        found = Counter(case.backend for case in self.cases if case.chain in counted)
        best = [name for name, _ in found.most_common(1)]
        if asker is None or len(found) < 2:
            return best
        choices = [(name, f"runs {number} of the cases") for name, number in found.most_common()]
        return asker.ask_several("Which runtimes?", best, choices,
                                 lambda texts: self._check([], texts))  # fmt: skip

    def choose_operators(
        self, backends: Sequence[str], asker: Asker | None, *, cuts: bool = False
    ) -> list[str]:
        """Return the operators that need no training, or those that are chosen.

        With *cuts* one that cuts the model is among them, where that is possible.
        """
        offered = self._list_offered(backends) + self._list_cutting(backends)[: int(cuts)]
        if asker is None:
            return offered
        choices = [(name, self.operators[name].summary) for name in self._list_chains(backends)]
        return asker.ask_several("What is to be tried?", offered, choices,
                                 lambda texts: self._check(texts, []))  # fmt: skip

    def _check(self, operators: Sequence[str], backends: Sequence[str]) -> list[str]:
        """Return what was answered; refuse it where planning would."""
        self._expand(operators)
        if why := why_harmful(operators, backends, self.chains.plugins):
            raise EdgebenchError(why)
        return [*operators, *backends]

    def _expand(self, operators: Iterable[str]) -> list[str]:
        return [chain for text in operators for chain in expand_chains(text, self.chains)]

    def knows(self, operators: Sequence[str]) -> bool:
        """Say whether the survey has what these make, as far as they are possible."""
        return self.operators.keys() >= set(self._expand(operators))

    def choose_placements(
        self, operators: Sequence[str], backends: Sequence[str], tiers: Sequence[str]
    ) -> list[str]:
        """Return the placements that one of these can have; where none can be had, each tier."""
        chains = self._expand(operators)
        found = [str(one.placement) for one in self._list_cases(backends) if one.chain in chains]
        return list(dict.fromkeys(found or tiers))

    def list_products(
        self, operators: Sequence[str], placements: Sequence[str], backends: Sequence[str]
    ) -> list[tuple[list[str], list[str]]]:
        """Return operators with the placements that they can have, without what would be skipped.

        One product where each operator can have each placement, or nothing is known of one. A
        pattern stays one where what it stands for can have the same.
        """
        cases = self._list_cases(backends)
        found: dict[tuple[str, ...], list[str]] = {}
        for text in operators:
            own: dict[str, tuple[str, ...]] = {}
            for chain in self._expand([text]):
                there = {str(case.placement) for case in cases if case.chain == chain}
                if had := tuple(one for one in placements if one in there):
                    own[chain] = had
            if not own:
                return [(list(operators), list(placements))]
            alike = len(set(own.values())) == 1
            for name, had in ({text: next(iter(own.values()))} if alike else own).items():
                found.setdefault(had, []).append(name)
        return [(names, list(own)) for own, names in found.items()]

    def explain(self, operators: Sequence[str], tiers: Sequence[str]) -> Mapping[str, list[str]]:
        """Return by key of a project what else is possible, in sentences."""
        left = [name for name in self._list_chains([]) if name not in operators]
        cutting = {case.chain for case in self.cases if len(case.placement.tiers) > 1}
        whole = [name for name in left if name not in cutting]
        cuts = [name for name in left if name in cutting]
        found: dict[str, list[str]] = {"operators": []}
        if whole:
            found["operators"].append(f"Also possible: {', '.join(whole)}.")
        if cuts:
            pair = "-".join(tiers[:2])
            found["operators"].append(
                f"To cut it: {', '.join(cuts)}, with a placement such as {pair}."
            )
        return found

    def _list_cases(self, backends: Sequence[str]) -> list[Case]:
        names = {one.name for one in list_choices(backends, self.chains.plugins)}
        return [
            case
            for case in self.cases
            if not backends or names.issuperset(one.name for one in case.backends)
        ]

    def _list_chains(self, backends: Sequence[str]) -> list[str]:
        """Return the single operators that are possible, the one that does nothing first."""
        found = {case.chain for case in self._list_cases(backends)} & self.operators.keys()
        return sorted(found, key=lambda name: (name != self.nothing, name))

    def _list_cutting(self, backends: Sequence[str]) -> list[str]:
        """Return the operators that cut a model where one says, and train nothing."""
        return [
            name
            for name in self._list_chains(backends)
            if (operator := self.operators[name]).list_cuts
            and operator.needed(operator.options()) <= CUTTING
        ]

    def _list_offered(self, backends: Sequence[str]) -> list[str]:
        found = []
        for name in self._list_chains(backends):
            operator = self.operators[name]
            needs = operator.needed(operator.options())
            if name == self.nothing or ("calibration" in needs and needs <= QUICK):
                found.append(name)
        return found


def plan_project(text: str, directory: Path, common: Common) -> Plan:
    """Plan what a project's text says, as `plan` will in its directory.

    Raises:
        EdgebenchError: Something of it is unknown, or what the user gave is not what it must be.
    """
    from edgebench.cli import parse_words
    from edgebench.cli.study import plan_study

    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        path = Path(scratch).resolve() / FILE
        path.write_text(text, encoding="utf-8")
        try:
            file = ProjectFile.read(path)
            common = attrs.evolve(common, registries=(path, *common.registries))
            refuse_harm(file.root, common)
        except RegistryError as error:
            raise RegistryError(_name_options(str(error), path)) from error
        with chdir(directory):
            args, _ = parse_words(["plan", *file.project.write_words()])
            return plan_study(args, common)


def _name_options(said: str, path: Path) -> str:
    """Return an error of a text that nobody has seen with the option that it was made from."""
    options = {field.name: field.metadata.get("option", field.name)
               for field in attrs.fields(Project)}  # fmt: skip
    place = re.match(rf"{re.escape(str(path))}, line \d+: \[project\] (\w+): ", said)
    if place is not None and place[1] in options:
        return f"--{options[place[1]].replace('_', '-')}: {said[place.end() :]}"
    return said.replace(str(path), f"{FILE}, as it would be written")
