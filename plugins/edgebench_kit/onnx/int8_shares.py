"""Which part of a graph is kept as integers for int8, and how a graph is called then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from edgebench_kit.onnx import graphs

NEARLY_ALL = 0.95
"""The part of the constants from which on a graph is said to be int8, and no part of it."""
PAIRED = frozenset(["QuantizeLinear", "DequantizeLinear"])
MULTIPLYING = frozenset(["ConvInteger", "MatMulInteger"])
FLOATS = frozenset([1, 10, 11, 16])
"""The element types of 32, 16 and 64 bits, and bfloat16."""
WEIGHTED = frozenset(["Conv", "ConvTranspose", "Gemm", "MatMul"])
BYTES = frozenset([2, 3])
"""The element types of 8-bit integers."""


def name_precision(share: float) -> str:
    """Name what a graph is kept in, with the part of its constants if that is not nearly all."""
    return "int8" if share >= NEARLY_ALL else f"int8 ({share:.0%})"


def find_int8_share(model: Any) -> float:
    """Return which part of a graph's constants of numbers is kept as integers for int8.

    Steps are no such constants. A graph without constants has its activations alone in int8, and
    all of it then.
    """
    # A body reads the constants of the graphs around it too.
    nodes = [node for graph in graphs.walk_bodies(model.graph) for node in graph.node]
    pairs = [node.input for node in nodes if node.op_type in PAIRED]
    multiplied = [node.input for node in nodes if node.op_type in MULTIPLYING]
    steps = {name for read in pairs for name in read[1:]}
    weights = {read[0] for read in pairs} | {read[1] for read in multiplied}
    weights |= {one.name for one in _list_tables(nodes, model.graph)}
    others = {name for node in nodes for name in node.input} - steps - weights
    kept = total = 0
    for graph in graphs.walk_bodies(model.graph):
        for one in graph.initializer:
            size = prod(one.dims)
            kept += size if one.name in weights else 0
            total += size if one.name in weights or _is_float(one, others) else 0
    return kept / total if total else 1.0


def _is_float(tensor: Any, read: set[str]) -> bool:
    return tensor.data_type in FLOATS and tensor.name in read


def _list_tables(nodes: Sequence[Any], graph: Any) -> Iterator[Any]:
    """Yield the constants of 8 bits that rows are picked of."""
    picked = {node.input[0] for node in nodes if node.op_type == "Gather"}
    yield from (one for one in graph.initializer if one.data_type in BYTES and one.name in picked)


def find_integer_nodes(model: Any) -> set[str]:
    """Return the names of the nodes with weights that compute in integers, by Q/DQ pairs."""
    nodes = model.graph.node
    paired = (node.output for node in nodes if node.op_type == "DequantizeLinear")
    made = {name for names in paired for name in names}
    weighted = (node for node in nodes if node.op_type in WEIGHTED)
    return {node.name for node in weighted if set(node.input[:2]) <= made}
