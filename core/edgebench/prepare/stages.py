"""Stages as live objects and as files: loading, writing, converting and training them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from edgebench.cases.case import Case
from edgebench.catalogue.blame import blame
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.changes import Contents, Converter, Format, Operator, Trainer
from edgebench.parts.datasets import Dataset
from edgebench.parts.errors import CaseFailed, ChainError
from edgebench.parts.pipeline import Pipeline, Stage
from edgebench.parts.subjects import Budget, Model, Weights
from edgebench.prepare.data import Preprocessed
from edgebench.prepare.orders import Progress
from edgebench.store.artifacts import write_pipeline
from edgebench.store.splits import open_split


@attrs.frozen(eq=False)
class Stages:
    """Loads, writes, converts and trains stages with the parts that are installed."""

    plugins: Plugins
    store: Path
    """The root of the artifact store: files in it may be linked, as nobody changes them."""
    inputs: Callable[[Case], Path]
    """From a case to the directory of its kept splits, made if need be."""
    progress: Progress
    trained_s: list[float] = attrs.field(factory=list, init=False)
    """What each training took, in seconds."""

    def live(self, stage: Stage) -> Stage:
        """Return a stage with its live object loaded."""
        if stage.live is not None:
            return stage
        form = self.plugins.get(Format, stage.format)
        with blame(self.plugins, Format, form.name):
            return attrs.evolve(stage, live=form.load(stage, lambda: self._rebuild(stage)))

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
            form = self.plugins.get(Format, stage.format)
            with blame(self.plugins, Format, form.name):
                return tuple(form.save(stage, place))
        # A link to a file of the user's would change with it: only what is in the store is linked.
        bring: Callable[[Path, Path], object]
        bring = _link if stage.directory.is_relative_to(self.store) else shutil.copyfile
        for name in stage.files:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            bring(stage.directory / name, place / name)
        return stage.files

    def describe(self, stage: Stage) -> Contents | None:
        """Count what is in a stage; None where its format cannot tell."""
        form = self.plugins.get(Format, stage.format)
        if form.describe is None:
            return None
        live = self.live(stage)
        with blame(self.plugins, Format, form.name):
            return form.describe(live)

    def _rebuild(self, stage: Stage) -> Any:
        model = self.plugins.get(Model, stage.model).known(stage.variant, stage.configuration)
        live = model.build(stage.variant, Weights(kind="random")).stages[0].live
        variant = model.variant(stage.variant)
        for edit in stage.edits:
            operator = self.plugins.get(Operator, edit.operator)
            if operator.replay is None:
                raise ChainError(f"{edit.operator} recorded an edit and offers no replay")
            with blame(self.plugins, Operator, edit.operator):
                live = operator.replay(live, {**edit.values, "variant": variant})
        return live

    def convert(self, stage: Stage, way: tuple[Converter, ...], examples: Any) -> Stage:
        """Return a stage converted along a way, by converters that are given a batch of its inputs.

        Raises:
            CaseFailed: A converter gave another format than it announces.
        """
        for converter in way:
            live = self.live(stage)
            with blame(self.plugins, Converter, converter.name):
                stage = converter.convert(live, examples)
                if stage.format != converter.target:
                    raise CaseFailed(f"gave {stage.format}, not {converter.target}")
        return stage

    def split(self, case: Case, name: str, pipeline: Pipeline) -> Preprocessed:
        """Return a split of a case's inputs as the tensors of its model, as *pipeline* holds it.

        Raises:
            ChainError: It is for training, and the directory of a dataset that the user gave has
                no such samples.
        """
        model = self.plugins.get(Model, case.model)
        bound = model.bound(case.variant, pipeline.resources)
        kept = open_split(self.inputs(case) / name)
        if name == "training" and not len(kept) and case.dataset and case.data:
            layout = self.plugins.get(Dataset, case.dataset).layout
            raise ChainError(
                f"{case.dataset} in {case.data} has no training samples: looked for {layout}"
            )
        return Preprocessed(kept, bound, case.variant)

    def fit(
        self,
        case: Case,
        pipeline: Pipeline,
        stage: Stage,
        *,
        budget: Budget,
        seed: int,
        loss: Callable[..., Any] | None,
        teacher: Stage | None = None,
    ) -> Stage:
        """Train a stage of a pipeline with the trainer of its format.

        The loss makes a scalar of outputs and answers, and of a teacher's outputs if there is one.

        Raises:
            ChainError: Nothing trains stages of its format, or there is no loss.
        """
        if loss is None:
            raise ChainError(f"{stage.model or case.model} gives no loss to be trained with")
        trainers = self.plugins.all(Trainer).values()
        trainer = next((each for each in trainers if each.format == stage.format), None)
        if trainer is None:
            raise ChainError(f"nothing here trains stages of format {stage.format}")
        splits = [self.split(case, name, pipeline) for name in ("training", "validation")]
        live, begin = self.live(stage), time.monotonic()
        with blame(self.plugins, Trainer, trainer.name):
            fitted = trainer.fit(live, loss, *splits, budget, seed, self.progress, teacher=teacher)
        self.trained_s.append(time.monotonic() - begin)
        return fitted


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Another file system, or one without hard links: a copy serves as well.
        shutil.copyfile(source, target)
