"""Graphs of 16-bit floats, brought to 32 bits within, so that steps of int8 can be found.

A step of a bias is the product of two steps, 1e-5 and less: 16 bits hold none so small, and no
processor's kernels for int8 take steps of 16 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx.graphs import copy_model, walk_bodies
from edgebench_kit.onnx.scopes import find_free_name, list_names

if TYPE_CHECKING:
    from collections.abc import Mapping

FLOAT = 1
HALVES = frozenset([10, 16])
"""The element types float16 and bfloat16."""
KINDS = frozenset(["to", "dtype", "output_dtype"])
"""The attributes that name an element type."""


def widen_halves(model: Any) -> Any:
    """Return a copy of a graph without functions that computes in float32 what it did in 16 bits.

    Its inputs and outputs become float32 too; `narrow_ends` puts that back.
    """
    copy = copy_model(model, _widen)
    for graph in walk_bodies(copy.graph):
        del graph.value_info[:]
        for tensor in graph.initializer:
            if tensor.data_type in HALVES:
                tensor.CopyFrom(_widen(tensor))
        for info in (*graph.input, *graph.output):
            if info.type.tensor_type.elem_type in HALVES:
                info.type.tensor_type.elem_type = FLOAT
        for node in graph.node:
            _widen_attributes(node)
    return copy


def _widen(tensor: Any) -> Any:
    import onnx

    if tensor.data_type not in HALVES:
        return tensor
    return onnx.numpy_helper.from_array(
        onnx.numpy_helper.to_array(tensor).astype("float32"), tensor.name
    )


def _widen_attributes(node: Any) -> None:
    for attribute in node.attribute:
        if attribute.name in KINDS and attribute.i in HALVES:
            attribute.i = FLOAT
        for tensor in (attribute.t, *attribute.tensors):
            if tensor.data_type in HALVES:
                tensor.CopyFrom(_widen(tensor))


def find_half_ends(model: Any) -> dict[str, int]:
    """Return the inputs and outputs of 16 bits, with their element types."""
    ends = (*model.graph.input, *model.graph.output)
    kinds = {one.name: one.type.tensor_type.elem_type for one in ends}
    weights = {one.name for one in model.graph.initializer}
    return {name: kind for name, kind in kinds.items() if kind in HALVES and name not in weights}


def holds_halves(model: Any) -> bool:
    """Say whether a graph or its bodies keep or compute anything in 16-bit floats."""
    return (
        bool(find_half_ends(model))
        or any(
            tensor.data_type in HALVES
            for graph in walk_bodies(model.graph)
            for tensor in (*graph.initializer, *(one.t for n in graph.node for one in n.attribute))
        )
        or any(
            attribute.name in KINDS and attribute.i in HALVES
            for graph in walk_bodies(model.graph)
            for node in graph.node
            for attribute in node.attribute
        )
    )


def narrow_ends(model: Any, ends: Mapping[str, int]) -> None:
    """Let a graph take and give 16 bits at the ends that had them, converted right there."""
    import onnx

    graph = model.graph
    taken = list_names(graph)
    wide = {name: find_free_name(f"{name}_wide", taken) for name in ends}
    for node in graph.node:
        node.input[:] = [wide.get(name, name) for name in node.input]
        node.output[:] = [wide.get(name, name) for name in node.output]
    given = {one.name for one in graph.input}
    graph.node.extend(
        onnx.helper.make_node("Cast", [name], [wide[name]], name=f"{name}_cast", to=FLOAT)
        if name in given
        else onnx.helper.make_node("Cast", [wide[name]], [name], name=f"{name}_cast", to=kind)
        for name, kind in ends.items()
    )
    for one in (*graph.input, *graph.output):
        one.type.tensor_type.elem_type = ends.get(one.name, one.type.tensor_type.elem_type)
