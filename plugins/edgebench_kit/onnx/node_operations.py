"""The multiply-accumulate operations of the nodes of an ONNX graph, for one sample.

They are counted from shapes as the specification defines the operators (onnx.ai/onnx/operators):
each value that a convolution or a product gives takes as many as there are values summed for it.
What is quantized is counted alike, whether as integers or between Q/DQ.
"""

from __future__ import annotations

from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx.graphs import drop_weights, list_dimensions, walk_bodies
from edgebench_kit.onnx.scopes import walk_node_bodies

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

OPEN = 64
"""What stands for a dimension that is open, but for the samples: of these there is one."""
CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3, "ConvTranspose": 1}
"""The operators that convolve, each with the place of its weights among its inputs."""
PRODUCTS = frozenset(["MatMul", "MatMulInteger", "QLinearMatMul", "Gemm", "QGemm"])
"""The operators that multiply matrices, of which the first input is the first one."""
COUNTED = PRODUCTS | CONVOLUTIONS.keys()


def infer_sizes(model: Any, given: Mapping[str, int] = MappingProxyType({})) -> Any:
    """Return a graph, its weights not in it, in which shapes are noted for one sample.

    Sizes of the inputs that are open are those *given* by their names, others 64.
    """
    import onnx

    light = type(model)()
    light.CopyFrom(drop_weights(model))
    weights = {one.name for one in light.graph.initializer}
    for info in light.graph.input:
        if info.name not in weights and info.name not in {t.name for t in model.graph.initializer}:
            _fix(info, given)
    for graph in walk_bodies(light.graph):
        for info in graph.output:
            info.type.tensor_type.ClearField("shape")
        del graph.value_info[:]
    return onnx.shape_inference.infer_shapes(light, data_prop=True).graph


def list_sizes(graph: Any) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of a graph in which shapes are noted, 1 where unknown."""
    sizes = {one.name: tuple(one.dims) for one in graph.initializer}
    for info in (*graph.input, *graph.value_info, *graph.output):
        dims = list_dimensions(info)
        sizes.setdefault(info.name, tuple(n if isinstance(n, int) else 1 for n in dims))
    return sizes


def _fix(info: Any, given: Mapping[str, int]) -> None:
    dims = info.type.tensor_type.shape.dim
    for axis, size in enumerate(list_dimensions(info)):
        if isinstance(size, str):
            dims[axis].dim_value = given.get(size, OPEN) if axis else 1
        elif not axis:
            dims[axis].dim_value = size


def count_operations(graph: Any, sizes: Mapping[str, Sequence[int]]) -> list[int]:
    """Return the multiply-accumulate operations of each node: those of convolutions and products.

    A conditional counts as the branch that does most, a loop as one turn of it; what is of unknown
    size is not counted.

    Args:
        graph: The graph, shapes noted within its bodies.
        sizes: The shapes of its tensors, by their names.
    """
    return [(count_node(node, sizes.get) or 0) + _count_bodies(node, sizes) for node in graph.node]


def _count_bodies(node: Any, around: Mapping[str, Sequence[int]]) -> int:
    """Return the operations of the bodies of a node, which read what is around them."""
    found = [
        sum(count_operations(body, {**around, **list_sizes(body)}))
        for body in walk_node_bodies(node)
    ]
    return max(found, default=0) if node.op_type == "If" else sum(found)


def count_node(node: Any, shape: Callable[[str], Sequence[int] | None]) -> int | None:
    """Count the multiply-accumulates of a node, from the shapes of tensors by their names.

    They are 0 of what neither convolves nor multiplies matrices, and None where a shape that they
    follow from is not known.
    """
    if node.op_type not in COUNTED:
        return 0
    first, out = shape(node.input[0]), shape(node.output[0])
    if node.op_type in PRODUCTS:
        summed = _count_summed(node, first)
        return None if summed is None or out is None else prod(out) * summed
    kernel = shape(node.input[CONVOLUTIONS[node.op_type]])
    # Of a transposed convolution each value that is read goes into as many sums.
    values = first if node.op_type == "ConvTranspose" else out
    return None if kernel is None or values is None else prod(values) * prod(kernel[1:])


def _count_summed(node: Any, first: Sequence[int] | None) -> int | None:
    """Return how many values of the first matrix are summed for each value of a product."""
    if not first:
        return None
    turned = any(one.name == "transA" and one.i for one in node.attribute)
    return first[0 if turned else -1]
