"""The converter `new-name`: from an exported torch program to a graph."""

from __future__ import annotations

from collections.abc import Iterator

import edgebench as eb
from edgebench_kit.onnx.examples import check_examples
from edgebench_kit.torch.onnx_export import export_module, run_module

EDGEBENCH_API = (2, 0)


def convert(stage: eb.Stage, examples: eb.Tensors) -> eb.Stage:
    """Make a stage in the other format of one with its live object, and check it.

    *examples* is a batch of real inputs, by the names of the pipeline; its batch is 2 or more. The
    stage that is given stays as it is.

    Raises:
        CaseFailed: It cannot be converted, or what was made computes something else.
    """
    inputs = {spec.inside: examples[spec.name] for spec in stage.inputs}
    wanted = run_module(stage.changed(stage.live.module()), inputs)
    # Here goes what makes your own format, which `edgebench plugins new format` has an example of.
    graph = export_module(stage, inputs, list(wanted))
    check_examples(stage, graph, inputs, wanted)
    return stage.changed(graph, format="onnx")


@eb.hookimpl
def edgebench_converters() -> Iterator[eb.Converter]:
    """Offer the way; the shortest is taken to what a backend opens or an operator reads."""
    yield eb.Converter(
        name="new-name",
        summary="Make a graph of an exported torch program.",
        source="torch-program",
        target="onnx",
        convert=convert,
        exact=False,  # True where the same operators of the same framework compute it
    )
