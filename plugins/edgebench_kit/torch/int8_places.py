"""Where an exported program computes in 8 bits, so that runtimes have kernels for what comes out.

The annotations of torchao's PT2E: a runtime fuses an operator with what surrounds it if all that it
reads and what it writes is quantized, a rectifier behind it included (Jacob et al., 2018, section
2.4). What only moves values shares the step of what it moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Quantization

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CONVOLUTIONS = frozenset(
    f"conv{kind}{dims}d" for kind in ("", "_transpose") for dims in (1, 2, 3)
)  # fmt: skip
WEIGHTED = CONVOLUTIONS | {"linear"}
MOVING_AVERAGE = 0.05
"""How much the range of one more batch counts."""
RECTIFIERS = frozenset(["relu", "hardtanh", "relu6", "clamp"])
"""What clips its input: the range of an 8-bit number does the same."""
JOINING = frozenset(["add", "cat", "concat", "avg_pool2d", "adaptive_avg_pool2d"])
"""What has kernels in 8 bits only where its output is quantized as well."""
PRODUCTS = frozenset(["matmul", "bmm"])
MOVING = frozenset(
    [
        *("view", "reshape", "flatten", "permute", "transpose", "squeeze", "unsqueeze", "slice"),
        *("max_pool1d", "max_pool2d", "contiguous", "select", "unflatten", "clone"),
        *("dropout", "alias", "channel_shuffle", "pixel_shuffle"),
    ]
)


def name_operator(node: Any) -> str:
    """Return the name of a node's ATen operator, that of the one in place too; empty for others."""
    schema = getattr(node.target, "_schema", None) if node.op == "call_function" else None
    return str(schema.name).partition("::")[2].rstrip("_") if schema else ""


def is_float(node: Any) -> bool:
    """Say whether a node gives one tensor of 32-bit floats."""
    import torch

    return getattr(node.meta.get("val"), "dtype", None) is torch.float32


@attrs.frozen(eq=False)
class Places:
    """The nodes of a program that read or write numbers of 8 bits."""

    taking: frozenset[Any]
    """Those whose inputs of floats are quantized."""
    giving: frozenset[Any]
    """Those whose output is quantized, whoever reads it."""

    @classmethod
    def find(cls, graph: Any) -> Places:
        """Look at the readers of each node before the node itself."""
        taking: set[Any] = set()
        for node in reversed(graph.nodes):
            if _takes(node, taking):
                taking.add(node)
        giving = {_pass_rectifier(node) for node in taking if _is_fused(node)}
        return cls(frozenset(taking), frozenset(giving))


def _takes(node: Any, taking: set[Any]) -> bool:
    name = name_operator(node)
    if name in WEIGHTED:
        return is_float(node) and has_own_weight(node)
    if name not in MOVING | JOINING | PRODUCTS or not is_float(node):
        return False
    if not _reads_tensors_alone(node):
        return False
    if name in MOVING:
        return bool(node.users) and any(user in taking for user in node.users)
    return name in JOINING | PRODUCTS and (name in PRODUCTS or _is_wanted(node, taking))


def _is_wanted(node: Any, taking: set[Any]) -> bool:
    """Say whether what a node gives is read in 8 bits, a rectifier behind it left aside."""
    return any(user in taking for user in _pass_rectifier(node).users)


def _reads_tensors_alone(node: Any) -> bool:
    """Say whether all that a node adds, joins or moves are tensors of floats made in the graph."""
    read = list(list_operands(node))
    return bool(read) and all(is_float(one) and one.op != "get_attr" for one in read)


def list_operands(node: Any) -> Iterator[Any]:
    """Yield the nodes that a node reads values from: not its weights, nor its sizes."""
    from torch.fx import Node

    first = node.args[0]
    values: Iterable[Any] = first if isinstance(first, list | tuple) else [first]
    if name_operator(node) in {"add", *PRODUCTS}:
        values = node.args[:2]
    yield from (one if isinstance(one, Node) else node for one in values)


def has_own_weight(node: Any) -> bool:
    """Say whether the weight of a convolution or a linear layer is one of the module's own."""
    weight = node.args[1]
    return bool(weight.op == "get_attr")


