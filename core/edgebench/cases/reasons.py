"""Why a case cannot be, found from declared formats, needs, pieces and links; never from names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import Any, Self, TypeVar

import attrs

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.inputs import find_dataset, look_at, why_no_inputs, why_too_many
from edgebench.cases.operations import Chains
from edgebench.cases.usable import Ask, Usability
from edgebench.cases.ways import Reader, find_way, keep_known, rank_readers, say_no_way
from edgebench.catalogue.blame import blame
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.changes import Converter, Operator, Trainer
from edgebench.parts.errors import CaseFailed, ChainError, Missing, UnknownName
from edgebench.parts.places import Backend, Fabric, Placement
from edgebench.parts.subjects import Look, Model

T = TypeVar("T")

READERS = 3
"""Backends that a model may be compared on without being measured there."""
_DATA_NEEDS = ("calibration", "training", "validation")


@attrs.frozen(eq=False)
class Reasons:
    """Finds the first reason why a case cannot be."""

    plugins: Plugins
    chains: Chains
    usability: Callable[[str], Usability]
    """From the name of a fabric to what its hosts answer."""
    _known: dict[Hashable, Any] = attrs.field(factory=dict, init=False, repr=False)
    """What was found before: many cases share a part, a fabric, a model, a reference."""

    @classmethod
    @contextmanager
    def open(cls, plugins: Plugins, chains: Chains, ask: Ask) -> Iterator[Self]:
        """Give what opens a fabric only if a case comes as far as to ask, and once."""
        with ExitStack() as stack:

            @cache
            def usability(fabric: str) -> Usability:
                return stack.enter_context(Usability.open(plugins, fabric, ask))

            yield cls(plugins, chains, usability)

    def why_not(self, case: Case) -> str | None:
        """Return the reason in one sentence, or None if nothing speaks against the case."""
        return self.why_impossible(case) or self.why_unusable(case)

    def why_impossible(self, case: Case) -> str | None:
        """Return the first reason that is found without asking a backend; None if there is none."""
        # In this order: the later checks look parts up, which fails for one that is not installed.
        try:
            return (
                self._check_installed(case)
                or why_no_inputs(case, self.plugins)
                or self._check_own(case)
                or self._check_pieces(case)
                or self._check_needs(case)
                or self._check_formats(case)
                or self._check_told(case)
                or self._check_companions(case)
                or self._check_fabric(case)
            )
        except (CaseFailed, ChainError) as error:
            return str(error)

    def why_unusable(self, case: Case) -> str | None:
        """Return what a backend of a case says against its tier's host; None if nothing."""
        usability = self.usability(case.fabric)
        for tier, choice in zip(case.placement.tiers, case.backends, strict=True):
            if why := usability.why_not(choice.name, choice.device, tier):
                return f"{choice}: {why}"
        return None

    def ask_backends(self, cases: Iterable[Case]) -> None:
        """Ask all backends that cases and their references run on, those of one fabric at once."""
        choices: dict[str, list[tuple[str, str]]] = {}
        measured = list(cases)
        chosen = list_chosen(measured)
        for case in measured:
            asked = choices.setdefault(case.fabric, [])
            asked += [(choice.name, choice.device) for choice in case.backends]
            # The reference asks the others one by one, but only where the nearest cannot be used.
            asked += [(name, "") for name in self._rank_backends(case.model)[:1]]
            asked += [(name, "") for name in self._list_readers(case.model, chosen)]
        for fabric, wanted in choices.items():
            self.usability(fabric).ask(wanted)

    def find_compared(
        self, cases: Iterable[Case]
    ) -> tuple[Mapping[str, Case], Mapping[str, Sequence[Case]]]:
        """Return by id the reference of each case that has one, and the peers of each of those."""
        measured = list(cases)
        sought = {case.id: self.find_reference(case) for case in measured}
        references = {key: found for key, found in sought.items() if found}
        distinct, chosen = {one.id: one for one in references.values()}, list_chosen(measured)
        peers = {key: tuple(self._find_peers(one, chosen)) for key, one in distinct.items()}
        return references, peers

    def find_reference(self, case: Case) -> Case | None:
        """Return the case of the model untransformed, on the usable backend nearest its format.

        It runs where the input is, so that links have no part in it; None where nothing runs it.
        """
        start = case.route[:1]
        # `BackendChoice("")` stands for the backend that is still to be found.
        plain = attrs.evolve(
            case,
            chain="",
            placement=Placement(start),
            route=start,
            links=(),
            backends=[BackendChoice("")],
            batch=1,
        )
        # All cases of a model share one, whatever is done to it and wherever it runs.
        return self._once(plain, lambda: self._find_usable(plain))

    def _find_peers(self, reference: Case, chosen: Collection[str]) -> Iterator[Case]:
        """Yield the case of a reference on each other usable backend that reads it as it is."""
        for name in self._list_readers(reference.model, chosen):
            peer = attrs.evolve(reference, backends=[BackendChoice(name)])
            if name != reference.backends[0].name and self.why_not(peer) is None:
                yield peer

    def _list_readers(self, model: str, chosen: Collection[str]) -> Sequence[str]:
        """Return the first backends that read a model's own format; of none, if it has none."""
        form = self.plugins.get(Model, model).format
        known = keep_known(self._list_ways(form) if form else (), chosen)
        return [one.backend.name for one in known if form in one.backend.formats][:READERS]

    def _find_usable(self, plain: Case) -> Case | None:
        names = self._rank_backends(plain.model)
        candidates = (attrs.evolve(plain, backends=[BackendChoice(name)]) for name in names)
        return next((each for each in candidates if self.why_not(each) is None), None)

    def _rank_backends(self, model: str) -> Sequence[str]:
        """Return the backends that a model's format leads to, the nearest first."""
        readers = self._list_ways(self.plugins.get(Model, model).format)
        return [reader.backend.name for reader in readers]

    def _list_ways(self, form: str) -> Sequence[Reader]:
        return self._once(("nearest", form), lambda: rank_readers(form, self.plugins))

    def _check_installed(self, case: Case) -> str | None:
        for part in self.chains.list_parts(case):
            if reason := self._once(part, partial(self.plugins.why_not, *part)):
                return reason
        return None

    def _check_pieces(self, case: Case) -> str | None:
        pieces = 1 + sum(operation.cuts for operation in self.chains.of(case.chain))
        tiers = len(case.placement.tiers)
        needed = f"{case.placement} needs {tiers} piece{'s' * (tiers > 1)}"
        return None if pieces == tiers else f"{needed}, {case.chain} gives {pieces}"

    def _check_needs(self, case: Case) -> str | None:
        model = self._find_known(case)
        for operation in self.chains.of(case.chain):
            name, needs, reads = operation.operator.name, operation.needs, operation.operator.reads
            data = [need for need in _DATA_NEEDS if need in needs]
            if data and not case.dataset and model.inputs is None:
                return f"{name} needs {data[0]} inputs, and {case.model} has no dataset"
            if "training" in needs and model.loss is None:
                lacks = f"is a file, which is not trained; take a model of format {'/'.join(reads)}"
                lacks = lacks if model.from_file else "gives no loss; plugins say Model(loss=...)"
                return f"{name} trains, and {case.model} {lacks}"
            own = model.dataset_of(case.variant)
            if "training" in needs and own and case.dataset not in model.datasets_of(case.variant):
                return f"{name} trains, and {own} has to be given for that: --data {own}=DIR"
            dataset = find_dataset(case, self.plugins) if data else None
            for need, way in dataset.lacks().items() if dataset else ():
                if need in data:
                    return f"{name} needs {need} inputs: {way}"
        return None

    def _check_companions(self, case: Case) -> str | None:
        """Ask operators about the model that reaches them, and for second models that are known."""
        model = self._find_known(case)
        variant = model.variant(case.variant)
        for operator, options in ((op.operator, op.options) for op in self.chains.of(case.chain)):
            with blame(self.plugins, Operator, operator.name):
                for name, _ in operator.companions(options, model, variant):
                    try:
                        second, _, wanted = name.partition(":")
                        found = (other := self.plugins.get(Model, second)).variant(wanted)
                    except (UnknownName, Missing) as error:
                        return f"{operator.name}: {error}"
                if operator.replaces:
                    model, variant = other, found
        return None

    def _check_formats(self, case: Case) -> str | None:
        """Follow the formats along the chain as far as they are declared."""
        # An operator of any format (`reads` empty) that writes none of its own leaves the format
        # as it was; a model that declares none is only known when it is built.
        form, giver = self.plugins.get(Model, case.model).format, ""
        for operation in self.chains.of(case.chain):
            operator = operation.operator
            if form and operator.reads:
                way = self._way(form, operator.reads)
                if way is None:
                    return say_no_way(form, operator.reads, operator.name, giver)
                form = way[-1].target if way else form
            if "training" in operation.needs and form and not self._trainable(form):
                return f"{operator.name} trains, and nothing here trains stages of format {form}"
            # What it starts from is profiled on each tier, so their backends must read that too.
            if "profile" in operation.needs and (why := self._check_readers(case, form)):
                return f"{operator.name} needs a profile: {why}"
            form, giver = (operator.writes, operator.name) if operator.writes else (form, giver)
        return self._check_readers(case, form)

    def _check_readers(self, case: Case, form: str) -> str | None:
        for choice in case.backends:
            formats = self.plugins.get(Backend, choice.name).formats
            if form and self._way(form, formats) is None:
                return say_no_way(form, formats, choice.name)
        return None

    def _check_told(self, case: Case) -> str | None:
        for choice in case.backends:
            if not (choice.options or self.plugins.get(Backend, choice.name).loads):
                where = f"(`edgebench show backend {choice.name}` lists them)"
                return f"{choice.name} runs what others have loaded: its options say what {where}"
        return None

    def _check_fabric(self, case: Case) -> str | None:
        fabric = self.plugins.get(Fabric, case.fabric)
        with blame(self.plugins, Fabric, case.fabric):
            said = self._once(("usable", case.fabric), fabric.usable)
        return None if said is True else f"{case.fabric}: {said or 'not usable here'}"

    def _check_own(self, case: Case) -> str | None:
        """Look at what the user gave, and whether an operator would do again what is done."""
        look = self._look_at(case)
        done = dict.fromkeys(look.already, "")
        for one in (operation.operator for operation in self.chains.of(case.chain)):
            if (once := one.once) in done:
                return f"{one.name} cannot be applied to {case.model}{done[once]}: it is {once}"
            done |= {once: f" after {one.name}"} if once else {}
        return why_too_many(case, look.most)

    def _look_at(self, case: Case) -> Look:
        return self._once(("look", case.own), lambda: look_at(case, self.plugins))

    def _find_known(self, case: Case) -> Model:
        """Return the record of a case's model, of a file as far as its configuration tells."""
        model = self.plugins.get(Model, case.model)
        return model.known(case.variant, self._look_at(case).configuration)

    def list_understood(self) -> tuple[str, ...]:
        """Return what was understood of the data of all cases that were looked at, each once."""
        looks = [found for found in self._known.values() if isinstance(found, Look)]
        return tuple(dict.fromkeys(line for look in looks for line in look.understood))

    def _way(self, form: str, formats: tuple[str, ...]) -> tuple[Converter, ...] | None:
        return find_way(self.plugins.all(Converter).values(), form, formats)

    def _trainable(self, form: str) -> bool:
        return any(trainer.format == form for trainer in self.plugins.all(Trainer).values())

    def _once(self, what: Hashable, find: Callable[[], T]) -> T:
        if what not in self._known:
            self._known[what] = find()
        found: T = self._known[what]
        return found


def list_chosen(cases: Iterable[Case]) -> set[str]:
    """Return the names of the backends that somebody asked to be measured."""
    return {choice.name for case in cases for choice in case.backends}
