"""ONNX graphs, walked, counted, checked and copied, whatever their weights weigh.

A graph's message holds at most 2 GiB, and so does what onnx checks and infers in memory; weights
beyond that lie in files of their own. What is done here with a graph is done without its weights
where they are not needed, so that they are neither limited nor copied.
"""

from __future__ import annotations

from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any

from edgebench import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

HEAVY = 2**16
"""Bytes beyond which an initialiser is taken for weights; what gives a shape is smaller."""
SEPARATE_WEIGHTS = 4
"""The version of the format from which a weight need not be an input too."""
PACKED_BITS = {21: 4, 22: 4, 23: 4, 25: 2, 26: 2}
"""The element types of which several share a byte (4-bit and 2-bit numbers), and their bits."""
TEXT = 8
"""The element type of texts, which cannot lie beside the graph."""
QUANTIZED = "in reduced precision already"
"""What a graph is that `is_quantized` says it of, as operators and looks call it."""
UNTRAINED = {"QuantizeLinear": 1, "DequantizeLinear": 1, "BatchNormalization": 3}
"""Operators of which the inputs from a place on are not trained: steps, and running statistics."""
INTEGERS = frozenset(
    [
        *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
        *("ConvInteger", "MatMulInteger", "MatMulInteger16", "MatMulIntegerToFloat"),
        *("DynamicQuantizeLSTM", "DynamicQuantizeMatMul"),
        *("GatherBlockQuantized", "MatMulBnb4", "MatMulNBits"),
        *("QAttention", "QEmbedLayerNormalization", "QGemm", "QMoE"),
    ]
)
"""The operators that make integers of floats or reckon with such, ONNX Runtime's own among them;
so do all whose names begin with one of `INTEGER_FAMILIES`."""
INTEGER_FAMILIES = ("QLinear", "QOrdered")


def walk_bodies(graph: Any) -> Iterator[Any]:
    """Yield a graph and, at any depth, the bodies of its conditionals and loops."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                if body.node or body.initializer:
                    yield from walk_bodies(body)


def is_quantized(model: Any) -> bool:
    """Say whether a model holds what was quantized, in any body or function."""
    return any(
        node.op_type in INTEGERS or node.op_type.startswith(INTEGER_FAMILIES)
        for owner in (model.graph, *model.functions)
        for graph in walk_bodies(owner)
        for node in graph.node
    )


def walk_tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor of constants that a model holds, its functions' among them."""
    for graph in walk_bodies(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        yield from _walk_attributes(graph.node)
    for function in model.functions:
        yield from _walk_attributes(function.node)


def _walk_attributes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)


def count_tensor_bytes(tensor: Any) -> int:
    """Return the bytes that a tensor's values take."""
    import onnx

    if not tensor.data_type:
        return 0
    item = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    bits = PACKED_BITS.get(tensor.data_type, 8 * item)
    return -(-int(prod(tensor.dims)) * int(bits) // 8)


def count_weight_bytes(model: Any) -> int:
    """Return the bytes that all initialisers take in a file, those of bodies among them."""
    # To ask for the raw bytes themselves would copy them.
    return sum(
        count_tensor_bytes(tensor) if tensor.HasField("raw_data") else tensor.ByteSize()
        for graph in walk_bodies(model.graph)
        for tensor in graph.initializer
    )


def count_parameters(model: Any) -> int:
    """Count the trained values, in bodies too.

    Shapes, quantization steps and the running statistics of batch normalization are none.
    """
    return sum(count for _, count in walk_parameters(model))


def walk_parameters(model: Any, *graphs: Any) -> Iterator[tuple[str, int]]:
    """Yield the name of each constant that holds trained values, and how many.

    Args:
        model: The model.
        graphs: Those of its graphs and bodies whose constants are wanted; all, without any.
    """
    bodies = list(walk_bodies(model.graph))
    untrained = {
        name
        for body in bodies
        for node in body.node
        if node.op_type in UNTRAINED
        for name in node.input[UNTRAINED[node.op_type] :]
    }
    shapes = {7, 9}  # int64 and bool: sizes, axes, switches
    for body in graphs or bodies:
        for one in body.initializer:
            if one.name not in untrained and one.data_type not in shapes:
                yield one.name, prod(one.dims)


def read_opset(imports: Iterable[Any], default: int) -> int:
    """Return the version of ONNX's own operators among those that a model or a function imports."""
    own = (int(one.version) for one in imports if one.domain in {"", "ai.onnx"})
    return max(own, default=default)


def list_dimensions(info: Any) -> list[int | str]:
    """Return the dimensions of a tensor; one that is open without a name is called after it.

    Some exporters write an open one as -1 or 0, or call each `?`, which is no name.
    """
    return [
        dim.dim_value
        if dim.dim_value > 0
        else dim.dim_param
        if any(map(str.isalnum, dim.dim_param))
        else f"{info.name}.{axis}"
        for axis, dim in enumerate(info.type.tensor_type.shape.dim)
    ]


def read_dtype(info: Any) -> str:
    """Return the type of a tensor's values, as numpy calls it.

    Raises:
        KeyError: It is none that is known.
    """
    import onnx

    return str(onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type).name)


