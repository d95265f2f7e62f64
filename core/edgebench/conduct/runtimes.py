"""Holding the runtimes against each other: each backend's untransformed model, with another's.

What a backend makes of a model is worth measuring only if it computes that model. The reference
runtime stands for it; the reference itself is held against another runtime, as nothing is checked
by itself. A comparison takes the first samples alone, and is made once for each model and backend.
A backend that runs what others have loaded elsewhere holds what a chain gave, not the model: its
cases are held, as they are, against the same with a runtime in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Self

import attrs

from edgebench.analysis.accuracy import compare_outputs
from edgebench.analysis.agreement import NOT_CHECKED, judge, tolerate
from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.plan import Plan
from edgebench.cases.reasons import list_chosen
from edgebench.cases.ways import keep_known, rank_readers
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.places import Backend, Placement
from edgebench.records.facts import Agreement, RuntimeCheck
from edgebench.records.outcome import Score

UNTRANSFORMED = ("", "identity")
"""The chains that do nothing to a model."""
MOST = 2
"""Runtimes that one is held against at most, until it agrees with one."""


@attrs.frozen(kw_only=True)
class Untransformed:
    """What a model gave on a backend when nothing was done to it, or what a whole case gave."""

    case: Case
    key: str
    """Of its whole score: a case that shares it does nothing to the model."""
    score: Score
    precision: str
    outputs: tuple[str, ...]
    """The names of the pipeline's outputs, in order."""
    classes: int | None = None
    """The axis of the first one's classes, where the pipeline states it."""
    formats: tuple[str, ...] = ()
    """What each piece begins with."""


@attrs.frozen(kw_only=True)
class RuntimeChecks:
    """The checks of a run's backends, each made once; those of whole cases, once a case."""

    plan: Plan
    score: Callable[[Case], Untransformed]
    """Prepares and scores the case of a model untransformed, its first samples at least."""
    is_listed: Callable[[str], bool]
    """Says whether a backend is one that the registry lists."""
    loads: Callable[[str], bool] = lambda _: True
    """Says whether a backend loads the stages that it is given."""
    readers: Callable[[str], Sequence[str]] = lambda _: ()
    """From a format to the backends that load it and are known, the nearest first."""
    _found: dict[str, tuple[RuntimeCheck, str]] = attrs.field(factory=dict, init=False)

    @classmethod
    def of(cls, plan: Plan, plugins: Plugins, score: Callable[[Case], Untransformed]) -> Self:
        """Take what is asked of backends from the plugins that are at hand."""
        chosen = list_chosen(plan.cases)

        def list_readers(form: str) -> list[str]:
            return [one.backend.name for one in keep_known(rank_readers(form, plugins), chosen)]

        return cls(
            plan=plan,
            score=score,
            is_listed=lambda name: plugins.owner(Backend, name).row is not None,
            loads=lambda name: plugins.get(Backend, name).loads,
            readers=list_readers,
        )

    def check(self, case: Case) -> tuple[tuple[RuntimeCheck, str], ...]:
        """Return how each backend of a case computes its model, and the key of the whole score.

        Empty where no backend computes the model untransformed.
        """
        if (reference := self.plan.references.get(case.id)) is None:
            return ()
        placed = dict(zip(case.backends, case.placement.tiers, strict=True))
        return tuple(
            self._check_once(_place(reference, choice, tier), reference)
            if self.loads(choice.name) or case.chain in UNTRANSFORMED
            else self._check_whole(case, choice)
            for choice, tier in placed.items()
        )

    def _check_whole(self, case: Case, choice: BackendChoice) -> tuple[RuntimeCheck, str]:
        """Check a case as it is, on a backend that runs what others have loaded."""
        unchecked = RuntimeCheck(backend=str(choice), whole=True, why_not=NOT_CHECKED)
        try:
            made = self.score(case)
        except EdgebenchError as error:
            return attrs.evolve(unchecked, why_not=f"{NOT_CHECKED}: {error}"), ""
        form = made.formats[case.backends.index(choice)]
        found = self._hold(unchecked, made, (_replace(case, choice, n) for n in self.readers(form)))
        return attrs.evolve(found, backend=str(choice), whole=True), ""

    def _check_once(self, own: Case, reference: Case) -> tuple[RuntimeCheck, str]:
        if own.id not in self._found:
            self._found[own.id] = self._check(own, reference)
        return self._found[own.id]

    def _check(self, own: Case, reference: Case) -> tuple[RuntimeCheck, str]:
        choice, listed = own.backends[0], self.is_listed(reference.backends[0].name)
        unchecked = RuntimeCheck(backend=str(choice), why_not=NOT_CHECKED)
        try:
            made = self.score(own)
        except EdgebenchError as error:
            return attrs.evolve(unchecked, why_not=f"{NOT_CHECKED}: {error}"), ""
        found = self._hold(unchecked, made, self._list_others(own, reference, listed))
        return attrs.evolve(found, trusted=listed and choice == reference.backends[0]), made.key

    def _hold(
        self, found: RuntimeCheck, made: Untransformed, others: Iterable[Case]
    ) -> RuntimeCheck:
        """Hold what a case gave against others until one agrees; *found* is what is known yet."""
        for other in islice(others, MOST):
            check = self._compare(made, other)
            if judge(found) == "unchecked" or judge(check) == "agrees":
                found = check
            if judge(found) == "agrees":
                break
        return found

    def _compare(self, made: Untransformed, other: Case) -> RuntimeCheck:
        backend = str(made.case.backends[0])
        try:
            against = self.score(other)
        except EdgebenchError as error:
            why = f"{NOT_CHECKED}: {other.backend}: {error}"
            return RuntimeCheck(backend=backend, why_not=why)
        agreed = _compare_alike(made, against)
        if agreed is not None and agreed.unlike and not agreed.not_finite:
            why = f"{NOT_CHECKED}: {other.backend} gave values that are NaN or infinite"
            return RuntimeCheck(backend=backend, why_not=why)
        return RuntimeCheck(
            backend=backend,
            agreement=agreed,
            why_not="" if agreed else f"{NOT_CHECKED}: no values were kept of its outputs",
            tolerance=tolerate(made.precision, against.precision),
        )

    def _list_others(self, own: Case, reference: Case, listed: bool) -> Iterator[Case]:
        """Yield what a model on a backend is held against, of other runtimes, the best first."""
        name = own.backends[0].name
        if name != reference.backends[0].name:
            yield reference
            if listed:
                return
        for other in self._list_runtimes(reference):
            if other.backends[0].name != name:
                yield other

    def _list_runtimes(self, reference: Case) -> Sequence[Case]:
        """Return the model untransformed on each runtime but the reference's that is at hand.

        Those that the plan measures the model on anyway, then those that read it as it is: for
        others it would have to be converted for this alone.
        """
        found: dict[str, Case] = {}
        for case in self.plan.cases:
            if self.plan.references.get(case.id) == reference:
                for choice, tier in zip(case.backends, case.placement.tiers, strict=True):
                    if self.loads(choice.name):
                        found.setdefault(choice.name, _place(reference, choice, tier))
        for peer in self.plan.peers.get(reference.id, ()):
            found.setdefault(peer.backends[0].name, peer)
        found.pop(reference.backends[0].name, None)
        return list(found.values())


