"""What an operator is given beside the pipeline: only what it declared a need for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.components import Budget, Dataset, Link, Model, Placement, Quantization, Split
from edgebench.errors import ChainError
from edgebench.pipeline import Pipeline, Stage, Tensors
from edgebench.prepare.data import Preprocessed, stacked
from edgebench.prepare.recipe import Operate, companion_case

if TYPE_CHECKING:
    from edgebench.case import Case
    from edgebench.prepare.make import Maker
    from edgebench.prepare.run import Runner

__all__ = ["OperatorContext"]

BATCH = 64


@attrs.frozen(eq=False)
class OperatorContext:
    """The `Context` of one application of one operator."""

    maker: Maker
    case: Case
    step: Operate
    runner: Runner

    @classmethod
    @contextmanager
    def open(cls, maker: Maker, case: Case, step: Operate) -> Iterator[OperatorContext]:
        """Give a context; what it opened is closed when the operator is done."""
        with maker.runner() as runner:
            yield cls(maker, case, step, runner)

    @property
    def options(self) -> Any:
        """The operator's options."""
        return self.step.options

    @property
    def seed(self) -> int:
        """Derived from the run's seed and the operator's name."""
        return self.step.seed

    @property
    def placement(self) -> Placement:
        """The placement of the case."""
        self._declared("placement")
        return self.case.placement

    @property
    def links(self) -> tuple[Link, ...]:
        """The links between the tiers of the placement, in order."""
        self._declared("links")
        return self.case.links

    @property
    def target(self) -> Quantization:
        """What the backend that will run the pipeline prefers."""
        self._declared("target")
        return self.maker.recipes.target(self.case)

    def inputs(self, split: str) -> Split:
        """Return a split as the model's tensors."""
        return self._split(split)

    def live(self, stage: Stage) -> Stage:
        """Return the stage with its live object."""
        return self.maker.live(stage)

    def fit(
        self, stage: Stage, *, budget: Budget | None = None, teacher: Stage | None = None
    ) -> Stage:
        """Train a stage with the trainer of its format and its model's loss."""
        self._declared("training")
        model = self.maker.recipes.plugins.get(Model, stage.model or self.case.model)
        return self.maker.fit(
            self.case,
            stage,
            model,
            budget=budget,
            teacher=self.live(teacher) if teacher else None,
            seed=self.seed % 2**31,
        )

    def run(self, pipeline: Pipeline, inputs: Tensors) -> Tensors:
        """Run a pipeline here and return its outputs; exits are left aside."""
        tensors = self.runner.pipeline(pipeline, inputs)
        return {name: tensors[name] for name in pipeline.outputs}

    def score(self, pipeline: Pipeline, split: str) -> Mapping[str, float]:
        """Return the figures of merit of a pipeline on a split."""
        import numpy as np

        samples = iter(self._split(split))
        plugins = self.maker.recipes.plugins
        model = plugins.get(Model, self.case.model)
        metrics = plugins.get(Dataset, self.case.dataset).metrics()
        totals: dict[str, Any] = {metric.name: 0.0 for metric in metrics}
        while batch := list(islice(samples, BATCH)):
            outputs = self.run(pipeline, stacked([tensors for tensors, _ in batch]))
            for row, (_, answer) in enumerate(batch):
                one = {name: values[row : row + 1] for name, values in outputs.items()}
                prediction = model.postprocess(one, self.case.variant)
                for metric in metrics:
                    totals[metric.name] += np.asarray(metric.count(prediction, answer), dtype=float)
        return {metric.name: float(metric.value(totals[metric.name])) for metric in metrics}

    def prepared(self, model: str, chain: str) -> Pipeline:
        """Return a second prepared pipeline that the operator's `companions` announced."""
        announced = self.step.operator.companions(self.options, self.case.model, self.case.variant)
        if (model, chain) not in [tuple(pair) for pair in announced]:
            raise ChainError(
                f"{self.step.operator.name} asks for {model} {chain!r}, "
                "which its companions do not announce"
            )
        other = companion_case(self.maker.recipes.plugins, self.case, model, chain)
        return self.maker.companion(other)

    def progress(self, done: int, total: int, what: str = "") -> None:
        """Say how far long work has come."""
        self.maker.progress(done, total, what or self.step.what)

    def _split(self, split: str) -> Preprocessed:
        if split == "test":
            raise ChainError(
                f"{self.step.operator.name} asks for the test split, which no operator may see"
            )
        self._declared(split)
        return self.maker.split(self.case, split)

    def _declared(self, need: str) -> None:
        if need not in self.step.operator.needs:
            raise ChainError(
                f"{self.step.operator.name} uses {need!r} and does not declare that it needs it"
            )
