"""Doing the steps of a recipe: each leaves a prepared pipeline in the artifact store."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import attrs

from edgebench.cases.case import Case
from edgebench.cases.inputs import find_dataset, read_model_options
from edgebench.cases.operations import Operation
from edgebench.catalogue.blame import blame, name_part
from edgebench.parts.changes import Contents, Operator
from edgebench.parts.cuts import Cuts
from edgebench.parts.datasets import Dataset
from edgebench.parts.errors import CaseFailed, CaseSkipped
from edgebench.parts.pipeline import Pipeline
from edgebench.parts.subjects import Model
from edgebench.prepare.change import check_change, is_same
from edgebench.prepare.context import OperatorContext
from edgebench.prepare.data import draw_tensors, take_batch
from edgebench.prepare.keys import SPLIT_SEED
from edgebench.prepare.orders import Progress
from edgebench.prepare.provenance import (
    Provenance,
    add_known,
    read_provenance,
    write_provenance,
)
from edgebench.prepare.recipe import Recipes
from edgebench.prepare.reference import Answers
from edgebench.prepare.runner import Runner
from edgebench.prepare.stages import Stages
from edgebench.prepare.steps import Base, Convert, Measure, Operate, Step, follow
from edgebench.store.artifacts import read_pipeline, write_pipeline
from edgebench.store.assets import fetch
from edgebench.store.npz import to_npz
from edgebench.store.splits import keep_splits

DRAWN = 256
"""Random inputs that are drawn for a model without a dataset."""
EXAMPLES = 8
"""Real inputs a converter is given: more than one, so that none takes the batch for fixed."""
AT_ONCE = 2 * 2**20
"""Bytes of inputs beyond which two examples do: what a large model makes of them is far larger."""


@attrs.frozen(slots=False)
class Maker:
    """Makes what recipes ask for, in this process."""

    recipes: Recipes
    progress: Progress
    profiled: Mapping[str, Path] = attrs.field(factory=dict)
    """Where the profiles lie that were measured, by the keys of their steps: none is made here."""

    @cached_property
    def stages(self) -> Stages:
        """What loads, writes, converts and trains stages."""
        return Stages(self.recipes.plugins, self.recipes.store.root, self.inputs, self.progress)

    @cached_property
    def answers(self) -> Answers:
        """What backends that are none of a case's say of this machine."""
        return Answers(self.recipes.plugins)

    def prepare(self, case: Case) -> Path | None:
        """Return the directory of a case's pipeline, ready for its backends.

        None where a profile must be measured before it can go on: not by this process.
        """
        return follow(self.recipes.steps(case), self._find_or_make)

    def list_cuts(self, case: Case, operation: Operation) -> Cuts:
        """Return where an operator that offers it would cut the pipeline of a case.

        Raises:
            CaseSkipped: Nothing leads to what the operator reads, or it accepts no such pipeline.
            CaseFailed: Preparing failed, or it did not list them.
        """
        operator = operation.operator
        path = follow(self.recipes.before(case, operator), self.make)
        pipeline = read_pipeline(path)
        pipeline = pipeline.replaced([self.stages.live(stage) for stage in pipeline.stages])
        with blame(self.recipes.plugins, Operator, operator.name):
            if (accepted := operator.accepts(pipeline)) is not True:
                raise CaseSkipped(f"{operator.name} cannot be applied to {case.model}: {accepted}")
            if operator.list_cuts is None:
                raise CaseFailed("lists no cuts")
            step = Operate(
                key="",
                what=operation.written,
                case=case,
                before=path,
                operation=operation,
                seed=case.seed,
                companions={},
            )
            with Runner.open(self.stages, case, self.answers) as runner:
                context = OperatorContext(runner, self.recipes.keys, step)
                return operator.list_cuts(pipeline, context)

    def base(self, case: Case) -> Path:
        """Return the directory of a case's model, built and untransformed."""
        return follow(self.recipes.base(case), self.make)

    def inputs(self, case: Case) -> Path:
        """Return the directory of the kept splits that a case's samples are taken from.

        Those of its dataset; random ones that are drawn once where its model has none.
        """
        dataset = find_dataset(case, self.recipes.plugins) or self._draw(case)
        what = f"splits of {dataset.name}"
        if not case.dataset:
            what = f"inputs of {case.model}:{case.variant}"

        def fill(directory: Path) -> None:
            # Random inputs are drawn here; others are a plugin's.
            blamed = (Dataset, case.dataset) if case.dataset else (Model, case.model)
            with blame(self.recipes.plugins, *blamed):
                keep_splits(dataset, SPLIT_SEED, directory, self.progress)

        return self.recipes.store.make(self.recipes.keys.inputs(case), what, fill)

    def _draw(self, case: Case) -> Dataset:
        """Return a dataset of random inputs that fit a case's model."""
        pipeline = read_pipeline(self.base(case))

        def samples(split: str, seed: int) -> Iterator[tuple[bytes, int]]:
            if split == "test":
                drawn = draw_tensors(pipeline.inputs, DRAWN, seed)
                for number in range(DRAWN):
                    yield to_npz({name: array[number] for name, array in drawn.items()}), 0

        return Dataset(name="drawn", summary="Random inputs.", samples=samples)

    def _find_or_make(self, step: Step) -> Path | None:
        return self.profiled.get(step.key) if isinstance(step, Measure) else self.make(step)

    def make(self, step: Step) -> Path:
        """Return the directory of what a step makes, which is no profile."""

        def fill(directory: Path) -> None:
            self.progress(0, 1, step.what)
            begin, before = time.monotonic(), len(self.stages.trained_s)
            chosen: dict[str, str | float] = {}
            pipeline = self._do(step, chosen)
            self._save(step, pipeline, directory)
            provenance = Provenance(
                seconds=time.monotonic() - begin,
                training_s=sum(self.stages.trained_s[before:]),
                chosen=chosen,
                contents=tuple(self._describe(step, pipeline)),
            )
            write_provenance(provenance, directory)
            if doubt := self._find_doubt(step, directory, provenance.contents):
                doubts = (*pipeline.doubts, doubt)
                write_pipeline(attrs.evolve(read_pipeline(directory), doubts=doubts), directory)

        return self.recipes.store.make(step.key, step.what, fill)

    def _save(self, step: Step, pipeline: Pipeline, directory: Path) -> None:
        """Write what a step made; what a format cannot write may be what an operator says of it."""
        try:
            self.stages.save(pipeline, directory)
        except CaseFailed as error:
            if not isinstance(step, Operate):
                raise
            operator = name_part(self.recipes.plugins, Operator, step.operation.operator.name)
            why = f"{error}, as it wrote what {operator} made"
            raise CaseFailed(why, error.log) from error.__cause__

    def _describe(self, step: Step, pipeline: Pipeline) -> Iterator[Contents | None]:
        """Count what is in each stage that a step made; one that it kept is counted already."""
        known: dict[Path | None, Contents | None] = {}
        if not isinstance(step, Base):
            stages, counted = (
                read_pipeline(step.before).stages,
                read_provenance(step.before).contents,
            )
            known = dict(zip((stage.directory for stage in stages), counted, strict=False))
        for stage in pipeline.stages:
            kept = known.get(stage.directory) if stage.directory else None
            yield kept or self.stages.describe(stage)

    def _find_doubt(self, step: Step, directory: Path, contents: Sequence[Contents | None]) -> str:
        """Say what speaks against what a step has written; nothing where nothing does."""
        if isinstance(step, Operate):
            operator = step.operation.operator
            if not operator.may_keep and is_same(step.before, directory):
                return f"{operator.name}: what it made is to the byte what it was given"
        if isinstance(step, Base):
            case = step.case
            said = self.recipes.plugins.get(Model, case.model).variant(case.variant).parameters
            found = add_known(one.parameters if one else None for one in contents)
            if said is not None and found is not None and said != found:
                what = f"{case.model}:{case.variant}"
                return f"{what} announces {said:,} parameters and has {found:,}"
        return ""

    def _do(self, step: Step, chosen: dict[str, str | float]) -> Pipeline:
        """Return what a step makes, and put down what its operator chose."""
        if isinstance(step, Base):
            with blame(self.recipes.plugins, Model, step.case.model):
                return self._base(step.case)
        if isinstance(step, Operate):
            with blame(self.recipes.plugins, Operator, step.operation.operator.name):
                return self._operate(step, chosen)
        if isinstance(step, Convert):
            return self._convert(step)
        raise TypeError(f"the process that prepares does not measure: {step.what}")

    def _base(self, case: Case) -> Pipeline:
        model = self.recipes.plugins.get(Model, case.model)
        pipeline = self._build(case, model)
        stages = [
            attrs.evolve(
                stage, model=stage.model or case.model, variant=stage.variant or case.variant
            )
            for stage in pipeline.stages
        ]
        if case.weights.kind == "trained":
            fit = partial(self.stages.fit, case, pipeline, budget=model.budget, loss=model.loss)
            stages = [fit(stage, seed=case.weights.seed) for stage in stages]
        return pipeline.replaced(stages)

    def _build(self, case: Case, model: Model) -> Pipeline:
        weights = case.weights
        if model.from_file is not None and weights.path is not None:
            pipeline = model.from_file(weights.path, read_model_options(case, self.recipes.plugins))
            return attrs.evolve(pipeline, model=case.model, variant=case.variant)
        if weights.kind == "hub":
            asset = self.recipes.keys.asset(case)
            weights = attrs.evolve(weights, path=fetch(asset, self.progress))
        return model.build(case.variant, weights)

    def _operate(self, step: Operate, chosen: dict[str, str | float]) -> Pipeline:
        pipeline, operator = read_pipeline(step.before), step.operation.operator
        accepted = operator.accepts(pipeline)
        if accepted is not True:
            raise CaseSkipped(f"{operator.name} cannot be applied to {step.case.model}: {accepted}")
        if operator.reads:
            _refuse_states(pipeline, operator.name)
            pipeline = pipeline.replaced([self.stages.live(stage) for stage in pipeline.stages])
        with Runner.open(self.stages, step.case, self.answers) as runner:
            context = OperatorContext(runner, self.recipes.keys, step, chosen)
            changed = operator.apply(pipeline, context)
        doubts = [*context.doubts, *check_change(operator, pipeline, changed, self.stages)]
        announced = step.operation.cuts
        added = len(changed.cuts) - len(pipeline.cuts)
        if added != announced:
            raise CaseFailed(f"announced {announced} cuts and made {added}")
        # What handling a request needs stays, and what was doubted, whatever an operator made of
        # the stages.
        return attrs.evolve(
            changed,
            resources={**pipeline.resources, **changed.resources},
            doubts=(*pipeline.doubts, *doubts),
            classes=pipeline.classes,
        )

    def _convert(self, step: Convert) -> Pipeline:
        pipeline, stages = read_pipeline(step.before), []
        with Runner.open(self.stages, step.case, self.answers) as runner:
            deployed = runner.list_deployed(pipeline)
            tensors = dict(self.examples(step.case, pipeline))
            for stage, way, own in zip(pipeline.stages, step.ways, deployed, strict=True):
                for converter in way if stage.states else ():
                    _refuse_states(pipeline, converter.name)
                given = {spec.name: tensors[spec.name] for spec in stage.inputs}
                made = self.stages.convert(stage, way, given)
                stages.append(made)
                if len(stages) < len(pipeline.stages):
                    backend = runner.references.choose(made.format, own)
                    tensors.update(runner.stage(made, given, backend))
        return pipeline.replaced(stages)

    def examples(self, case: Case, pipeline: Pipeline) -> dict[str, Any]:
        """Return a small batch of a case's real inputs, as converters are given."""
        split = self.stages.split(case, "validation", pipeline)
        split = split if len(split) else self.stages.split(case, "test", pipeline)
        return dict(take_batch(split, EXAMPLES, AT_ONCE))


def _refuse_states(pipeline: Pipeline, name: str) -> None:
    """Refuse to let what a stage keeps from request to request be lost.

    Raises:
        CaseSkipped: A stage keeps something: what reads stages knows their inputs and outputs only.
    """
    kept = [state.read.name for stage in pipeline.stages for state in stage.states]
    if kept:
        raise CaseSkipped(
            f"{name} cannot be applied: the model keeps the state {kept[0]!r} from request to "
            "request, and only sessions do so"
        )
