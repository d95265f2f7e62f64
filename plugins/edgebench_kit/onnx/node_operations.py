"""The multiply-accumulate operations of the nodes of an ONNX graph, for one sample."""

from __future__ import annotations

from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx.graphs import drop_weights, list_dimensions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPEN = 64
"""What stands for a dimension that is open, but for the samples: of these there is one."""
CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}
"""By operator, which of its inputs is the kernel."""
PRODUCTS = {"MatMul": 0, "MatMulInteger": 0, "QLinearMatMul": 0}
"""By operator, which of its inputs has the terms of each sum in its last dimension."""


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

    What nodes within the bodies of conditionals and loops do is not counted.
    """
    return [_count(node, sizes) for node in nodes]


def _count(node: Any, sizes: Mapping[str, Sequence[int]]) -> int:
    kind = node.op_type
    written = prod(sizes.get(node.output[0], ()) or (1,)) if node.output else 0
    if kind in CONVOLUTIONS:
        return written * prod(sizes.get(node.input[CONVOLUTIONS[kind]], (1, 1))[1:])
    if kind == "ConvTranspose":
        read = prod(sizes.get(node.input[0], ()) or (1,))
        return read * prod(sizes.get(node.input[1], (1, 1))[1:])
    if kind in PRODUCTS:
        return written * _last(sizes.get(node.input[PRODUCTS[kind]], ()))
    if kind == "Gemm":
        turned = any(one.name == "transA" and one.i for one in node.attribute)
        shape = sizes.get(node.input[0], ())
        return written * _last(shape[:1] if turned else shape)
    return 0


def _last(shape: Sequence[int]) -> int:
    return shape[-1] if shape else 1
