"""Why an ONNX graph cannot be cut in two, or not at a tensor that somebody names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench_kit.onnx.cuts import Graph

SHOWN = 4
"""The most names that one reason lists."""


def explain_uncut(graph: Graph) -> str:
    """Return the reason why a graph has no cut, in one clause; it must have none."""
    if separators := graph.find_separators():
        return f"{separators[0]!r} alone would cross, but {_say_why_unsent(graph, separators[0])}"
    if narrowest := graph.find_narrowest():
        return (
            "no single tensor separates the graph: at its narrowest place "
            f"{list_names(narrowest)} would have to cross"
        )
    return "no single tensor separates the graph: it has no two nodes that depend on its input"


def explain_obstacle(graph: Graph, name: str) -> str:
    """Return the reason why a graph cannot be cut at a tensor that it has."""
    if name not in graph.varying:
        return "it depends on no input"
    front = graph.find_needed([name])
    if not front:
        return "it is an input, nothing lies before it"
    if others := [other for other in graph.find_crossing(front) if other != name]:
        return f"{list_names(others)} would have to cross too"
    if name in graph.find_separators():
        return _say_why_unsent(graph, name)
    return "nothing lies behind it" if name in graph.outputs else "no output depends on it"


def _say_why_unsent(graph: Graph, name: str) -> str:
    """Say why a tensor that separates a graph cannot be sent."""
    spec = graph.describe_tensors().get(name)
    if spec is not None:
        shape = " x ".join(map(str, spec.shape)) or "that of a single number"
        return f"it has not a row for each sample: its shape is {shape}"
    kind = graph.infos[name].type.tensor_type if name in graph.infos else None
    if kind is not None and kind.elem_type and kind.HasField("shape"):
        import onnx

        named = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
        return f"numbers of type {named} cannot be sent"
    writer = next(node for node in graph.model.graph.node if name in node.output)
    return f"its shape or type is not known, nor can it be inferred behind {writer.op_type}"


def list_names(names: Sequence[str]) -> str:
    """Write a few names, and that there are more."""
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
