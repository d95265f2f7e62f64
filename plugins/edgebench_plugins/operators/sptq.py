"""The operator `sptq`: static post-training quantization to int8, kept as Q/DQ pairs."""

from __future__ import annotations

from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import attrs

from edgebench import (
    CaseFailed,
    Context,
    Operator,
    Pipeline,
    Quantization,
    Stage,
    Tensors,
    Usable,
    hookimpl,
)
from edgebench_kit.onnx import attention_masks, graph_files, graphs
from edgebench_kit.onnx.activation_ranges import Extremes, find_extremes, find_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OPSET = 13
"""The first operator set in which weights may have a step for each channel."""


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

    Raises:
        CaseFailed: There is nothing to calibrate with, or it is not finite.
    """
    samples = _samples(context)
    stages: list[Stage] = []
    for number, stage in enumerate(pipeline.stages):
        context.progress(number, len(pipeline.stages), "quantizing")
        stages.append(_quantized(stage, samples, context.options, context.target))
        if number + 1 < len(pipeline.stages):
            alone = attrs.evolve(
                pipeline, stages=stages[-1:], cuts=(), outputs=[spec.name for spec in stage.outputs]
            )
            needed = pipeline.crossing(number + 1)
            samples = [
                {name: array for name, array in after.items() if name in needed}
                for sample in samples
                for after in [{**sample, **context.run(alone, sample)}]
            ]
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


def _quantized(
    stage: Stage, samples: Sequence[Tensors], options: SptqOptions, target: Quantization
) -> Stage:
    """Return one stage with Q/DQ pairs, its weights kept as integers; masked scores stay floats."""
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    kinds = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
    feeds = [{spec.inside: sample[spec.name] for spec in stage.inputs} for sample in samples]
    with TemporaryDirectory(prefix="edgebench-") as scratch:
        directory = Path(scratch)
        before, after = _preprocessed(stage, directory), directory / "after.onnx"
        found = find_extremes(before, feeds)
        masked = attention_masks.find_marked(before, found)
        kept = {name: ends for name, ends in found.items() if name not in masked}
        quantize_static(
            before,
            after,
            quant_format=QuantFormat.QDQ,
            per_channel=target.per_channel,
            activation_type=kinds[target.activation],
            weight_type=kinds[target.weight],
            calibrate_method=_method(options),
            nodes_to_exclude=attention_masks.find_nodes(before, masked),
            calibration_cache_path=_calibrated(before, feeds, kept, options, target),
            use_external_data_format=True,
            extra_options={"ActivationSymmetric": target.symmetric_activation},
        )
        return stage.changed(_tidy(onnx.load_model(after)), precision="int8")


def _preprocessed(stage: Stage, directory: Path) -> Path:
    """Write the graph with shapes inferred and batch norms folded, as quantizing needs."""
    import onnx

    plain = _modern(stage, directory)
    folded, ready = directory / "folded.onnx", directory / "ready.onnx"
    _fold(plain, folded)
    onnx.shape_inference.infer_shapes_path(folded, ready)
    model = onnx.load_model(ready, load_external_data=False)
    model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    _name(model.graph)
    ready.write_bytes(model.SerializeToString())
    return ready


def _name(graph: Any) -> None:
    """Name each node that has no name: by names the quantizer is told which to leave out."""
    taken = {node.name for node in graph.node}
    for number, node in enumerate(graph.node):
        if not node.name:
            free = (f"{node.op_type}.{other}" for other in count(number))
            node.name = next(name for name in free if name not in taken)
            taken.add(node.name)


def _modern(stage: Stage, directory: Path) -> Path:
    """Return the stage's file, or that of its graph brought to what the quantizer needs."""
    import onnx

    model = stage.live
    versions = {one.domain: one.version for one in model.opset_import}
    if versions.get("", OPSET) >= OPSET and model.ir_version >= graphs.SEPARATE_WEIGHTS:
        return (
            stage.file
            if stage.directory
            else directory / graph_files.write_graph(model, directory)[0]
        )
    try:
        model = graphs.raise_opset(model, OPSET)
    except (RuntimeError, onnx.version_converter.ConvertError) as error:
        raise CaseFailed(
            f"the graph's operator set {versions['']} cannot be brought to {OPSET}, which int8 "
            f"needs: {str(error).strip().splitlines()[0]}"
        ) from error
    return directory / graph_files.write_graph(model, directory)[0]


def _fold(plain: Path, folded: Path) -> None:
    """Let the runtime write what it makes of a graph on any machine, the weights beside it.

    The quantizer's own preparation does the same, and loads all weights twice meanwhile.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folded)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_file_name", "folded.data"
    )
    # It runs nothing, so its kernels need no copies of the weights laid out for them.
    options.add_session_config_entry("session.disable_prepacking", "1")
    onnxruntime.InferenceSession(plain, options, providers=["CPUExecutionProvider"])


def _calibrated(
    path: Path,
    feeds: Sequence[Tensors],
    found: Extremes,
    options: SptqOptions,
    target: Quantization,
) -> Path:
    """Write down the range of each tensor whose ends were found on the samples."""
    from onnxruntime.quantization.calibrate import save_tensors_data

    symmetric = target.symmetric_activation
    chosen = find_ranges(path, feeds, found, options.calibration, symmetric=symmetric)
    written = path.with_suffix(".json")
    save_tensors_data(chosen, written)
    return written


def _method(options: SptqOptions) -> Any:
    from onnxruntime.quantization import CalibrationMethod

    return {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }[options.calibration]


def _tidy(model: Any) -> Any:
    """Take out the operator sets that no node uses, and the quantizer's notes; infer shapes."""
    used = {node.domain for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    model.ClearField("metadata_props")
    graphs.note_infos(model)
    return model


def accepts(pipeline: Pipeline) -> Usable:
    """Refuse what is quantized already."""
    quantized = (stage.format == "onnx" and _holds_quantized(stage) for stage in pipeline.stages)
    return f"it is {graphs.QUANTIZED}" if any(quantized) else True


def _holds_quantized(stage: Stage) -> bool:
    import onnx

    if stage.live is None and stage.directory is None:
        return stage.precision == "int8"
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
