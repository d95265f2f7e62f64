"""A graph whose matrices are integers, its activations made integers when it runs.

Activations are quantized by DynamicQuantizeLinear (ONNX operator set 11), which has one step for a
whole tensor: so what a sample gives depends a little on those that share its batch. Products are
MatMulInteger and ConvInteger; of rows that are picked of a table (embeddings), each has its own
step, and is made floats once it is picked.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.onnx import scopes
from edgebench_kit.onnx.scopes import Labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

FLOAT = 1
FEWEST_COLUMNS = 16
"""Rows of a table that are shorter weigh little, and their steps as much as they do."""
PRODUCTS = frozenset(["MatMul", "Gemm"])
CONVOLUTION, TABLE = "Conv", "Gather"


@attrs.frozen(kw_only=True)
class DynamicQuantizer:
    """What is made integers in a graph whose names are labels, and how."""

    labels: Labels
    kinds: frozenset[str]
    """Of `PRODUCTS`, `CONVOLUTION` and `TABLE`, the operators whose weights become integers."""
    per_channel: bool = True
    """Whether each column of a matrix, and each filter, has its own step."""
    largest: int = 127
    """The largest integer a weight becomes."""
    left: frozenset[str] = frozenset()
    """The names of the nodes that stay in floats."""

    def quantize(self, model: Any) -> Counter[str]:
        """Change a graph and the bodies in it, in place; return how many nodes of which kind.

        Constants that nothing reads any more are taken out.
        """
        done: Counter[str] = Counter()
        self._quantize_graph(model.graph, {}, done)
        scopes.drop_unread(model.graph)
        return done

    def _quantize_graph(self, graph: Any, around: Mapping[str, Any], done: Counter[str]) -> None:
        constants = {**around, **{one.name: one for one in graph.initializer}}
        work = _Work(quantizer=self, graph=graph, constants=constants)
        for node in graph.node:
            for body in scopes.walk_node_bodies(node):
                self._quantize_graph(body, constants, done)
            if node.name not in self.left and work.rewrite(node):
                done[node.op_type] += 1
            else:
                work.keep(node)
        work.finish()


@attrs.frozen(kw_only=True)
class _Work:
    """One graph, while its nodes are written anew."""

    quantizer: DynamicQuantizer
    graph: Any
    constants: Mapping[str, Any]
    nodes: list[Any] = attrs.field(factory=list)
    dynamic: dict[str, tuple[str, str, str]] = attrs.field(factory=dict)
    """By activation, its integers, their step and their zero, written in this graph."""
    weights: dict[tuple[Any, ...], tuple[str, str]] = attrs.field(factory=dict)
    """By matrix and way of reading it, its integers and their steps."""

    def keep(self, node: Any) -> None:
        """Take a node over as it is."""
        self.nodes.append(type(node).FromString(node.SerializeToString()))

    def finish(self) -> None:
        """Put the nodes into the graph."""
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)

    def rewrite(self, node: Any) -> bool:
        """Write what stands for a node, if its weights can be integers."""
        if node.op_type not in self.quantizer.kinds or node.domain not in ("", "ai.onnx"):
            return False
        at = 0 if node.op_type == TABLE else 1
        values = _read_weights(self.constants.get(node.input[at]))
        if values is None:
            return False
        write = {"MatMul": self._write_matmul, "Gemm": self._write_gemm}
        write |= {CONVOLUTION: self._write_conv, TABLE: self._write_gather}
        return write[node.op_type](node, values)

    def _write_matmul(self, node: Any, values: NDArray[Any]) -> bool:
        weights = values, (node.input[1], 0)
        self._write_product("MatMulInteger", node, node.input[0], weights, "")
        return True

    def _write_gemm(self, node: Any, values: NDArray[Any]) -> bool:
        said = _read_attributes(node)
        values = values.T if said.get("transB") else values
        read = node.input[0]
        if said.get("transA"):
            read = self._add("Transpose", [read], node, said={"perm": [1, 0]})
        # The factor of the sums goes into their step, that of the bias into the bias.
        bias = node.input[2] if len(node.input) > 2 else ""
        if bias and said.get("beta", 1.0) != 1.0:
            factor = self._add_constant(node, _as_float(said["beta"]))
            bias = self._add("Mul", [bias, factor], node)
        weights = values, (node.input[1], said.get("transB", 0))
        self._write_product(
            "MatMulInteger", node, read, weights, bias, factor=said.get("alpha", 1.0)
        )
        return True

    def _write_conv(self, node: Any, values: NDArray[Any]) -> bool:
        bias = node.input[2] if len(node.input) > 2 else ""
        if bias:
            wide = self._add_constant(node, _as_whole([1, -1, *[1] * (values.ndim - 2)]))
            bias = self._add("Reshape", [bias, wide], node)
        self._write_product("ConvInteger", node, node.input[0], (values, node.input[1]), bias)
        return True

    def _write_gather(self, node: Any, values: NDArray[Any]) -> bool:
        said = _read_attributes(node)
        narrow = values.ndim != 2 or values.shape[1] < FEWEST_COLUMNS
        if narrow or said.get("axis", 0) not in (0, -2):
            return False
        integers, steps = self._add_weights(node, values, "Gather", node.input[0])
        picked = self._add("Gather", [integers, node.input[1]], node, said={"axis": 0})
        step = self._add("Gather", [steps, node.input[1]], node, said={"axis": 0})
        floats = self._add("Cast", [picked], node, said={"to": FLOAT})
        self._add("Mul", [floats, step], node, output=node.output[0])
        return True

    def _write_product(
        self,
        kind: str,
        node: Any,
        read: str,
        weights: tuple[NDArray[Any], Any],
        bias: str,
        factor: float = 1.0,
    ) -> None:
        """Write a product of integers, made floats, in the order in which runtimes fuse it."""
        values, key = weights
        integers, steps = self._add_weights(
            node, values * _as_float(factor), kind, (kind, key, factor)
        )
        activation, step, zero = self._quantize_activation(read, node)
        kept = _read_attributes(node) if kind == "ConvInteger" else {}
        sums = self._add(kind, [activation, integers, zero], node, said=kept)
        floats = self._add("Cast", [sums], node, said={"to": FLOAT})
        both = self._add("Mul", [step, steps], node)
        if bias:
            product = self._add("Mul", [floats, both], node)
            self._add("Add", [product, bias], node, output=node.output[0])
        else:
            self._add("Mul", [floats, both], node, output=node.output[0])

    def _quantize_activation(self, read: str, node: Any) -> tuple[str, str, str]:
        if read not in self.dynamic:
            label = node.output[0]
            integers, step, zero = (self.quantizer.labels.add(label) for _ in range(3))
            names = integers, step, zero
            self.nodes.append(self._make("DynamicQuantizeLinear", [read], names, node, {}))
            self.dynamic[read] = names
        return self.dynamic[read]

    def _add_weights(self, node: Any, values: NDArray[Any], kind: str, key: Any) -> tuple[str, str]:
        """Add the integers of weights and their steps, once for each way of reading them."""
        import numpy as np

        if key not in self.weights:
            largest = self.quantizer.largest
            one = not self.quantizer.per_channel and kind != "Gather"
            over = None if one else _list_summed(kind, values.ndim)
            sizes = np.abs(values).max(axis=over, keepdims=True)
            steps = np.where(sizes > 0, sizes / largest, 1).astype("f4")
            integers = np.rint(values / steps).clip(-largest, largest)
            self.weights[key] = (
                self._add_constant(node, integers.astype("i1")),
                self._add_constant(node, steps.reshape(()) if one else _shape_steps(steps, kind)),
            )
        return self.weights[key]

    def _add_constant(self, node: Any, values: NDArray[Any]) -> str:
        import numpy as np
        import onnx

        name = self.quantizer.labels.add(node.output[0])
        array = np.ascontiguousarray(values).reshape(values.shape)
        self.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        return name

    def _add(
        self,
        kind: str,
        read: list[str],
        node: Any,
        *,
        output: str = "",
        said: Mapping[str, Any] | None = None,
    ) -> str:
        written = output or self.quantizer.labels.add(node.output[0])
        self.nodes.append(self._make(kind, read, [written], node, said or {}))
        return written

    def _make(
        self, kind: str, read: list[str], written: Iterable[str], node: Any, said: Mapping[str, Any]
    ) -> Any:
        import onnx

        made = onnx.NodeProto(
            op_type=kind, input=read, output=written, name=self.quantizer.labels.add(node.name)
        )
        made.attribute.extend(onnx.helper.make_attribute(*one) for one in said.items())
        return made


def _list_summed(kind: str, rank: int) -> tuple[int, ...]:
    """Return the axes of weights that share a step: those that are summed over, or a row."""
    if kind == "Gather":
        return (1,)
    return tuple(range(1, rank)) if kind == "ConvInteger" else (rank - 2,)


def _shape_steps(steps: NDArray[Any], kind: str) -> NDArray[Any]:
    """Return steps in the shape in which they are multiplied with sums, or picked."""
    if kind == "ConvInteger":
        return steps[:, 0]
    # Runtimes make one of a product and its steps only if these are a vector.
    return steps.reshape(-1) if kind == "MatMulInteger" and steps.ndim == 2 else steps


def _read_weights(tensor: Any) -> NDArray[Any] | None:
    """Return the values of a constant of finite floats that are some; None if it is none."""
    import numpy as np
    import onnx

    if tensor is None or tensor.data_type != FLOAT or len(tensor.dims) < 2:
        return None
    values = onnx.numpy_helper.to_array(tensor)
    return values if values.size and np.isfinite(values).all() else None


def _read_attributes(node: Any) -> dict[str, Any]:
    import onnx

    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


def _as_float(value: float) -> Any:
    import numpy as np

    return np.asarray(value, "f4")


def _as_whole(values: list[int]) -> Any:
    import numpy as np

    return np.asarray(values, "i8")
