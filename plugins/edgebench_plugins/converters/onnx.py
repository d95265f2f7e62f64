"""The way from a torch module to an ONNX graph, checked on real inputs."""

from __future__ import annotations

from collections.abc import Iterator

from edgebench import Converter, Stage, Tensors, hookimpl
from edgebench_kit.onnx.examples import check_examples
from edgebench_kit.torch.modules import evaluating
from edgebench_kit.torch.onnx_export import export_module, run_module


def convert(stage: Stage, examples: Tensors) -> Stage:
    """Export the stage's module, and compare the graph with it on the examples.

    The module takes the stage's inputs in their order, and returns one tensor, its outputs in
    their order, or a mapping by name. *examples* go by the names of the pipeline; their batch is
    at least 2, since the exporter takes a dimension of 1 for a constant.

    Raises:
        CaseFailed: The module cannot be exported, or the graph computes something else.
    """
    inputs = {spec.inside: examples[spec.name] for spec in stage.inputs}
    with evaluating(stage.live):
        wanted = run_module(stage, inputs)
        model = export_module(stage, inputs, list(wanted))
    check_examples(stage, model, inputs, wanted)
    return stage.changed(model, format="onnx")


@hookimpl
def edgebench_converters() -> Iterator[Converter]:
    """Offer the export of torch modules."""
    yield Converter(
        name="torch-module-to-onnx",
        summary="Export a module with its batch left open, and check it on real inputs.",
        source="torch-module",
        target="onnx",
        convert=convert,
    )
