"""What a runtime has left in floats of a quantized graph, read from the graph that it runs.

A runtime makes one integer operator of a convolution or product and the Q/DQ pairs around it. Where
a pair is missing, or the operator is not among those that it fuses, it computes in floats and
converts before and after, which is slower than the graph in floats was.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx.graphs import INTEGER_FAMILIES, INTEGERS, walk_bodies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PRODUCTS = frozenset(
    ["Conv", "ConvTranspose", "Gemm", "MatMul", "FusedConv", "FusedGemm", "FusedMatMul"]
)
"""Convolutions and products in floats, those that ONNX Runtime makes itself among them."""
CONVERTING = frozenset(["QuantizeLinear", "DequantizeLinear"])
COMPRESSED = "MatMulNBits"
"""A product of floats with weights in integers, or of integers where it is asked for `IN_BYTES`."""
IN_BYTES = 4
NAMED = 4
"""As many nodes are named."""
SIGNED = 3
"""The element type int8."""


def describe_unfused(file: Path) -> Sequence[str]:
    """Say what of a quantized graph a runtime computes in floats, a clause each; none if nothing.

    The file is the graph as the runtime has rewritten it.
    """
    import onnx

    model = onnx.load_model(file, load_external_data=False)
    nodes = [node for graph in walk_bodies(model.graph) for node in graph.node]
    return [*_describe_floats(nodes), *_describe_conversions(nodes), *_describe_signed(model)]


def _describe_floats(nodes: Sequence[Any]) -> Iterator[str]:
    floats = [node for node in nodes if node.op_type in PRODUCTS or _is_compressed(node)]
    if floats:
        whole = len(floats) + sum(map(_is_integer, nodes))
        fed = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
        between = sum(node.input[0] in fed for node in floats)
        names = ", ".join(f"{one.op_type} {one.name}".strip() for one in islice(floats, NAMED))
        more = f" and {len(floats) - NAMED} more" * (len(floats) > NAMED)
        yield (
            f"{len(floats)} of {whole} convolutions and products run in floats, {between} of them "
            f"behind a DequantizeLinear that was not fused: {names}{more}"
        )


def _is_compressed(node: Any) -> bool:
    """Say whether a product reads integers, and computes in floats."""
    return node.op_type == COMPRESSED and not _is_integer(node)


def _is_integer(node: Any) -> bool:
    """Say whether a node convolves or multiplies integers."""
    kind = node.op_type
    if kind == COMPRESSED:
        return any(one.name == "accuracy_level" and one.i == IN_BYTES for one in node.attribute)
    integer = kind in INTEGERS - CONVERTING or kind.startswith(INTEGER_FAMILIES)
    return integer and any(word in kind for word in ("Conv", "MatMul", "Gemm"))


def _describe_conversions(nodes: Sequence[Any]) -> Iterator[str]:
    counts = Counter(node.op_type for node in nodes if node.op_type in CONVERTING)
    if counts.total() > 2:
        kinds = " and ".join(f"{count} {name}" for name, count in counts.items())
        yield f"{kinds} are left among {len(nodes)} nodes, each a pass over its tensor"


def _describe_signed(model: Any) -> Iterator[str]:
    """Say how many activations are signed, for which the kernels for processors are slower."""
    kinds = {one.name: one.data_type for one in model.graph.initializer}
    steps = [
        node.input[2]
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and len(node.input) > 2
    ]
    if signed := sum(kinds.get(name) == SIGNED for name in steps):
        yield f"{signed} of {len(steps)} QuantizeLinear give int8, where its kernels prefer uint8"
