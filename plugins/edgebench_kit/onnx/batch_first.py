"""Rewriting a graph so that each input and output has the samples along its first axis.

What a sample's row is, is known of such tensors alone: so they can be sent, answered and compared
one by one. A transposition at an end of the graph moves the batch; where there is none, an axis of
one is put there or taken away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx.graphs import read_opset, walk_bodies
from edgebench_kit.onnx.scopes import find_free_name, list_names

if TYPE_CHECKING:
    from collections.abc import Mapping

AXES_ARE_INPUTS = 13
"""The operator set from which Squeeze and Unsqueeze read their axes as an input."""


def put_batch_first(model: Any, axes: Mapping[str, int | None]) -> bool:
    """Give the named inputs and outputs their batch as axis 0; return whether that changed any.

    *axes* are the axes of the batch as they lie; None for a tensor that has none.
    """
    changed = False
    inputs = {info.name for info in model.graph.input}
    for info in model.graph.input:
        if axes.get(info.name, 0) != 0:
            _turn_input(model, info, axes[info.name])
            changed = True
    for info in model.graph.output:
        # An output that is an input has been turned already.
        if axes.get(info.name, 0) != 0 and info.name not in inputs:
            _turn_output(model, info, axes[info.name])
            changed = True
    if changed:
        # What was noted of the tensors between may go by a name that is another's now.
        del model.graph.value_info[:]
    return changed


def _turn_input(model: Any, info: Any, axis: int | None) -> None:
    inner = find_free_name(f"{info.name}.as_read", list_names(model.graph))
    for graph in walk_bodies(model.graph):
        for node in graph.node:
            _replace(node.input, info.name, inner)
        if graph is not model.graph:
            _rename_ends(graph, info.name, inner)
    _turn_shape(info, axis)
    if axis is None:
        node = _reshape(model, "Squeeze", info.name, inner)
    else:
        node = _transpose(info.name, inner, [*range(1, axis + 1), 0], info)
    model.graph.node.insert(0, node)


def _turn_output(model: Any, info: Any, axis: int | None) -> None:
    inner = find_free_name(f"{info.name}.as_written", list_names(model.graph))
    rename_tensor(model, info.name, inner)
    _turn_shape(info, axis)
    if axis is None:
        node = _reshape(model, "Unsqueeze", inner, info.name)
    else:
        node = _transpose(inner, info.name, [axis, *range(axis)], info)
    model.graph.node.append(node)


def rename_tensor(model: Any, name: str, other: str) -> None:
    """Rename a tensor that nodes or weights give, wherever it stands but among the outputs."""
    for graph in walk_bodies(model.graph):
        for node in graph.node:
            _replace(node.input, name, other)
            _replace(node.output, name, other)
        for tensor in graph.initializer:
            tensor.name = other if tensor.name == name else tensor.name
        for sparse in graph.sparse_initializer:
            sparse.values.name = other if sparse.values.name == name else sparse.values.name
        if graph is not model.graph:
            _rename_ends(graph, name, other)


def _rename_ends(body: Any, name: str, other: str) -> None:
    for info in body.output:
        info.name = other if info.name == name else info.name


def _replace(names: Any, name: str, other: str) -> None:
    for place, one in enumerate(names):
        if one == name:
            names[place] = other


def _turn_shape(info: Any, axis: int | None) -> None:
    """Write the dimensions of an end of the graph as they are once its batch is first."""
    dims = info.type.tensor_type.shape.dim
    kept = [type(dim).FromString(dim.SerializeToString()) for dim in dims]
    first = type(dims.add())(dim_value=1) if axis is None else kept.pop(axis)
    del dims[:]
    dims.extend([first, *kept])


def _transpose(read: str, written: str, start: list[int], info: Any) -> Any:
    """Make a node that moves axes: *start* are the first, those behind stay where they are."""
    import onnx

    rank = len(info.type.tensor_type.shape.dim)
    order = [*start, *range(len(start), rank)]
    return onnx.helper.make_node("Transpose", [read], [written], name=written, perm=order)


def _reshape(model: Any, kind: str, read: str, written: str) -> Any:
    """Make a node that takes away, or puts, an axis of one before all others."""
    import onnx

    if ensure_opset(model) < AXES_ARE_INPUTS:
        return onnx.helper.make_node(kind, [read], [written], name=written, axes=[0])
    axes = find_free_name(f"{written}.axes", list_names(model.graph))
    model.graph.initializer.append(onnx.helper.make_tensor(axes, onnx.TensorProto.INT64, [1], [0]))
    return onnx.helper.make_node(kind, [read, axes], [written], name=written)


def ensure_opset(model: Any) -> int:
    """Return the version of the operator set that a graph's own nodes are of.

    One that has none yet is given the first that reads axes as inputs.
    """
    if version := read_opset(model.opset_import, 0):
        return version
    model.opset_import.add(domain="", version=AXES_ARE_INPUTS)
    return AXES_ARE_INPUTS
