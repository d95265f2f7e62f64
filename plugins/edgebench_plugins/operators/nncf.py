"""The operator `nncf`: int8 by OpenVINO's own tool, layers given back to floats until it is right.

NNCF (Kozlov et al., arXiv 2002.08679) quantizes after training, corrects biases, and, told what may
be lost, gives the layers back to floats that cost most, until what is lost is less. What it makes
of an ONNX graph are Q/DQ pairs, which every runtime reads.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import attrs

from edgebench import CaseFailed, ChainError, Context, Operator, Pipeline, Stage, Tensors, hookimpl
from edgebench_kit.onnx import graph_files, graphs
from edgebench_kit.onnx.closeness import measure_error
from edgebench_kit.onnx.int8_shares import find_int8_share, find_integer_nodes, name_precision
from edgebench_kit.onnx.quantized_stages import refuse_quantized
from edgebench_kit.onnx.sessions import run_graph, shorten_reason
from edgebench_kit.onnx.silence import keep_silent
from edgebench_kit.onnx.stage_by_stage import change_stages, is_unchanged, list_kinds
from edgebench_kit.onnx.staged_samples import feed_plain, run_on, take_samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench_kit.onnx.plain_graphs import PlainGraph

RANKED = 64
"""How many validation inputs tell which layer costs most; what is lost is measured on all."""
POINTS = 100


@attrs.frozen(kw_only=True)
class NncfOptions:
    """How much may be lost, and how the ranges of the activations are found."""

    max_drop: float = attrs.field(
        default=1.0, validator=[attrs.validators.ge(0), attrs.validators.le(100)]
    )
    """The most that the dataset's first figure of merit may fall on the validation split, in
    points."""
    samples: int = attrs.field(default=100, validator=attrs.validators.ge(1))
    """How many inputs of the calibration split are used, at most."""
    transformer: Literal["auto", "yes", "no"] = "auto"
    """Whether products of attention are treated as those of a transformer; `auto` looks for a
    product of what Softmax gives."""


def apply(pipeline: Pipeline, context: Context) -> Pipeline:
    """Quantize every stage, and give layers back until no more is lost than may be.

    Raises:
        CaseFailed: There is nothing to calibrate with, or the tool fails on the graph.
        ChainError: Nothing of the pipeline can be in int8, or not at so small a loss.
    """
    samples = take_samples(context, context.options.samples)
    validation = _Validation.open(pipeline, context)

    def change(number: int, stage: Stage, plain: PlainGraph, samples: Sequence[Tensors]) -> Stage:
        made = _quantize(stage, plain, number, samples, validation)
        validation.accept(number, made)
        return made

    quantized = change_stages(pipeline, context, samples, change, calibrated=True)
    if is_unchanged(pipeline, quantized):
        _refuse(pipeline, validation)
    for doubt in validation.list_doubts():
        context.doubt(doubt)
    return quantized


@attrs.define(kw_only=True)
class _Validation:
    """What a pipeline is worth on the validation split while its stages are quantized."""

    context: Context
    pipeline: Pipeline
    """The stages quantized so far, the others in floats."""
    metric: str
    """The figure of merit that decides; empty where there is none."""
    began: float
    """What it was in floats, 0 to 1."""
    reached: float
    reverted: list[str] = attrs.field(factory=list)
    """What stays in floats because it costs too much."""

    @classmethod
    def open(cls, pipeline: Pipeline, context: Context) -> _Validation:
        """Score a pipeline in floats."""
        scores: Mapping[str, float] = {}
        if len(context.inputs("validation")):
            scores = context.score(pipeline, "validation")
        name = next(iter(scores), "")
        began = scores.get(name, 0.0)
        return cls(context=context, pipeline=pipeline, metric=name, began=began, reached=began)

    def replaced(self, number: int, stage: Stage) -> Pipeline:
        """Return the pipeline with another stage."""
        stages = list(self.pipeline.stages)
        stages[number] = stage
        return self.pipeline.replaced(stages)

    def score(self, pipeline: Pipeline) -> float:
        """Return what a pipeline is worth."""
        return float(self.context.score(pipeline, "validation")[self.metric])

    def accept(self, number: int, stage: Stage) -> None:
        """Take a stage, and score the pipeline with it."""
        self.pipeline = self.replaced(number, stage)
        if self.metric:
            self.reached = self.score(self.pipeline)

    @property
    def lost(self) -> float:
        """What is lost so far, in points."""
        return POINTS * (self.began - self.reached)

    def take_inputs(self, number: int) -> list[Tensors]:
        """Return what a stage reads of some validation inputs, by the stages before it."""
        split = self.context.inputs("validation")
        samples = [tensors for (tensors, _), _ in zip(split, range(RANKED), strict=False)]
        for before in range(number):
            samples = run_on(self.pipeline, before, self.pipeline.stages[before], samples)
        return samples

    def list_doubts(self) -> Iterator[str]:
        """Yield what was not controlled, what was given back to floats, and what is lost still."""
        allowed = self.context.options.max_drop
        if not self.metric:
            yield "no figure of merit on a validation split: quantized without control of accuracy"
        if self.reverted:
            yield (
                f"given back to floats, since the loss in int8 was over {allowed:g} points: "
                f"{', '.join(self.reverted)}"
            )
        if self.lost > allowed + 1e-9:
            yield (
                f"{self.metric} falls from {self.began:.3f} to {self.reached:.3f} on the "
                f"validation split, by more than the {allowed:g} points that it may"
            )


def _quantize(
    stage: Stage,
    plain: PlainGraph,
    number: int,
    samples: Sequence[Tensors],
    validation: _Validation,
) -> Stage:
    """Return one stage with Q/DQ pairs; the same where it has none.

    Raises:
        CaseFailed: The tool fails on the graph.
    """
    model = graph_files.read_graph(plain.path)
    run = _Run(stage=stage, plain=plain, number=number, validation=validation, model=model)
    try:
        with keep_silent(logging.ERROR):
            feeds = feed_plain(stage, plain, samples)
            plainly, controlled = run.quantize(feeds)
            run_graph(controlled, feeds[:1])  # of what it does not know it makes what none opens
    except (CaseFailed, ChainError):
        raise
    except Exception as error:
        said = plain.labels.explain(shorten_reason(error))
        raise CaseFailed(
            f"nncf does not quantize the graph: {type(error).__name__}: {said}"
        ) from error
    validation.reverted += _list_reverted(plainly, controlled, plain)
    made = plain.restore(controlled)
    if not graphs.is_quantized(made):
        return stage
    return stage.changed(made, precision=name_precision(find_int8_share(made)))


@attrs.frozen(kw_only=True)
class _Run:
    """One graph given to the tool."""

    stage: Stage
    plain: PlainGraph
    number: int
    validation: _Validation
    model: Any

    def quantize(self, feeds: Sequence[Tensors]) -> tuple[Any, Any]:
        """Return the graph quantized outright, and as far as the loss allows."""
        import nncf  # type: ignore[import-untyped]

        said = {
            "subset_size": len(feeds),
            "model_type": nncf.ModelType.TRANSFORMER if self._is_transformer() else None,
        }
        calibration = nncf.Dataset(feeds)
        plainly = nncf.quantize(self.model, calibration, **said)
        if (
            not self.validation.metric
            or self.validation.reached - self._score(plainly) <= self._allowed
        ):
            return plainly, plainly
        inputs = feed_plain(self.stage, self.plain, self.validation.take_inputs(self.number))
        wanted = run_graph(self.model, inputs)
        controlled = nncf.quantize_with_accuracy_control(
            self.model,
            calibration,
            nncf.Dataset(list(zip(inputs, wanted, strict=True))),
            validation_fn=lambda graph, some: self._validate(graph, list(some), len(inputs)),
            max_drop=max(0.0, self._allowed),
            drop_type=nncf.DropType.ABSOLUTE,
            **said,
        )
        return plainly, controlled

    @property
    def _allowed(self) -> float:
        """What may still be lost, of 1, after what the stages before have lost."""
        most: float = self.validation.context.options.max_drop
        return (most - self.validation.lost) / POINTS

    def _validate(
        self, graph: Any, some: list[tuple[Tensors, Any]], whole: int
    ) -> tuple[float, list[float]]:
        """Return what the pipeline is worth with a graph, and how near it is to the floats.

        By how near it is, for each of some inputs, the tool ranks the layers; it ranks no outputs
        of ONNX graphs itself. Then what the pipeline is worth does not matter.
        """
        outputs = run_graph(graph, [given for given, _ in some])
        nearness = [
            -measure_error(*pair) for pair in zip((w for _, w in some), outputs, strict=True)
        ]
        return (self._score(graph) if len(some) == whole else 0.0), nearness

    def _score(self, graph: Any) -> float:
        copy = type(graph).FromString(graph.SerializeToString())
        stage = self.stage.changed(self.plain.restore(copy))
        return self.validation.score(self.validation.replaced(self.number, stage))

    def _is_transformer(self) -> bool:
        wish = self.validation.context.options.transformer
        nodes = self.model.graph.node
        attending = {name for node in nodes if node.op_type == "Softmax" for name in node.output}
        found = any(node.op_type == "MatMul" and attending & set(node.input) for node in nodes)
        return found if wish == "auto" else wish == "yes"


def _list_reverted(plainly: Any, controlled: Any, plain: PlainGraph) -> list[str]:
    """Name the nodes with weights that read integers in the one graph, and not in the other."""
    before, after = (find_integer_nodes(one) for one in (plainly, controlled))
    return sorted(map(plain.labels.explain, before - after))


def _refuse(pipeline: Pipeline, validation: _Validation) -> NoReturn:
    """Refuse a pipeline of which nothing is in int8.

    Raises:
        ChainError: Always, with the reason.
    """
    if validation.reverted:
        raise ChainError(
            f"nothing in it can be in int8 at a loss of at most "
            f"{validation.context.options.max_drop:g} points of {validation.metric}; "
            "allow more with max-drop="
        )
    raise ChainError(
        f"nothing in it can be quantized: nncf knows none of its nodes ({list_kinds(pipeline)})"
    )


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer quantization that holds to an accuracy."""
    yield Operator(
        name="nncf",
        summary="Quantize to int8 with NNCF, as far as a loss of accuracy that may be allows.",
        apply=apply,
        options=NncfOptions,
        needs=["calibration", "validation"],
        reads=["onnx"],
        writes="onnx",
        accepts=refuse_quantized,
        once=graphs.QUANTIZED,
    )