def describe_tensor(info: Any) -> TensorSpec | None:
    """Describe a tensor by what a graph notes of it; None if that is not enough to send it."""
    kind = info.type.tensor_type
    if not kind.HasField("shape") or not kind.elem_type:
        return None
    try:
        return TensorSpec(name=info.name, dtype=read_dtype(info), shape=list_dimensions(info))
    except (KeyError, ValueError):  # a type that no array on the wire has: text, bfloat16
        return None


def infer_infos(model: Any) -> dict[str, Any]:
    """Return what is known of each tensor of a graph, by name, shapes inferred where they lack."""
    import onnx

    known = _read_infos(model)
    shaped = {name for name, info in known.items() if info.type.tensor_type.HasField("shape")}
    if {name for node in model.graph.node for name in node.output if name} <= shaped:
        return known
    weights = {one.name for one in model.graph.initializer} - known.keys()
    found = _read_infos(onnx.shape_inference.infer_shapes(drop_weights(model)))
    return {name: info for name, info in found.items() if name not in weights}


def note_infos(model: Any) -> None:
    """Write what is known of each tensor of a graph into it."""
    known = infer_infos(model)
    ends = {one.name for one in (*model.graph.input, *model.graph.output)}
    infos = [info for name, info in known.items() if name not in ends]
    # What is written may be what is read.
    copies = [type(info).FromString(info.SerializeToString()) for info in infos]
    del model.graph.value_info[:]
    model.graph.value_info.extend(copies)


def check_graph(model: Any, *, shapes: bool = True) -> None:
    """Check a graph, and that its shapes fit each other, whatever the weights are.

    Raises:
        onnx.checker.ValidationError: It is none.
    """
    import onnx

    onnx.checker.check_model(drop_weights(model), full_check=shapes)


def raise_opset(model: Any, opset: int) -> Any:
    """Return a graph in an operator set at least that new, its weights not among its inputs.

    Raises:
        onnx.version_converter.ConvertError: One of its operators cannot be brought there.
    """
    import onnx

    weights = {one.name: one for one in model.graph.initializer}
    if read_opset(model.opset_import, opset) >= opset:
        copy = copy_model(model, lambda tensor: tensor)
    else:
        copy = onnx.version_converter.convert_version(drop_weights(model), opset)
    inputs = [one for one in copy.graph.input if one.name not in weights]
    kept = {one.name for one in copy.graph.initializer}
    copy.graph.initializer.extend(one for name, one in weights.items() if name not in kept)
    del copy.graph.input[:]
    copy.graph.input.extend(inputs)
    copy.ir_version = max(copy.ir_version, SEPARATE_WEIGHTS)
    return copy


def _read_infos(model: Any) -> dict[str, Any]:
    graph = model.graph
    return {one.name: one for one in (*graph.value_info, *graph.output, *graph.input)}


def drop_weights(model: Any) -> Any:
    """Return a graph that reads its weights as inputs; itself, if it has none that are heavy."""
    import onnx

    heavy = {one.name: one for one in model.graph.initializer if is_heavy(one)}
    if not any(is_heavy(tensor) for tensor in walk_tensors(model)):
        return model
    copy = copy_model(model, lambda _: None)
    for tensor in walk_tensors(copy):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:  # in a body, or of a node
            tensor.raw_data = bytes(count_tensor_bytes(tensor))
            tensor.ClearField("data_location")
            tensor.ClearField("external_data")
    given = {one.name for one in model.graph.input}
    copy.graph.input.extend(
        onnx.helper.make_tensor_value_info(name, one.data_type, one.dims)
        for name, one in heavy.items()
        if name not in given
    )
    return copy


def is_heavy(tensor: Any) -> bool:
    """Say whether a tensor is taken for weights: it is large, or does not lie in the graph."""
    elsewhere = tensor.data_location == 1
    return tensor.data_type != TEXT and (elsewhere or count_tensor_bytes(tensor) > HEAVY)


def copy_model(model: Any, instead: Callable[[Any], Any]) -> Any:
    """Copy a model, with another tensor, or none, instead of each heavy initialiser."""
    copy = type(model)()
    for field, value in model.ListFields():
        if field.name != "graph":
            _assign(copy, field.name, value)
    for field, value in model.graph.ListFields():
        if field.name != "initializer":
            _assign(copy.graph, field.name, value)
    for tensor in model.graph.initializer:
        other = instead(tensor) if is_heavy(tensor) else tensor
        if other is not None:
            copy.graph.initializer.append(other)
    for body in islice(walk_bodies(copy.graph), 1, None):
        for tensor in body.initializer:
            if is_heavy(tensor) and (other := instead(tensor)) is not None:
                tensor.CopyFrom(other)
    return copy


def _assign(message: Any, name: str, value: Any) -> None:
    """Set a field of a message, whatever its kind, to what another of its type holds there."""
    if hasattr(value, "extend"):
        getattr(message, name).extend(value)
    elif hasattr(value, "CopyFrom"):
        getattr(message, name).CopyFrom(value)
    else:
        setattr(message, name, value)
