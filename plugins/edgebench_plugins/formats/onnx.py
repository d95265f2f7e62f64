"""The format `onnx`: one graph file, its weights inside, or beside it where they are too large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench import Format, Stage, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

FILE = "model.onnx"
WEIGHTS = "model.onnx.data"
LARGEST = 2**31 - 2**25
"""Bytes of weights that still fit in the graph's file: protobuf stops at 2 GiB, the graph itself
and its messages' heads being among them."""


def save(stage: Stage, directory: Path) -> Sequence[str]:
    """Write the stage's graph, its weights in a second file where they exceed what one may hold."""
    import onnx

    if _weight_bytes(stage.live) <= LARGEST:
        onnx.save_model(stage.live, directory / FILE)
        return (FILE,)
    onnx.save_model(
        stage.live, directory / FILE, save_as_external_data=True, location=WEIGHTS, size_threshold=0
    )
    # Saving moves the weights out of the object; whoever holds it still wants them.
    onnx.load_external_data_for_model(stage.live, str(directory))
    return (FILE, WEIGHTS)


def load(stage: Stage, build: Callable[[], Any]) -> Any:
    """Read the stage's graph, with its weights, as a `ModelProto`."""
    import onnx

    return onnx.load_model(stage.file)


def _weight_bytes(model: Any) -> int:
    return sum(
        len(tensor.raw_data) or tensor.ByteSize()
        for graph in _graphs(model.graph)
        for tensor in graph.initializer
    )


def _graphs(graph: Any) -> Iterator[Any]:
    """Yield a graph and, at any depth, the bodies of its conditionals and loops."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                if body.node:
                    yield from _graphs(body)


@hookimpl
def edgebench_formats() -> Iterator[Format]:
    """Offer ONNX files."""
    yield Format(
        name="onnx",
        summary="A graph of operators and its weights, which many runtimes read.",
        save=save,
        load=load,
        keeps="the graph and its weights",
    )
