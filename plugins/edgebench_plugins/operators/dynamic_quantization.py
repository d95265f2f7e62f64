"""The operator `dynamic-quantization`: int8 weights, activations quantized while the graph runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from edgebench import ChainError, Context, Operator, Pipeline, Stage, hookimpl
from edgebench_kit.onnx import dynamic_quantizer, graph_files, graphs
from edgebench_kit.onnx.compared_stages import COMPARED
from edgebench_kit.onnx.dynamic_quantizer import DynamicQuantizer
from edgebench_kit.onnx.graph_contents import count_kinds
from edgebench_kit.onnx.int8_shares import find_int8_share, name_precision
from edgebench_kit.onnx.quantized_stages import refuse_quantized
from edgebench_kit.onnx.stage_by_stage import change_stages, list_kinds
from edgebench_kit.onnx.staged_samples import take_samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench import Tensors
    from edgebench_kit.onnx.plain_graphs import PlainGraph

FEWEST = 0.5
"""The part of the constants below which little was quantized: what was left is worth a doubt."""
WEIGHTED = ("Conv", "ConvTranspose", "GRU", "LSTM", "RNN")
"""The operators that hold most of a graph's weights where products of matrices do not."""


@attrs.frozen(kw_only=True)
class DynamicQuantizationOptions:
    """What becomes int8, and how finely."""

    per_channel: bool = True
    """Whether each column of a matrix has a step of its own, or all of it one."""
    reduce_range: bool = False
    """Whether weights take 7 bits. Processors without VNNI or an equivalent add pairs of products
    in 16 bits and cut off what exceeds them; with 7 bits nothing does."""
    embeddings: bool = True
    """Whether tables that rows are picked of are kept in int8 too, each row with its own step."""
    convolutions: bool = False
    """Whether convolutions become `ConvInteger` too. They are slower so than in floats on most
    processors, and pictures are better served by static quantization."""
    samples: int = attrs.field(default=COMPARED, validator=attrs.validators.ge(1))
    """On how many calibration inputs, at most, the result is compared with the graph in floats."""


def apply(pipeline: Pipeline, context: Context) -> Pipeline:
    """Quantize the weights of every stage, and compare what comes out with the floats.

    Raises:
        CaseFailed: There is nothing to compare on, or the runtime does not run what was made.
        ChainError: Nothing of the pipeline can be quantized.
    """
    samples = take_samples(context, context.options.samples)

    def change(number: int, stage: Stage, plain: PlainGraph, samples: Sequence[Tensors]) -> Stage:
        return _quantize(stage, plain, context.options)

    quantized = change_stages(pipeline, context, samples, change)
    _check_quantized(quantized, context.options)
    for doubt in _list_doubts(quantized, context.options):
        context.doubt(doubt)
    return quantized


def _quantize(stage: Stage, plain: PlainGraph, options: DynamicQuantizationOptions) -> Stage:
    """Return a stage with integer weights; the same where it has none that can be integers."""
    model = graph_files.read_graph(plain.path)
    quantizer = DynamicQuantizer(
        labels=plain.labels,
        kinds=_choose_kinds(options),
        per_channel=options.per_channel,
        largest=63 if options.reduce_range else 127,
    )
    if not quantizer.quantize(model):
        return stage
    model = plain.restore(model)
    return stage.changed(model, precision=name_precision(find_int8_share(model)))


def _choose_kinds(options: DynamicQuantizationOptions) -> frozenset[str]:
    kinds = set(dynamic_quantizer.PRODUCTS)
    kinds |= {dynamic_quantizer.TABLE} if options.embeddings else set()
    return frozenset(kinds | ({dynamic_quantizer.CONVOLUTION} if options.convolutions else set()))


def _check_quantized(pipeline: Pipeline, options: DynamicQuantizationOptions) -> None:
    """Refuse a pipeline in which no product is one of integers.

    Raises:
        ChainError: There is none.
    """
    if not any(graphs.is_quantized(stage.live) for stage in pipeline.stages):
        kinds = count_kinds(*(stage.live.graph for stage in pipeline.stages))
        wanted = ", ".join(sorted(_choose_kinds(options) - {dynamic_quantizer.TABLE}))
        hint = "; convolutions=true takes Conv too"
        convolutional = "Conv" in kinds and not options.convolutions
        raise ChainError(
            f"nothing in it can be quantized: it has no {wanted} with a constant matrix of 32-bit "
            f"floats; its nodes are {list_kinds(pipeline)}" + hint * convolutional
        )


def _list_doubts(pipeline: Pipeline, options: DynamicQuantizationOptions) -> Iterator[str]:
    """Yield what was left in floats, where that is most of the constants."""
    for number, stage in enumerate(pipeline.stages):
        share = find_int8_share(stage.live)
        kinds = count_kinds(stage.live.graph)
        left = ", ".join(f"{kinds[kind]} {kind}" for kind in WEIGHTED if kinds[kind])
        if share < FEWEST and left:
            hint = "" if options.convolutions else "; convolutions=true takes Conv too"
            yield (
                f"{share:.0%} of the constants of stage {number} became int8: {left} stay in "
                f"floats{hint}"
            )


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer dynamic quantization."""
    yield Operator(
        name="dynamic-quantization",
        summary="Quantize weights to int8, and activations while the graph runs; for text mainly.",
        apply=apply,
        options=DynamicQuantizationOptions,
        needs=["calibration"],
        reads=["onnx"],
        writes="onnx",
        accepts=refuse_quantized,
        once=graphs.QUANTIZED,
    )
