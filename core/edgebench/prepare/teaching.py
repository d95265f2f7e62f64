"""The data of a case as tensors, and training on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from edgebench.cases.case import Case
from edgebench.parts.changes import Trainer
from edgebench.parts.errors import ChainError
from edgebench.parts.pipeline import Pipeline, Stage
from edgebench.parts.subjects import Budget, Model
from edgebench.prepare.data import Preprocessed
from edgebench.prepare.stages import Stages
from edgebench.store.splits import open_split

Progress = Callable[[int, int, str], None]
"""Called with how much is done, of how much, and what it is."""


@attrs.frozen(kw_only=True)
class Lesson:
    """What a trainer is told beside the stage and its data."""

    budget: Budget
    seed: int
    loss: Callable[..., Any] | None
    """From outputs and answers, and a teacher's outputs, to a scalar; None where there is none."""
    teacher: Stage | None = None


@attrs.frozen(eq=False)
class Teaching:
    """Gives the splits of cases, and trains stages on them."""

    stages: Stages
    inputs: Callable[[Case], Path]
    """From a case to the directory of its kept splits, made if need be."""
    progress: Progress

    def split(self, case: Case, name: str, pipeline: Pipeline) -> Preprocessed:
        """Return a split of a case's inputs as the tensors of its model, as *pipeline* holds it."""
        model = self.stages.plugins.get(Model, case.model)
        bound = model.bound(case.variant, pipeline.resources)
        return Preprocessed(open_split(self.inputs(case), name), bound, case.variant)

    def fit(self, case: Case, pipeline: Pipeline, stage: Stage, lesson: Lesson) -> Stage:
        """Train a stage of a pipeline with the trainer of its format.

        Raises:
            ChainError: Nothing trains stages of its format, or there is no loss.
        """
        if lesson.loss is None:
            raise ChainError(f"{stage.model or case.model} gives no loss to be trained with")
        return self.trainer(stage.format).fit(
            self.stages.live(stage),
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
        for trainer in self.stages.plugins.all(Trainer).values():
            if trainer.format == form:
                return trainer
        raise ChainError(f"nothing here trains stages of format {form}")
