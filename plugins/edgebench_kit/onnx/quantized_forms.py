"""Graphs of Q/DQ pairs put into the forms that runtimes have 8-bit kernels for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from numpy.typing import NDArray

BIASED = frozenset(["Conv", "Gemm"])
LARGEST = 2**31 - 1


@attrs.frozen(eq=False)
class _Graph:
    """A graph with what writes each name, and its constants by name."""

    graph: Any
    writers: dict[str, Any]
    constants: dict[str, Any]

    @classmethod
    def index(cls, model: Any) -> _Graph:
        """Index a model's own graph."""
        graph = model.graph
        writers = {name: node for node in graph.node for name in node.output}
        return cls(graph, writers, {one.name: one for one in graph.initializer})

    def read(self, name: str) -> NDArray[Any] | None:
        """Return the values of a constant."""
        import onnx

        return onnx.numpy_helper.to_array(self.constants[name]) if name in self.constants else None

    def find_step(self, name: str) -> NDArray[Any] | None:
        """Return the step of what dequantizes to *name*; None if nothing does."""
        writer = self.writers.get(name)
        paired = writer is not None and writer.op_type == "DequantizeLinear"
        return self.read(writer.input[1]) if paired and writer else None

    def drop_unread(self) -> None:
        """Take out the constants that nothing reads."""
        read = {name for node in self.graph.node for name in node.input}
        kept = [one for one in self.graph.initializer if one.name in read]
        if len(kept) < len(self.graph.initializer):
            del self.graph.initializer[:]
            self.graph.initializer.extend(kept)


def quantize_biases(model: Any) -> None:
    """Keep the biases of quantized convolutions and products as 32-bit integers.

    Their step is that of the input times that of the weights, so that sums of products need no
    other (Jacob et al., 2018, section 2.4). A bias that is too large for that stays as it is.
    """
    index = _Graph.index(model)
    for number, node in reversed(list(enumerate(index.graph.node))):
        if node.op_type in BIASED and len(node.input) == 3 and _is_plain(node):
            _quantize_bias(index, node, number)
    index.drop_unread()


def _is_plain(node: Any) -> bool:
    """Say whether a product is scaled by nothing."""
    scales = [one.f for one in node.attribute if one.name in {"alpha", "beta"}]
    return all(scale == 1 for scale in scales)


def _quantize_bias(index: _Graph, node: Any, number: int) -> None:
    import numpy as np
    import onnx

    bias, steps = index.read(node.input[2]), [index.find_step(name) for name in node.input[:2]]
    if bias is None or steps[0] is None or steps[1] is None or bias.dtype != np.float32:
        return
    step = np.broadcast_to((steps[0] * steps[1]).astype("f4"), bias.shape)
    whole = np.rint(bias.astype("f8") / step)
    if not (np.abs(whole) <= LARGEST).all():
        return
    name = f"{node.output[0]}_bias"
    parts = {"quantized": whole.astype("i4"), "scale": step, "zero": np.zeros(bias.shape, "i4")}
    index.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.ascontiguousarray(array), f"{name}_{what}")
        for what, array in parts.items()
    )
    ends = [f"{name}_{what}" for what in parts]
    pair = onnx.helper.make_node("DequantizeLinear", ends, [name], f"{name}_dequantize", axis=0)
    node.input[2] = name
    index.graph.node.insert(number, pair)


def name_pooling(model: Any) -> None:
    """Write means over all places of a picture as what they are, which has 8-bit kernels."""
    index = _Graph.index(model)
    ranks = {
        one.name: len(one.type.tensor_type.shape.dim)
        for one in (*model.graph.value_info, *model.graph.input)
    }
    for node in index.graph.node:
        if node.op_type == "ReduceMean" and _means_places(index, node, ranks.get(node.input[0], 0)):
            node.op_type = "GlobalAveragePool"
            del node.input[1:], node.attribute[:]
    index.drop_unread()


def _means_places(index: _Graph, node: Any, rank: int) -> bool:
    axes = index.read(node.input[1]) if len(node.input) == 2 else None
    kept = [one.i for one in node.attribute if one.name == "keepdims"] != [0]
    if axes is None or rank < 3:
        return False
    return kept and {int(axis) % rank for axis in axes} == set(range(2, rank))
