"""Writes out in floats the biases that a quantizer keeps as 32-bit integers.

TensorRT's parser dequantizes 8 bits and less, and nothing of 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx import graph_files
from edgebench_kit.onnx.flattening import mentions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEQUANTIZE = "DequantizeLinear"


def write_out_biases(file: Path) -> Any | None:
    """Return the graph of a file without integers of 32 bits that become floats; None for none.

    What a constant becomes is computed as the specification says, so nothing is lost.
    """
    import onnx

    if not mentions(file, DEQUANTIZE.encode()):
        return None
    light = onnx.load_model(file, load_external_data=False)
    if not any(_find_wide(light.graph)):
        return None
    model = graph_files.read_graph(file)
    constants = {one.name: one for one in model.graph.initializer}
    for node in list(_find_wide(model.graph)):
        made = _dequantize(node, constants)
        model.graph.initializer.append(made)
        model.graph.node.remove(node)
    return model


def _find_wide(graph: Any) -> Iterator[Any]:
    """Yield the nodes that dequantize a constant of 32 bits by constants."""
    import onnx

    constants = {one.name: one.data_type for one in graph.initializer}
    for node in graph.node:
        if (
            node.op_type == DEQUANTIZE
            and constants.get(node.input[0]) == onnx.TensorProto.INT32
            and all(name in constants for name in node.input if name)
        ):
            yield node


def _dequantize(node: Any, constants: dict[str, Any]) -> Any:
    """Return what a node makes of constants, under the name of its output."""
    from onnx import numpy_helper

    values, scale, *zero = (numpy_helper.to_array(constants[name]) for name in node.input if name)
    along = next((one.i for one in node.attribute if one.name == "axis"), 1)

    def spread(each: Any) -> Any:
        """Lay what there is of each place of an axis along that axis."""
        if each.size == 1:
            return each.reshape(())
        shape = [1] * values.ndim
        shape[along] = each.size
        return each.reshape(shape)

    whole = values - spread(zero[0]) if zero else values
    made = whole.astype(scale.dtype) * spread(scale)
    return numpy_helper.from_array(made.astype(scale.dtype), node.output[0])
