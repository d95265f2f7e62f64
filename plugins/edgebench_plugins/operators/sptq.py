"""The operator `sptq`: static post-training quantization to int8, kept as Q/DQ pairs."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from itertools import islice
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BINS = 512
LEVELS = 255
"""Bins of the histograms for `entropy`, and how many values int8 has for them on both sides of 0.

The quantizer's own default is 128 of each: then the whole range is the only one it tries, and the
result is that of `minmax` to the last byte. More bins take time that grows with their square."""


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
            samples = [{**sample, **context.run(alone, sample)} for sample in samples]
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
    """Return one stage with Q/DQ pairs, its weights kept as integers."""
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    kinds = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
    feeds = [{spec.inside: sample[spec.name] for spec in stage.inputs} for sample in samples]
    with TemporaryDirectory(prefix="edgebench-") as scratch:
        directory = Path(scratch)
        before, after = _preprocessed(stage.live, directory), directory / "after.onnx"
        quantize_static(
            before,
            after,
            quant_format=QuantFormat.QDQ,
            per_channel=target.per_channel,
            activation_type=kinds[target.activation],
            weight_type=kinds[target.weight],
            calibrate_method=_method(options),
            calibration_cache_path=_calibrated(before, feeds, options, target),
            use_external_data_format=True,
            extra_options={"ActivationSymmetric": target.symmetric_activation},
        )
        return stage.changed(_tidy(onnx.load_model(after)), precision="int8")


def _preprocessed(model: Any, directory: Path) -> Path:
    """Write the graph with shapes inferred and batch norms folded, as quantizing needs."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    plain, ready = directory / "plain.onnx", directory / "ready.onnx"
    # Weights go beside the graph whatever its size: one way for all, and no limit of 2 GiB. A copy,
    # because that takes them out of the object.
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    onnx.save_model(copy, plain, save_as_external_data=True, location="plain.data")
    quant_pre_process(
        plain,
        ready,
        skip_symbolic_shape=True,  # exported graphs carry their shapes
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        external_data_location="ready.data",
    )
    return ready


def _calibrated(
    path: Path, feeds: Sequence[Tensors], options: SptqOptions, target: Quantization
) -> Path:
    """Run the graph on the samples, and write down the range of each of its tensors.

    `quantize_static` would do so itself, but passes neither the bins nor the symmetry on.
    """
    from onnxruntime.quantization.calibrate import create_calibrator, save_tensors_data

    settings: dict[str, Any] = {"symmetric": target.symmetric_activation}
    if options.calibration == "entropy":
        settings |= {"num_bins": BINS, "num_quantized_bins": LEVELS}
    ranges = path.with_suffix(".json")
    with redirect_stdout(io.StringIO()):  # it prints how it is getting on
        calibrator = create_calibrator(
            path,
            augmented_model_path=str(path.with_name("augmented.onnx")),
            calibrate_method=_method(options),
            use_external_data_format=True,
            extra_options=settings,
        )
        calibrator.collect_data(_Reader(iter(feeds)))
        save_tensors_data(calibrator.compute_data(), ranges)
    return ranges


@attrs.frozen
class _Reader:
    """The samples, one at a time, as the calibrator asks for them."""

    feeds: Iterator[Tensors]

    def get_next(self) -> Tensors | None:
        """Return the next sample; None when there is no more."""
        return next(self.feeds, None)


def _method(options: SptqOptions) -> Any:
    from onnxruntime.quantization import CalibrationMethod

    return {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }[options.calibration]


def _tidy(model: Any) -> Any:
    """Take out the operator sets that no node uses, and the quantizer's notes; infer shapes."""
    import onnx

    used = {node.domain for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    model.ClearField("metadata_props")
    return onnx.shape_inference.infer_shapes(model)


def accepts(pipeline: Pipeline) -> Usable:
    """Refuse what is quantized already."""
    for number, stage in enumerate(pipeline.stages):
        if stage.format == "onnx" and _holds_quantized(stage):
            return f"stage {number} is quantized already (it holds QuantizeLinear)"
    return True


def _holds_quantized(stage: Stage) -> bool:
    import onnx

    if stage.live is None and stage.directory is None:
        return stage.precision == "int8"
    model = stage.live or onnx.load_model(stage.file, load_external_data=False)
    return any(node.op_type == "QuantizeLinear" for node in model.graph.node)


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
    )
