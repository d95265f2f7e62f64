"""The way from an exported torch program to an ONNX graph: what `qat` made goes it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import attrs

from edgebench import Converter, Stage, Tensors, hookimpl
from edgebench_kit.onnx import graphs, quantized_forms
from edgebench_kit.onnx.examples import check_examples
from edgebench_kit.onnx.int8_shares import find_int8_share, name_precision
from edgebench_kit.torch.lowered import open_module
from edgebench_kit.torch.onnx_export import export_module, run_module

NOISE = 0.25
"""How large the difference may be where steps round, over the outputs: many steps are an error."""


def convert(stage: Stage, examples: Tensors) -> Stage:
    """Export the program, and compare the graph with it on the examples.

    Of a quantized one the biases become integers, and what is a mean over a picture becomes
    pooling.

    Raises:
        CaseFailed: The program has no graph, or the graph computes something else.
    """
    inputs = {
        # A program whose batch is fixed to one sample takes no more.
        spec.inside: examples[spec.name][:1] if spec.shape[:1] == (1,) else examples[spec.name]
        for spec in stage.inputs
    }
    opened = attrs.evolve(stage, live=open_module(stage))
    wanted = run_module(opened, inputs)
    model = export_module(opened, inputs, list(wanted))
    if not graphs.is_quantized(model):
        check_examples(stage, model, inputs, wanted)
        return stage.changed(model, format="onnx")
    quantized_forms.quantize_biases(model)
    quantized_forms.name_pooling(model)
    check_examples(stage, model, inputs, wanted, tolerance=math.inf, noise=NOISE)
    return stage.changed(model, format="onnx", precision=name_precision(find_int8_share(model)))


@hookimpl
def edgebench_converters() -> Iterator[Converter]:
    """Offer the export of torch programs."""
    yield Converter(
        name="torch-program-to-onnx",
        summary="Export a program, its Q/DQ pairs too, and check it on real inputs.",
        source="torch-program",
        target="onnx",
        convert=convert,
    )
