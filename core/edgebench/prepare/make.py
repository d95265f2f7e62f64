"""Doing the steps of a recipe: each leaves a prepared pipeline in the artifact store."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from edgebench.artifacts import Store, read_pipeline, write_pipeline
from edgebench.assets import fetch
from edgebench.case import Case
from edgebench.components import Converter, Dataset, Format, Model, Trainer, Weights
from edgebench.components import Operator as OperatorRecord
from edgebench.errors import CaseFailed, CaseSkipped, ChainError
from edgebench.inputs import dataset_of, model_options
from edgebench.npz import to_npz
from edgebench.pipeline import Pipeline, Stage
from edgebench.prepare.context import Lesson, OperatorContext
from edgebench.prepare.data import Preprocessed, drawn, first_batch
from edgebench.prepare.keys import SPLIT_SEED
from edgebench.prepare.recipe import Recipes, follow
from edgebench.prepare.run import Runner
from edgebench.prepare.steps import Base, Convert, Operate, Step
from edgebench.splits import keep, read

__all__ = ["Maker", "Progress"]

Progress = Callable[[int, int, str], None]
"""Called with how much is done, of how much, and what it is."""

DRAWN = 256
"""Random inputs that are drawn for a model without a dataset."""
EXAMPLES = 8
"""Real inputs a converter is given: more than one, so that none takes the batch for fixed."""
AT_ONCE = 2 * 2**20
"""Bytes of inputs beyond which two examples do: what a large model makes of them is far larger."""


@attrs.frozen
class Maker:
    """Makes what recipes ask for, in this process."""

    recipes: Recipes
    progress: Progress

    @property
    def store(self) -> Store:
        """The store in which everything is kept."""
        return self.recipes.store

    def prepare(self, case: Case) -> Path:
        """Return the directory of a case's pipeline, ready for its backends."""
        return follow(self.recipes.steps(case), self._obtain)

    def base(self, case: Case) -> Path:
        """Return the directory of a case's model, built and untransformed."""
        return follow(self.recipes.base(case), self._obtain)

    def inputs(self, case: Case) -> Path:
        """Return the directory of the kept splits that a case's requests are taken from.

        Those of its dataset; random ones that are drawn once where its model has none.
        """
        dataset = dataset_of(case, self.recipes.plugins) or self._drawn(case)
        what = f"splits of {dataset.name}"
        if not case.dataset:
            what = f"inputs of {case.model}:{case.variant}"
        return self.store.make(
            self.recipes.inputs_key(case),
            what,
            lambda directory: keep(dataset, SPLIT_SEED, directory, self.progress),
        )

    def _drawn(self, case: Case) -> Dataset:
        """Return a dataset of random inputs that fit a case's model."""
        pipeline = read_pipeline(self.base(case))

        def samples(split: str, seed: int) -> Iterator[tuple[bytes, int]]:
            if split == "test":
                rows = drawn(pipeline.inputs, DRAWN, seed)
                for number in range(DRAWN):
                    yield to_npz({name: array[number] for name, array in rows.items()}), 0

        return Dataset(name="drawn", summary="Random inputs.", samples=samples)

    def split(self, case: Case, name: str, pipeline: Pipeline) -> Preprocessed:
        """Return a split of a case's inputs as the tensors of its model, as *pipeline* holds it."""
        model = self.recipes.plugins.get(Model, case.model)
        bound = model.bound(case.variant, pipeline.resources)
        return Preprocessed(read(self.inputs(case), name), bound, case.variant)

    def live(self, stage: Stage) -> Stage:
        """Return a stage with its live object loaded."""
        if stage.live is not None:
            return stage
        form = self.recipes.plugins.get(Format, stage.format)
        return attrs.evolve(stage, live=form.load(stage, lambda: self._rebuilt(stage)))

    def save(self, pipeline: Pipeline, directory: Path) -> None:
        """Write a pipeline into an empty directory."""
        stages = []
        for number, stage in enumerate(pipeline.stages):
            place = directory / f"stage-{number}"
            place.mkdir()
            stages.append(attrs.evolve(stage, files=self.write(stage, place)))
        write_pipeline(pipeline.replaced(stages), directory)

    def write(self, stage: Stage, place: Path) -> tuple[str, ...]:
        """Write the files of a stage into an empty directory; return their names."""
        if stage.directory is None:
            form = self.recipes.plugins.get(Format, stage.format)
            return tuple(form.save(stage, place))
        # A link to a file of the user's would change with it: only what is in the store is linked.
        bring: Callable[[Path, Path], object]
        bring = _link if stage.directory.is_relative_to(self.store.root) else shutil.copyfile
        for name in stage.files:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            bring(stage.directory / name, place / name)
        return stage.files

    def _rebuilt(self, stage: Stage) -> Any:
        model = self.recipes.plugins.get(Model, stage.model)
        live = model.build(stage.variant, Weights(kind="random")).stages[0].live
        for edit in stage.edits:
            operator = self.recipes.plugins.get(OperatorRecord, edit.operator)
            if operator.replay is None:
                raise ChainError(f"{edit.operator} recorded an edit and offers no replay")
            live = operator.replay(live, edit.values)
        return live

    def _obtain(self, step: Step) -> Path:
        def fill(directory: Path) -> None:
            self.progress(0, 1, step.what)
            self.save(self._done(step), directory)

        return self.store.make(step.key, step.what, fill)

    def _done(self, step: Step) -> Pipeline:
        if isinstance(step, Base):
            return self._base(step.case)
        if isinstance(step, Operate):
            return self._operate(step)
        return self._convert(step)

    def _base(self, case: Case) -> Pipeline:
        model = self.recipes.plugins.get(Model, case.model)
        pipeline = self._built(case, model)
        stages = [
            attrs.evolve(
                stage, model=stage.model or case.model, variant=stage.variant or case.variant
            )
            for stage in pipeline.stages
        ]
        if case.weights.kind == "trained":
            lesson = Lesson(budget=model.budget, seed=case.weights.seed, loss=model.loss)
            stages = [self.fit(case, pipeline, stage, lesson) for stage in stages]
        return pipeline.replaced(stages)

    def _built(self, case: Case, model: Model) -> Pipeline:
        weights = case.weights
        if model.from_file is not None and weights.path is not None:
            pipeline = model.from_file(weights.path, model_options(case, self.recipes.plugins))
            return attrs.evolve(pipeline, model=case.model, variant=case.variant)
        if weights.kind == "hub":
            asset = self.recipes.keys.asset(case)
            weights = attrs.evolve(weights, path=fetch(asset, self.progress))
        return model.build(case.variant, weights)

    def fit(self, case: Case, pipeline: Pipeline, stage: Stage, lesson: Lesson) -> Stage:
        """Train a stage of a pipeline with the trainer of its format.

        Raises:
            ChainError: Nothing trains stages of its format, or there is no loss.
        """
        if lesson.loss is None:
            raise ChainError(f"{stage.model or case.model} gives no loss to be trained with")
        return self.trainer(stage.format).fit(
            self.live(stage),
            lesson.loss,
            self.split(case, "training", pipeline),
            self.split(case, "validation", pipeline),
            lesson.budget,
            lesson.seed,
            self.progress,
            teacher=lesson.teacher,
        )

    def trainer(self, form: str) -> Trainer:
        """Return what trains stages of a format.

        Raises:
            ChainError: Nothing does.
        """
        for trainer in self.recipes.plugins.all(Trainer).values():
            if trainer.format == form:
                return trainer
        raise ChainError(f"nothing here trains stages of format {form}")

    def _operate(self, step: Operate) -> Pipeline:
        pipeline, operator = read_pipeline(step.before), step.operation.operator
        accepted = operator.accepts(pipeline)
        if accepted is not True:
            raise CaseSkipped(f"{operator.name} cannot be applied to {step.case.model}: {accepted}")
        if operator.reads:
            pipeline = pipeline.replaced([self.live(stage) for stage in pipeline.stages])
        with OperatorContext.open(self, step) as context:
            changed = operator.apply(pipeline, context)
        announced = operator.cuts(step.operation.options)
        added = len(changed.cuts) - len(pipeline.cuts)
        if added != announced:
            raise CaseFailed(f"{operator.name} announced {announced} cuts and made {added}")
        # What handling a request needs stays, whatever an operator made of the stages.
        return attrs.evolve(changed, resources={**pipeline.resources, **changed.resources})

    def _convert(self, step: Convert) -> Pipeline:
        pipeline, stages = read_pipeline(step.before), []
        with self.runner() as runner:
            tensors = dict(self._examples(step.case, pipeline))
            for stage, way in zip(pipeline.stages, step.ways, strict=True):
                given = {spec.name: tensors[spec.name] for spec in stage.inputs}
                stages.append(self.converted(stage, way, given))
                if len(stages) < len(pipeline.stages):
                    tensors.update(runner.stage(stages[-1], given))
        return pipeline.replaced(stages)

    def converted(self, stage: Stage, way: tuple[Converter, ...], examples: Any) -> Stage:
        """Return a stage converted along a way, checked on a batch of its inputs."""
        for converter in way:
            stage = converter.convert(self.live(stage), examples)
            if stage.format != converter.target:
                raise CaseFailed(f"{converter.name} gave {stage.format}, not {converter.target}")
        return stage

    @contextmanager
    def runner(self) -> Iterator[Runner]:
        """Give something that runs pipelines here; what it wrote is gone when the context ends."""
        with (
            tempfile.TemporaryDirectory(prefix="edgebench-") as scratch,
            Runner.open(self, Path(scratch)) as runner,
        ):
            yield runner

    def _examples(self, case: Case, pipeline: Pipeline) -> Any:
        split = self.split(case, "validation", pipeline)
        if not len(split):
            split = self.split(case, "test", pipeline)
        return first_batch(split, EXAMPLES, AT_ONCE)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Another file system, or one without hard links: a copy serves as well.
        shutil.copyfile(source, target)
