"""What is in an ONNX graph: its nodes by type, its parameters, and the operations of a sample.

Operations are multiply-accumulates, as `node_operations` counts them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from edgebench import Contents
from edgebench_kit.onnx.graphs import count_parameters, infer_infos, list_dimensions, walk_bodies
from edgebench_kit.onnx.node_operations import COUNTED, count_node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Shape = tuple[int, ...]

UNCOUNTED = frozenset(
    [
        *("LSTM", "GRU", "RNN", "Einsum", "Attention", "MultiHeadAttention", "QAttention"),
        *("DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "FusedMatMul", "FusedConv", "FusedGemm"),
        *("MatMulNBits", "MatMulIntegerToFloat", "DeformConv", "DFT", "STFT"),
    ]
)
"""Operators that multiply and accumulate too: where one is, the sum is not known."""


def describe_graph(model: Any) -> Contents:
    """Count what is in a model; the nodes of bodies and functions among them."""
    return Contents(
        nodes=count_nodes(model),
        parameters=count_parameters(model),
        operations=count_operations(model),
    )


def count_nodes(model: Any) -> dict[str, int]:
    """Return how many nodes there are of each type, the most frequent first."""
    return dict(count_kinds(model.graph, *model.functions).most_common())


def count_kinds(*owners: Any) -> Counter[str]:
    """Count the nodes of graphs or functions by type, those of bodies among them."""
    graphs = (graph for owner in owners for graph in walk_bodies(owner))
    return Counter(node.op_type for graph in graphs for node in graph.node)


def count_operations(model: Any) -> int | None:
    """Count the multiply-accumulates of one sample.

    None where that is not known: a shape cannot be inferred or is open beside the batch, a branch
    or a loop decides how much is computed, or an operator is not counted.
    """
    bodies = (*walk_bodies(model.graph), *model.functions)
    if any(
        node.op_type in (UNCOUNTED if number == 0 else UNCOUNTED | COUNTED)
        for number, graph in enumerate(bodies)
        for node in graph.node
    ):
        return None
    read_shape = _open_shapes(model)
    found = [count_node(node, read_shape) for node in model.graph.node]
    known = [one for one in found if one is not None]
    return sum(known) if len(known) == len(found) else None


def _open_shapes(model: Any) -> Callable[[str], Shape | None]:
    """Return what gives the shape of a tensor for one sample by its name; None if it is not known.

    The first dimension of what has the batch is 1.
    """
    infos, fixed = _infer(model), _read_constants(model)
    weights = {one.name for one in model.graph.initializer}
    ends = [list_dimensions(one) for one in model.graph.input if one.name not in weights]
    batches = {dims[0] for dims in ends if dims}

    def read(name: str) -> Shape | None:
        if name in fixed:
            return fixed[name]
        info = infos.get(name)
        if info is None or not info.type.tensor_type.HasField("shape"):
            return None
        dims = list_dimensions(info)
        if dims and dims[0] in batches:
            dims[0] = 1
        known = tuple(dim for dim in dims if isinstance(dim, int))
        return known if len(known) == len(dims) else None

    return read


def _infer(model: Any) -> Mapping[str, Any]:
    import onnx

    try:
        return infer_infos(model)
    except onnx.shape_inference.InferenceError:
        # Nothing is known of its shapes then, and so nothing of its operations.
        return {}


def _read_constants(model: Any) -> dict[str, Shape]:
    """Return the shapes of the initialisers and constants of a graph, by name."""
    shapes = {one.name: tuple(one.dims) for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            tensors = [one.t for one in node.attribute if one.name == "value"]
            shapes.update((node.output[0], tuple(tensor.dims)) for tensor in tensors)
    return shapes
