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
        trainers = self.stages.plugins.all(Trainer).values()
        trainer = next((each for each in trainers if each.format == stage.format), None)
        if trainer is None:
            raise ChainError(f"nothing here trains stages of format {stage.format}")
        return trainer.fit(
            self.stages.live(stage),
            loss,
            self.split(case, "training", pipeline),
            self.split(case, "validation", pipeline),
            budget,
            seed,
            self.progress,
            teacher=teacher,
        )
