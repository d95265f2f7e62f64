"""The multiply-accumulate operations of the nodes of an ONNX graph, for one sample.

They are counted from shapes as the specification defines the operators (onnx.ai/onnx/operators):
each value that a convolution or a product gives takes as many as there are values summed for it.
What is quantized is counted alike, whether as integers or between Q/DQ.
"""

from __future__ import annotations

from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx.graphs import drop_weights, list_dimensions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

OPEN = 64
"""What stands for a dimension that is open, but for the samples: of these there is one."""
CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3, "ConvTranspose": 1}
"""The operators that convolve, each with the place of its weights among its inputs."""
PRODUCTS = frozenset(["MatMul", "MatMulInteger", "QLinearMatMul", "Gemm", "QGemm"])
"""The operators that multiply matrices, of which the first input is the first one."""
COUNTED = PRODUCTS | CONVOLUTIONS.keys()


def find_sizes(
    model: Any, given: Mapping[str, int] = MappingProxyType({})
) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor for one sample, 1 where it is unknown.

    Sizes of the inputs that are open are those *given* by their names, others 64.
    """
    import onnx

    light = type(model)()
    light.CopyFrom(drop_weights(model))
    weights = {one.name for one in light.graph.initializer}
    for info in light.graph.input:
        if info.name not in weights and info.name not in {t.name for t in model.graph.initializer}:
            _fix(info, given)
    for info in light.graph.output:
        info.type.tensor_type.ClearField("shape")
    del light.graph.value_info[:]
    found = onnx.shape_inference.infer_shapes(light, data_prop=True).graph
    sizes = {one.name: tuple(one.dims) for one in model.graph.initializer}
    for info in (*found.input, *found.value_info, *found.output):
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


def count_operations(nodes: Sequence[Any], sizes: Mapping[str, Sequence[int]]) -> list[int]:
    """Return the multiply-accumulate operations of each node: those of convolutions and products.

    What nodes within the bodies of conditionals and loops do is not counted, nor what is of unknown
    size.
    """
    return [count_node(node, sizes.get) or 0 for node in nodes]


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
