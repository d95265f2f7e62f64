"""The format `onnx`: one graph file, its weights inside, or beside it where they are too large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench import Contents, Format, Stage, hookimpl
from edgebench_kit.onnx import graph_contents, graph_files, node_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


def save(stage: Stage, directory: Path) -> Sequence[str]:
    """Write the stage's graph, its weights in a second file where they exceed what one may hold."""
    return graph_files.write_graph(stage.live, directory)


def load(stage: Stage, build: Callable[[], Any]) -> Any:
    """Read the stage's graph, with its weights, as a `ModelProto`."""
    return graph_files.read_graph(stage.file)


def list_nodes(stage: Stage) -> Sequence[str]:
    """Return what the nodes of the stage's graph are called."""
    return node_times.list_nodes(stage.file)


def describe(stage: Stage) -> Contents:
    """Count what is in the stage's graph."""
    return graph_contents.describe_graph(stage.live)


@hookimpl
def edgebench_formats() -> Iterator[Format]:
    """Offer ONNX files."""
    yield Format(
        name="onnx",
        summary="A graph of operators and its weights, which many runtimes read.",
        save=save,
        load=load,
        describe=describe,
        keeps="the graph and its weights",
        nodes=list_nodes,
    )
