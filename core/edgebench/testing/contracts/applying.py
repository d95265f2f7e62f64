"""Applying an operator as a run does, on little data, and noting what it used."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from edgebench.cases.case import Case, write_options
from edgebench.parts.changes import Format, Operator
from edgebench.parts.datasets import Sample
from edgebench.parts.errors import CaseSkipped, ChainError, EdgebenchError
from edgebench.parts.pipeline import Pipeline, Profile, Stage
from edgebench.parts.subjects import Budget, Model, Variant
from edgebench.prepare.context import OperatorContext
from edgebench.prepare.data import Preprocessed
from edgebench.prepare.profile_files import write_profile
from edgebench.prepare.runner import Runner
from edgebench.prepare.stages import Stages
from edgebench.prepare.steps import Measure, Operate
from edgebench.store.artifacts import read_pipeline
from edgebench.store.splits import Payloads
from edgebench.testing.contracts.bench import Bench
from edgebench.testing.contracts.contract import split_options
from edgebench.testing.contracts.subjects import choose_backend, list_subjects, make_case

SAMPLES = 64
"""Of each split so many at most: enough to run through, and soon done."""
TRIES = 3
"""Models that are prepared for an operator and that it then does not accept, until it is given up.
Those that it refuses beforehand cost nothing."""
MADE_UP_S = 1e-3
"""What every stage is said to take, where an operator needs a profile."""


@attrs.frozen(eq=False)
class Few:
    """The first samples of a split."""

    whole: Payloads

    def __len__(self) -> int:
        return min(SAMPLES, len(self.whole))

    def __iter__(self) -> Iterator[Sample]:
        return islice(iter(self.whole), SAMPLES)


@attrs.frozen(eq=False)
class FewStages(Stages):
    """Loads, writes, converts and trains stages, with few samples."""

    @classmethod
    def of(cls, bench: Bench) -> FewStages:
        """Return those of a bench."""
        maker = bench.maker
        return cls(bench.plugins, bench.store.root, maker.inputs, maker.stages.progress)

    def split(self, case: Case, name: str, pipeline: Pipeline) -> Preprocessed:
        """Return the first samples of a split."""
        whole = super().split(case, name, pipeline)
        return attrs.evolve(whole, payloads=Few(whole.payloads))  # type: ignore[arg-type]


@attrs.frozen(eq=False)
class NotingContext(OperatorContext):
    """A context that notes what is used of it, and trains for one epoch at most."""

    used: set[str] = attrs.field(factory=set, init=False)
    undeclared: set[str] = attrs.field(factory=set, init=False)

    def _check_declared(self, need: str) -> None:
        self.used.add(need)
        if need not in self.step.operation.needs:
            self.undeclared.add(need)
        super()._check_declared(need)

    def fit(
        self,
        stage: Stage,
        *,
        budget: Budget | None = None,
        loss: Callable[..., Any] | None = None,
        teacher: Stage | None = None,
    ) -> Stage:
        """Train a stage, briefly."""
        # A trainer is given the validation split beside the other.
        self.used.add("validation")
        brief = attrs.evolve(budget or self.model(stage).budget, epochs=1)
        return super().fit(stage, budget=brief, loss=loss, teacher=teacher)


@attrs.frozen(kw_only=True)
class Applied:
    """An operator's work: what it was given, what it gave, and what it used."""

    given: Pipeline
    made: Any
    used: frozenset[str]
    undeclared: frozenset[str]
    digests: tuple[str, str]
    """Of what it was given, live objects included, before and after."""


