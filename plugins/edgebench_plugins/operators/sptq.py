"""The operator `sptq`: static post-training quantization to int8, kept as Q/DQ pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from edgebench import (
    ChainError,
    Context,
    Operator,
    Pipeline,
    Stage,
    Tensors,
    hookimpl,
)
from edgebench_kit.onnx import attention_masks, graphs
from edgebench_kit.onnx.activation_ranges import find_extremes, find_ranges
from edgebench_kit.onnx.int8_shares import find_int8_share, name_precision
from edgebench_kit.onnx.quantized_stages import refuse_quantized
from edgebench_kit.onnx.stage_by_stage import change_stages, is_unchanged, list_kinds
from edgebench_kit.onnx.staged_samples import feed_plain, take_samples
from edgebench_kit.onnx.static_quantizer import Quantizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench_kit.onnx.plain_graphs import PlainGraph


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
    samples = take_samples(context, context.options.samples)

    def change(number: int, stage: Stage, plain: PlainGraph, samples: Sequence[Tensors]) -> Stage:
        return _quantize(stage, plain, samples, context)

    quantized = change_stages(pipeline, context, samples, change, calibrated=True)
    if is_unchanged(pipeline, quantized):
        raise ChainError(
            "nothing in it can be quantized: the quantizer knows none of its nodes "
            f"({list_kinds(pipeline)}) on 32-bit floats"
        )
    return quantized


def _quantize(
    stage: Stage, plain: PlainGraph, samples: Sequence[Tensors], context: Context
) -> Stage:
    """Return one stage with Q/DQ pairs, its weights kept as integers; masked scores stay floats.

    It is the same stage where nothing in it can be quantized.
    """
    feeds = feed_plain(stage, plain, samples)
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
    return stage.changed(model, precision=name_precision(find_int8_share(model)))


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
        accepts=refuse_quantized,
        once=graphs.QUANTIZED,
    )
