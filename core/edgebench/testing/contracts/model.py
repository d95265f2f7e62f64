"""What a model promises."""

from __future__ import annotations

from typing import Any

import attrs

from edgebench.cases.case import Case
from edgebench.parts.changes import Format
from edgebench.parts.datasets import Dataset
from edgebench.parts.errors import EdgebenchError, one_line
from edgebench.parts.pipeline import Pipeline, TensorSpec
from edgebench.parts.subjects import Model, Variant, Weights
from edgebench.prepare.data import Preprocessed
from edgebench.store.artifacts import read_pipeline
from edgebench.testing.contracts.contract import Contract, NotChecked, doubt, hold
from edgebench.testing.contracts.handling import list_heavy_handling
from edgebench.testing.contracts.operator import check_answers
from edgebench.testing.contracts.running import run_here
from edgebench.testing.contracts.subjects import KINDS_OF_WEIGHTS, make_case

LARGEST = 20_000_000
"""Parameters beyond which a variant is not built to be tried."""
LOOKED_AT = 3
"""Samples that are handled."""


class ModelContract(Contract):
    """What a model promises: its smallest variant, or that which `model` names, untrained."""

    kind = Model

    # --- promises --------------------------------------------------------------------------------

    def test_it_builds_one_stage(self) -> None:
        """It builds one stage with a live object, in the format that it announces."""
        pipeline = self._built()
        hold(isinstance(pipeline, Pipeline), f"build gives {type(pipeline).__name__}")
        hold(len(pipeline.stages) == 1, f"build gives {len(pipeline.stages)} stages, not one")
        (stage,) = pipeline.stages
        hold(stage.live is not None, "the stage that it builds has no live object")
        said = self.part.format
        hold(not said or stage.format == said, f"it announces {said}, and builds {stage.format}")
        if not said:
            doubt("it does not say in which format it builds: chains cannot be checked beforehand")

    def test_the_same_seed_builds_the_same(self) -> None:
        """Built again under the same seed it is the same, and under another seed another."""
        first, again = (self._digest(self._build(seed=0)) for _ in range(2))
        hold(first == again, "built twice under the same seed, it is written as different files")
        if "random" in self._variant().weights and first == self._digest(self._build(seed=1)):
            doubt("another seed builds the same weights")

    def test_its_parameters_are_true(self) -> None:
        """It has as many parameters as it announces."""
        said, stage = self._variant().parameters, self._built().stages[0]
        form = self.bench.plugins.get(Format, stage.format)
        found = form.describe(stage).parameters if form.describe else stage.parameters
        if said is None or found is None:
            raise NotChecked("nobody says, or nobody can count, how many there are")
        hold(said == found, f"it announces {said:,} parameters and has {found:,}")

    def test_its_requests_fit_its_inputs(self) -> None:
        """What it makes of a request is a batch of one that fits the inputs of its stage."""
        pipeline = self._built()
        for tensors, _ in self._samples():
            hold(
                isinstance(tensors, dict) or hasattr(tensors, "items"),
                f"preprocess gives {type(tensors).__name__}, not tensors by name",
            )
            for spec in pipeline.inputs:
                hold(spec.name in tensors, f"preprocess gives no {spec.name!r}")
                wrong = _say_misfit(spec, tensors[spec.name])
                hold(not wrong, f"preprocess gives {spec.name!r} {wrong}")

    def test_its_answers_are_taken(self) -> None:
        """It runs, and what it makes of the outputs is counted by its metrics and encoded."""
        case, pipeline = self._case(), self._built()
        bound = self.part.bound(case.variant, pipeline.resources)
        metrics = self._dataset().metrics() if case.dataset else ()
        base = read_pipeline(self.bench.maker.base(case))
        counts: dict[str, int] = {}
        for tensors, answer in self._samples():
            outputs = run_here(self.bench, case, base, tensors)
            check_answers(pipeline, tensors, outputs)
            prediction = bound.postprocess(outputs, case.variant)
            encoded = bound.encode(prediction)
            hold(isinstance(encoded, bytes), f"encode gives {type(encoded).__name__}, not bytes")
            for metric in metrics:
                try:
                    counted = list(metric.count(prediction, answer))
                except Exception as error:
                    raise AssertionError(
                        f"the metric {metric.name} does not take its answer: {one_line(error)}"
                    ) from error
                number = counts.setdefault(metric.name, len(counted))
                hold(number == len(counted), f"{metric.name} gives now {number} counts, now others")

    def test_handling_requests_needs_no_framework(self) -> None:
        """Decoding and preprocessing a request imports no framework."""
        case = self._case()
        if not case.dataset:
            raise NotChecked("it has no dataset, so there is no request to handle")
        payload = next(iter(self._payloads()))[0]
        heavy = list_heavy_handling(self.bench, case, payload)
        form = self._built().stages[0].format
        hold(
            not heavy,
            f"handling a request imports {', '.join(heavy)}: a host that runs another format than "
            f"{form} need not have that",
        )

    # --- what they stand on ----------------------------------------------------------------------

    def _variant(self) -> Variant:
        model = self.part
        if model.from_file is not None:
            raise NotChecked("it is a file: none is named")
        if self.model:
            variant: Variant = model.variant(self.model.rpartition(":")[2])
            return variant
        usable = [one for one in model.variants if set(KINDS_OF_WEIGHTS) & set(one.weights)]
        if not usable:
            raise NotChecked("all of its weights must be downloaded or given")
        smallest: Variant = min(usable, key=lambda one: one.parameters or 0)
        if (smallest.parameters or 0) > LARGEST:
            raise NotChecked(f"its smallest variant has {smallest.parameters:,} parameters")
        return smallest

    def _case(self) -> Case:
        variant = self._variant()
        try:
            return make_case(self.bench, self.part, variant)
        except EdgebenchError as error:
            raise NotChecked(str(error)) from error

    def _dataset(self) -> Dataset:
        return self.bench.plugins.get(Dataset, self._case().dataset)

    def _build(self, seed: int = 0) -> Pipeline:
        variant = self._variant()
        kind = next(one for one in KINDS_OF_WEIGHTS if one in variant.weights)
        built: Pipeline = self.part.build(variant.name, Weights(kind=kind, seed=seed))
        return built

    def _built(self) -> Pipeline:
        if "built" not in self.tried:
            self.tried["built"] = self._build()
        pipeline: Pipeline = self.tried["built"]
        return pipeline

    def _digest(self, pipeline: Pipeline) -> str:
        variant = self._variant()
        found = []
        for stage in pipeline.stages:
            named = attrs.evolve(stage, model=self.part.name, variant=variant.name)
            found.append(self.bench.digest_live(named))
        return " ".join(found)

    def _payloads(self) -> Any:
        dataset = self._dataset()
        if dataset.samples is None:
            raise NotChecked(f"its dataset {dataset.name} has to be given")
        return dataset.samples("test", 0)

    def _samples(self) -> Any:
        """Yield some requests as tensors, each with its answer."""
        case = self._case()
        split: Preprocessed = self.bench.stages.split(case, "test", self._built())
        return [sample for _, sample in zip(range(LOOKED_AT), split, strict=False)]


def _say_misfit(spec: TensorSpec, array: Any) -> str:
    """Say how an array is no batch of one that a specification allows; nothing if it is."""
    if array.dtype.name != spec.dtype:
        return f"as {array.dtype.name}, not as {spec.dtype}"
    fits = len(array.shape) == len(spec.shape) and all(
        isinstance(wanted, str) or wanted == size
        for wanted, size in zip(spec.shape, array.shape, strict=True)
    )
    return "" if fits else f"of shape {array.shape}, not {spec.shape}"