@attrs.frozen(kw_only=True)
class Application:
    """An operator, with options, about to be applied to a case's pipeline."""

    bench: Bench
    case: Case
    step: Operate

    @property
    def operator(self) -> Operator:
        """The operator."""
        return self.step.operation.operator

    def copy_given(self) -> tuple[Operate, Pipeline]:
        """Return the step on a copy of what it starts from, and that pipeline, loaded."""
        place = self.bench.make_place("given") / "pipeline"
        shutil.copytree(self.step.before, place)
        pipeline = read_pipeline(place)
        if self.operator.reads:
            live = [self.bench.stages.live(stage) for stage in pipeline.stages]
            pipeline = pipeline.replaced(live)
        return attrs.evolve(self.step, before=place), pipeline

    def apply(self, look: Callable[[Pipeline], str] = lambda _: "") -> Applied:
        """Apply it to a fresh copy; *look* is asked for a digest of the copy before and after."""
        step, given = self.copy_given()
        stages = FewStages.of(self.bench)
        with Runner.open(stages, self.case, self.bench.maker.answers) as runner:
            context = NotingContext(runner, self.bench.recipes.keys, step)
            before = look(given)
            try:
                made: Any = self.operator.apply(given, context)
            except ChainError as error:
                if not context.undeclared:
                    raise
                made = error
            after = look(given)
        return Applied(
            given=given,
            made=made,
            used=frozenset(context.used),
            undeclared=frozenset(context.undeclared),
            digests=(before, after),
        )

    def keep(self, applied: Applied) -> Path:
        """Write what was made, as a run keeps it, and return where it lies."""
        place = self.bench.make_place("made")
        made = attrs.evolve(
            applied.made,
            resources={**applied.given.resources, **applied.made.resources},
            classes=applied.given.classes,
        )
        self.bench.stages.save(made, place)
        return place


class _NotAccepted(CaseSkipped):
    """An operator does not accept a pipeline that was prepared for it."""


def find_application(
    bench: Bench, operator: Operator, written: str, wanted: str = "", before: str = ""
) -> Application:
    """Return an operator about to be applied to the smallest model that it accepts.

    The chain *before* is applied first, if there is one.

    Raises:
        EdgebenchError: It accepts none of the first few; the reason of the first is said.
    """
    reasons: list[str] = []
    prepared = 0
    for model, variant in list_subjects(bench, operator.reads, wanted):
        try:
            return _prepare(bench, operator, written, before, model, variant)
        except (CaseSkipped, ChainError) as error:
            reasons.append(f"{model.name}:{variant.name}: {error}")
            prepared += isinstance(error, _NotAccepted)
        if prepared == TRIES:
            break
    formats = " or ".join(operator.reads) or "any format"
    raise EdgebenchError(
        f"it takes none of {len(reasons)} models, the first: {reasons[0]}"
        if reasons
        else f"no model here leads to {formats}, which it reads"
    )


def _prepare(
    bench: Bench, operator: Operator, written: str, before: str, model: Model, variant: Variant
) -> Application:
    """Go through the steps of a run up to the operator's own."""
    chain = operator.name + write_options(split_options(written, operator.name))
    chain = "+".join(filter(None, (before, chain)))
    *first, operation = bench.recipes.chains.of(chain)
    form = operator.writes or next(iter(operator.reads), model.format)
    case = make_case(
        bench,
        model,
        variant,
        chain=chain,
        pieces=1 + operation.cuts + sum(one.cuts for one in first),
        backend=choose_backend(bench, form),
    )
    steps = bench.recipes.steps(case, for_backends=False)
    step = next(steps)
    while not (isinstance(step, Operate) and step.case is case and step.operation is operation):
        made = _make_up(bench, step) if isinstance(step, Measure) else bench.maker.make(step)
        step = steps.send(made)
    if why := _ask(operator, read_pipeline(step.before)):
        raise _NotAccepted(why)
    return Application(bench=bench, case=case, step=step)


def _ask(operator: Operator, pipeline: Pipeline) -> str:
    """Return why an operator does not accept a pipeline; empty if it does, or cannot say."""
    try:
        said = operator.accepts(pipeline)
    except Exception:  # noqa: BLE001 (that it raises is for another promise to tell)
        return ""
    return "" if said is True else str(said)


def _make_up(bench: Bench, step: Measure) -> Path:
    """Write a profile in which all stages, and the nodes of each, take the same time."""
    pipeline = read_pipeline(step.before)
    nodes = []
    for stage in pipeline.stages:
        names = list(bench.plugins.get(Format, stage.format).nodes(stage))
        nodes.append({name: MADE_UP_S / len(names) for name in names})
    place = bench.make_place("profile")
    profile = Profile(
        stages=[MADE_UP_S] * len(nodes),
        nodes=nodes,
        no_nodes="" if any(nodes) else "the profile is made up",
        request_bytes=1000,
    )
    write_profile(profile, place)
    return place