def _is_fused(node: Any) -> bool:
    name = name_operator(node)
    return name in CONVOLUTIONS | JOINING


def _pass_rectifier(node: Any) -> Any:
    """Return the rectifier that alone reads a node, or else the node."""
    users = list(node.users)
    behind = users[0] if len(users) == 1 else node
    return behind if name_operator(behind) in RECTIFIERS else node


@attrs.frozen(eq=False)
class Specs:
    """How the values of activations, weights and tables are quantized, as torchao takes it."""

    activation: Any
    weight: Any
    transposed: Any
    """The weights of a transposed convolution, whose second axis are its outputs."""
    table: Any
    """The table of an embedding, with one step: its rows are read, not multiplied."""

    @classmethod
    def make(cls, target: Quantization) -> Specs:
        """Follow what a backend prefers."""
        activation = _make_activation(target)
        weights = [_make_weight(target, axis) for axis in (0, 1, None)]
        return cls(activation, *weights)

    def choose_weight(self, name: str) -> Any:
        """Return how the weight of an operator is quantized."""
        return self.transposed if "transpose" in name else self.weight


def _make_activation(target: Quantization) -> Any:
    import torch
    from torchao.quantization.pt2e import fake_quantize, observer
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    signed = target.activation == "int8"
    scheme = torch.per_tensor_symmetric if target.symmetric_activation else torch.per_tensor_affine
    return QuantizationSpec(
        dtype=torch.int8 if signed else torch.uint8,
        quant_min=-128 if signed else 0,
        quant_max=127 if signed else 255,
        qscheme=scheme,
        observer_or_fake_quant_ctr=fake_quantize.FakeQuantize.with_args(
            observer=observer.MovingAverageMinMaxObserver, averaging_constant=MOVING_AVERAGE
        ),
    )


def _make_weight(target: Quantization, axis: int | None) -> Any:
    """Describe weights; with an *axis*, and if the target takes it, with a step for each place."""
    import torch
    from torchao.quantization.pt2e import fake_quantize, observer
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    signed, split = target.weight == "int8", target.per_channel and axis is not None
    kind = "MovingAveragePerChannelMinMaxObserver" if split else "MovingAverageMinMaxObserver"
    scheme = f"per_{'channel' if split else 'tensor'}_{'symmetric' if signed else 'affine'}"
    return QuantizationSpec(
        dtype=torch.int8 if signed else torch.uint8,
        quant_min=-127 if signed else 0,
        quant_max=127 if signed else 255,
        qscheme=getattr(torch, scheme),
        ch_axis=axis if split else None,
        # What was seen last is all that counts: a weight is known, not sampled.
        observer_or_fake_quant_ctr=fake_quantize.FakeQuantize.with_args(
            observer=getattr(observer, kind), averaging_constant=1.0
        ),
    )


def annotate(model: Any, target: Quantization) -> int:
    """Note at the nodes of an exported program what is to be quantized; return at how many."""
    places, specs = Places.find(model.graph), Specs.make(target)
    noted = 0
    for node in model.graph.nodes:
        inputs, output = _describe(node, places, specs)
        if inputs or output:
            _note(node, inputs, output)
            noted += 1
    return noted


def _describe(node: Any, places: Places, specs: Specs) -> tuple[dict[Any, Any], Any]:
    """Return how the inputs and the output of a node are quantized."""
    from torchao.quantization.pt2e.quantizer import SharedQuantizationSpec

    name = name_operator(node)
    if name == "embedding" and node.args[0].op == "get_attr" and is_float(node):
        return {node.args[0]: specs.table}, SharedQuantizationSpec((node.args[0], node))
    output = specs.activation if node in places.giving else None
    if node not in places.taking:
        return {}, output
    if name in WEIGHTED:
        return {node.args[0]: specs.activation, node.args[1]: specs.choose_weight(name)}, output
    inputs = dict.fromkeys(list_operands(node), specs.activation)
    if name in MOVING:
        return inputs, SharedQuantizationSpec((node.args[0], node))
    return inputs, output


def _note(node: Any, inputs: dict[Any, Any], output: Any) -> None:
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation
    from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

    node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(
        input_qspec_map=inputs, output_qspec=output, _annotated=True
    )
