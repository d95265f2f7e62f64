"""What an operator is given beside the pipeline: only what it declared a need for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from edgebench.cases.case import BackendChoice
from edgebench.cases.inputs import find_metrics
from edgebench.parts.datasets import Metric
from edgebench.parts.errors import ChainError
from edgebench.parts.pipeline import Pipeline, Profile, Stage, Tensors, join_batches, pick_sample
from edgebench.parts.places import Link, Placement, Quantization
from edgebench.parts.subjects import Budget, Model
from edgebench.prepare.data import Preprocessed, count_bytes, list_shapes
from edgebench.prepare.keys import Keys
from edgebench.prepare.runner import Runner
from edgebench.prepare.stages import Stages
from edgebench.prepare.steps import Operate
from edgebench.store.artifacts import read_pipeline

BATCH = 64
"""The most samples that are scored at once."""
AT_ONCE = 16 * 2**20
"""Bytes of inputs beyond which fewer are: what a model makes of them is far larger."""


@attrs.frozen(eq=False)
class OperatorContext:
    """The `Context` of one application of one operator."""

    runner: Runner
    keys: Keys
    step: Operate
    chosen: dict[str, str | float] = attrs.field(factory=dict)
    """What the operator decided by itself, by what it calls it."""
    doubts: list[str] = attrs.field(init=False)
    """What speaks against what the operator makes: as it notes, and as its profiles say."""

    @doubts.default
    def _list_doubts(self) -> list[str]:
        return [doubt for one in self.step.profiles.values() for doubt in one.doubts]

    @property
    def stages(self) -> Stages:
        """What loads and trains stages."""
        return self.runner.stages

    @property
    def options(self) -> Any:
        """The operator's options."""
        return self.step.operation.options

    @property
    def seed(self) -> int:
        """Derived from the run's seed and the operator's name."""
        return self.step.seed

    def model(self, stage: Stage) -> Model:
        """Return the record of the model that a stage was built from."""
        model = self.stages.plugins.get(Model, stage.model or self.step.case.model)
        return model.known(stage.variant or self.step.case.variant, stage.configuration)

    @property
    def metrics(self) -> Sequence[Metric]:
        """The figures of merit of the case's dataset, the one that decides first."""
        # The dataset is part of the key only with a split of it.
        if not self.step.operation.needs & {"calibration", "training", "validation"}:
            self._check_declared("validation")
        return find_metrics(self.step.case, self.stages.plugins)

    @property
    def placement(self) -> Placement:
        """The placement of the case."""
        if "profile" not in self.step.operation.needs:
            self._check_declared("placement")
        return self.step.case.placement

    @property
    def links(self) -> tuple[Link, ...]:
        """The links between the tiers of the placement, in order."""
        self._check_declared("links")
        return self.step.case.links

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """How long each tier of the placement takes over the pipeline."""
        self._check_declared("profile")
        return self.step.profiles

    @property
    def target(self) -> Quantization:
        """What the backend that will run the pipeline prefers."""
        self._check_declared("target")
        return self.keys.target(self.step.case)

    def inputs(self, split: str) -> Preprocessed:
        """Return a split as the model's tensors."""
        if split == "test":
            raise ChainError(f"{self._name} asks for the test split, which no operator may see")
        self._check_declared(split)
        return self.stages.split(self.step.case, split, self._before)

    def live(self, stage: Stage) -> Stage:
        """Return the stage with its live object."""
        return self.stages.live(stage)

    def fit(
        self,
        stage: Stage,
        *,
        budget: Budget | None = None,
        loss: Callable[..., Any] | None = None,
        teacher: Stage | None = None,
    ) -> Stage:
        """Train a stage with the trainer of its format."""
        self._check_declared("training")
        model = self.model(stage)
        return self.stages.fit(
            self.step.case,
            self._before,
            stage,
            budget=budget or model.budget,
            seed=self.seed % 2**31,
            loss=loss or model.loss,
            teacher=self.live(teacher) if teacher else None,
        )

    @property
    def backends(self) -> Mapping[str, str]:
        """The backends of the case, each with the precision that it computes in."""
        self._check_declared("run")
        return self.runner.precisions

    def run(self, pipeline: Pipeline, inputs: Tensors, *, on: str = "") -> Tensors:
        """Run a pipeline here as it will be deployed; all of it on one backend, if one is named."""
        self._check_declared("run")
        choices = self.runner.list_deployed(pipeline)
        if on:
            choices = [self._choose_backend(on)] * len(pipeline.stages)
        return self.runner.outputs(pipeline, inputs, choices)

    def _choose_backend(self, written: str) -> BackendChoice:
        backends = {str(choice): choice for choice in self.step.case.backends}
        if written not in backends:
            raise ChainError(
                f"{self._name} runs on {written!r}, which is none of the case's backends: "
                f"{', '.join(backends)}"
            )
        return backends[written]

    def score(self, pipeline: Pipeline, split: str) -> Mapping[str, float]:
        """Return the figures of merit of a pipeline on a split."""
        import numpy as np

        chosen = self.inputs(split)
        sizes = [spec.shape[0] for spec in pipeline.stages[0].inputs]
        most = min((size if isinstance(size, int) else BATCH for size in sizes), default=BATCH)
        backends = self._choose_references(pipeline)
        metrics = self.metrics
        totals: dict[str, Any] = {metric.name: 0.0 for metric in metrics}
        for batch in _make_batches(chosen, most):
            inputs = join_batches([tensors for tensors, _ in batch])
            outputs = self.runner.outputs(pipeline, inputs, backends)
            for place, (_, answer) in enumerate(batch):
                one = pick_sample(outputs, place)
                prediction = chosen.model.postprocess(one, self.step.case.variant)
                for metric in metrics:
                    totals[metric.name] += np.asarray(metric.count(prediction, answer), dtype=float)
        return {metric.name: float(metric.value(totals[metric.name])) for metric in metrics}

    def _choose_references(self, pipeline: Pipeline) -> Sequence[BackendChoice]:
        """Choose the reference backends, and note which of them are not usable here."""
        chosen = self.runner.list_references(pipeline)
        names = ", ".join(dict.fromkeys(map(str, chosen)))
        for name, why in self.runner.references.refused.items():
            self.doubt(f"scored on {names}: {name} is not usable here ({why})")
        return chosen

    def prepared(self, model: str, chain: str) -> Pipeline:
        """Return a second prepared pipeline that the operator's `companions` announced."""
        if (model, chain) not in self.step.companions:
            raise ChainError(
                f"{self._name} asks for {model} {chain!r}, which its companions do not announce"
            )
        return read_pipeline(self.step.companions[model, chain])

    def progress(self, done: int, total: int, what: str = "") -> None:
        """Say how far long work has come."""
        self.stages.progress(done, total, what or self.step.what)

    def doubt(self, reason: str) -> None:
        """Note what speaks against the figures of the result."""
        if (said := f"{self._name}: {reason}") not in self.doubts:
            self.doubts.append(said)

    def chose(self, name: str, value: str | float) -> None:
        """Note what the operator decided by itself."""
        self.chosen[name] = value

    @property
    def _before(self) -> Pipeline:
        """The pipeline that the operator started from."""
        return read_pipeline(self.step.before)

    def _check_declared(self, need: str) -> None:
        if need not in self.step.operation.needs:
            raise ChainError(f"{self._name} uses {need!r} and does not declare that it needs it")

    @property
    def _name(self) -> str:
        return self.step.operation.operator.name


def _make_batches(split: Preprocessed, most: int) -> Iterator[list[tuple[Tensors, Any]]]:
    """Yield the samples in their order, as many at once as are of one shape and not too large."""
    batch: list[tuple[Tensors, Any]] = []
    for sample in split:
        tensors, _ = sample
        size = count_bytes(tensors) * (len(batch) + 1)
        other = batch and list_shapes(tensors) != list_shapes(batch[0][0])
        if batch and (other or len(batch) == most or size > AT_ONCE):
            yield batch
            batch = []
        batch.append(sample)
    if batch:
        yield batch
