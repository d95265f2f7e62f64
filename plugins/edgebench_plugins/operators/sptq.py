"""The operator `sptq`: static post-training quantization to int8, kept as Q/DQ pairs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import attrs

from edgebench import (
    CaseFailed,
    ChainError,
    Context,
    Operator,
    Pipeline,
    Stage,
    Tensors,
    Usable,
    hookimpl,
)
from edgebench_kit.onnx import attention_masks, graph_files, graphs
from edgebench_kit.onnx.activation_ranges import find_extremes, find_ranges
from edgebench_kit.onnx.closeness import Closeness, list_answers
from edgebench_kit.onnx.plain_graphs import PlainGraph
from edgebench_kit.onnx.sessions import open_session
from edgebench_kit.onnx.static_quantizer import Quantizer, name_precision

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

COMPARED = 32
"""How many inputs the quantized graphs are compared with those in floats on, one at a time.

Calibrating runs the graph in floats on 100 unless told otherwise; these take less than that again,
and no more memory than the two graphs and one sample."""


@attrs.frozen(kw_only=True)
class SptqOptions:
    """How the ranges of the activations are found."""

    calibration: Literal["minmax", "entropy", "percentile"] = "minmax"
    """The range that was seen, the one that loses least information, or all but the outermost
    0.001 %."""
    samples: int = attrs.field(default=100, validator=attrs.validators.ge(1))
    """How many inputs of the calibration split are used, at most."""


def apply(pipeline: Pipeline, context: Context) -> Pipeline:
    """Quantize every stage, each calibrated with what the quantized ones before it give.

    What comes out is compared with the pipeline in floats; where they are far apart, that is a
    doubt.

    Raises:
        CaseFailed: There is nothing to calibrate with, or it is not finite.
        ChainError: Nothing of the pipeline can be quantized.
    """
    samples = _samples(context)
    floats = samples[:COMPARED]
    stages: list[Stage] = []
    closenesses = list_answers(pipeline)
    for number, stage in enumerate(pipeline.stages):
        context.progress(number, len(pipeline.stages), "quantizing")
        with TemporaryDirectory(prefix="edgebench-") as scratch:
            plain = PlainGraph.make(stage.live, Path(scratch))
            stages.append(_quantize(stage, plain, samples, context))
            floats = _compare(plain, stages[-1], floats, samples, closenesses)
        if number + 1 < len(pipeline.stages):
            samples = _run_on(pipeline, number, stages[-1], samples)
    _check_quantized(pipeline, stages)
    for closeness in closenesses.values():
        for fault in closeness.list_faults():
            context.doubt(f"against floats, on {len(floats)} calibration inputs, {fault}")
    context.progress(len(pipeline.stages), len(pipeline.stages), "quantizing")
    return pipeline.replaced(stages)


def _samples(context: Context) -> list[Tensors]:
    """Return the inputs to calibrate with; never empty, and every number finite."""
    import numpy as np

    split = context.inputs("calibration")
    samples = [tensors for tensors, _ in islice(split, context.options.samples)]
    if not samples:
        raise CaseFailed("the calibration split is empty: nothing to calibrate with")
    for number, sample in enumerate(samples):
        for name, array in sample.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise CaseFailed(f"calibration sample {number} holds NaN or infinity in {name!r}")
    return samples


def _quantize(
    stage: Stage, plain: PlainGraph, samples: Sequence[Tensors], context: Context
) -> Stage:
    """Return one stage with Q/DQ pairs, its weights kept as integers; masked scores stay floats.

    It is the same stage where nothing in it can be quantized.
    """
    feeds = [
        plain.read_inputs({spec.inside: sample[spec.name] for spec in stage.inputs})
        for sample in samples
    ]
    found = find_extremes(plain.path, feeds)
    masked = attention_masks.find_marked(plain.path, found)
    kept = {name: ends for name, ends in found.items() if name not in masked}
    method, symmetric = context.options.calibration, context.target.symmetric_activation
    quantizer = Quantizer(
        path=plain.path,
        labels=plain.labels,
        ranges=find_ranges(plain.path, feeds, kept, method, symmetric=symmetric),
        target=context.target,
        feed=feeds[0],
    )
    model, left = quantizer.quantize()
    if left:
        context.doubt(f"left in floats, since no runtime opens the graph otherwise: {left}")
    if not graphs.is_quantized(model):
        return stage
    model = plain.restore(model)
    return stage.changed(model, precision=name_precision(model))


def _compare(
    plain: PlainGraph,
    stage: Stage,
    floats: Sequence[Tensors],
    samples: Sequence[Tensors],
    closenesses: dict[str, Closeness],
) -> list[Tensors]:
    """Add what a graph in floats and the quantized one give to the closeness of the answers.

    *floats* are the inputs of the one, *samples* those of the other. Returned is what is known
    after the one in floats.
    """
    directory = plain.path.parent / "quantized"
    directory.mkdir()
    quantized = open_session(directory / graph_files.write_graph(stage.live, directory)[0])
    original = open_session(plain.original)
    known: list[Tensors] = []
    for before, given in zip(floats, samples, strict=False):
        right = _run_stage(stage, original, before, plain.names.ends)
        other = _run_stage(stage, quantized, given, {})
        for name in right.keys() & closenesses.keys():
            closenesses[name] = closenesses[name].add(right[name], other[name])
        known.append({**before, **right})
    return known


def _run_stage(
    stage: Stage, session: Any, tensors: Tensors, labels: Mapping[str, str]
) -> dict[str, Any]:
    """Run a stage's graph, whose ends go by labels, and return its outputs by their names."""
    given = {labels.get(spec.inside, spec.inside): tensors[spec.name] for spec in stage.inputs}
    wanted = [labels.get(spec.inside, spec.inside) for spec in stage.outputs]
    written = session.run(wanted, given)
    return {spec.name: array for spec, array in zip(stage.outputs, written, strict=True)}