def _replace(case: Case, choice: BackendChoice, name: str) -> Case:
    """Return a case with another backend where it has *choice*."""
    other = BackendChoice(name)
    return attrs.evolve(case, backends=[other if one == choice else one for one in case.backends])


def _place(reference: Case, choice: BackendChoice, tier: str) -> Case:
    """Return the case of a model untransformed on another backend, on a tier that can run it."""
    if choice == reference.backends[0]:
        return reference
    return attrs.evolve(reference, backends=[choice], placement=Placement((tier,)), route=(tier,))


def name_untransformed(case: Case) -> str:
    """Name the case of a model to which nothing was done, as what others are held against."""
    return f"{case.model}:{case.variant} untransformed with {case.backend}"


def _name(case: Case) -> str:
    """Name a case that another is held against."""
    if case.chain in UNTRANSFORMED:
        return name_untransformed(case)
    return f"{case.subject} {case.chain} with {case.backend}"


def _compare_alike(made: Untransformed, against: Untransformed) -> Agreement | None:
    label = _name(against.case)
    agreed = compare_outputs(
        made.score, against.score, label, names=made.outputs, classes=made.classes
    )
    other_shape = _describe_other_shape(made, against)
    if agreed is not None or not other_shape:
        return agreed
    return Agreement(
        max_abs_difference=None,
        mean_abs_difference=None,
        same_answer=None,
        samples=0,
        reference=label,
        other_shape=other_shape,
    )


def _describe_other_shape(made: Untransformed, against: Untransformed) -> str:
    """Say which output has another shape than a reference's; empty if none has."""
    for name, one, other in zip(
        made.outputs, made.score.outputs, against.score.outputs, strict=False
    ):
        if one.shape[1:] != other.shape[1:]:
            return f"{name!r} has the shape {one.shape[1:]} a sample, not {other.shape[1:]}"
    return ""