def _run_on(
    pipeline: Pipeline, number: int, stage: Stage, samples: Sequence[Tensors]
) -> list[Tensors]:
    """Return what the stages after one that is quantized are calibrated with.

    By the quantizer's own runtime, as its ranges are found: so the same int8 graph comes out
    whichever backend it is for, and is made once.
    """
    needed = pipeline.crossing(number + 1)
    with TemporaryDirectory(prefix="edgebench-") as scratch:
        session = open_session(Path(scratch, graph_files.write_graph(stage.live, Path(scratch))[0]))
        return [
            {name: array for name, array in after.items() if name in needed}
            for sample in samples
            for after in [{**sample, **_run_stage(stage, session, sample, {})}]
        ]


def _check_quantized(pipeline: Pipeline, stages: Sequence[Stage]) -> None:
    """Refuse a pipeline of which nothing became int8.

    Raises:
        ChainError: No stage changed.
    """
    if all(one is other for one, other in zip(pipeline.stages, stages, strict=True)):
        kinds = {node.op_type for stage in stages for node in stage.live.graph.node}
        raise ChainError(
            "nothing in it can be quantized: the quantizer knows none of its nodes "
            f"({', '.join(sorted(kinds))}) on 32-bit floats"
        )


def accepts(pipeline: Pipeline) -> Usable:
    """Refuse what is quantized already."""
    quantized = (stage.format == "onnx" and _holds_quantized(stage) for stage in pipeline.stages)
    return f"it is {graphs.QUANTIZED}" if any(quantized) else True


def _holds_quantized(stage: Stage) -> bool:
    import onnx

    if stage.live is None and stage.directory is None:
        return stage.precision.startswith("int8")
    model = stage.live or onnx.load_model(stage.file, load_external_data=False)
    return graphs.is_quantized(model)


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer static quantization."""
    yield Operator(
        name="sptq",
        summary="Quantize weights and activations to int8, calibrated on real inputs.",
        apply=apply,
        options=SptqOptions,
        needs=["calibration", "target"],
        reads=["onnx"],
        writes="onnx",
        accepts=accepts,
        once=graphs.QUANTIZED,
    )
