"""What a graph needs so that ONNX Runtime's quantizer makes of it what it computes.

The quantizer takes each constant once, however many nodes read it in ways that need other steps;
a bias for a vector, and its factor for 1; the steps of a weight along the axis that is usual for
its operator; and it looks into no body. Each of these is put right here, in graphs whose names are
labels (`scopes.Labels`) and whose weights may lie beside them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx import scopes

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path

    from edgebench_kit.onnx.scopes import Labels

NORMS = frozenset(["BatchNormalization", "InstanceNormalization", "LayerNormalization"])
WEIGHTED = frozenset(["Conv", "ConvTranspose", "Gemm", "MatMul"]) | NORMS
"""The operators whose second input the quantizer takes for a weight, and a third for a bias."""


def prepare_graph(model: Any, labels: Labels, directory: Path) -> None:
    """Put right, in place, what the quantizer would take for something else.

    What the graph computes stays the same but for rounding. *directory* holds the weights.
    """
    graph = model.graph
    for node in graph.node:
        while node.input and not node.input[-1]:
            node.input.pop()  # an input that is left out at the end is one less
    _free_passed(graph, labels)
    _free_captured(graph, labels)
    _set_biases(graph, labels, directory)
    scopes.drop_unread(graph)
    scopes.sort_nodes(graph)


# --- what is read elsewhere than by nodes ---------------------------------------------------------


def _free_passed(graph: Any, labels: Labels) -> None:
    """Let nodes read another tensor where an input is an output too."""
    passed = {one.name for one in graph.input} & {one.name for one in graph.output}
    instead = _copy_by_identity(graph, labels, passed)
    for node in list(graph.node)[: len(graph.node) - len(passed)]:
        node.input[:] = [instead.get(name, name) for name in node.input]
        for body in scopes.walk_node_bodies(node):
            scopes.replace_reads(body, instead)


def _free_captured(graph: Any, labels: Labels) -> None:
    """Let bodies read tensors of their own, which nothing takes from under them."""
    captured = {name for node in graph.node for name in scopes.find_captured(node)}
    weights = {one.name: one for one in graph.initializer if one.name in captured}
    instead = {name: _copy_constant(graph, labels, one) for name, one in weights.items()}
    instead |= _copy_by_identity(graph, labels, captured - weights.keys())
    for node in graph.node:
        for body in scopes.walk_node_bodies(node):
            scopes.replace_reads(body, instead)


def _copy_by_identity(graph: Any, labels: Labels, names: set[str]) -> dict[str, str]:
    import onnx

    copies = {name: labels.add(name) for name in sorted(names)}
    graph.node.extend(
        onnx.helper.make_node("Identity", [name], [copy], name=labels.add(name))
        for name, copy in copies.items()
    )
    return copies


def _copy_constant(graph: Any, labels: Labels, tensor: Any) -> str:
    copy = graph.initializer.add()
    copy.CopyFrom(tensor)
    copy.name = labels.add(tensor.name)
    return str(copy.name)


# --- biases ---------------------------------------------------------------------------------------


def _set_biases(graph: Any, labels: Labels, directory: Path) -> None:
    """Make the constant that a Gemm adds a vector, and its factor 1; what is none is added apart.

    A matrix that has another row for each sample has no step that fits the sums.
    """
    constants = {one.name: one for one in graph.initializer}
    for node in list(graph.node):
        if node.op_type == "Gemm" and len(node.input) == 3 and node.input[2] in constants:
            values = _read(constants[node.input[2]], directory) * _take_factor(node)
            width = _find_width(node, constants)
            if values.size not in (1, width) or (values.size > 1 and values.shape[-1] != width):
                _add_apart(graph, labels, node, values)
            elif width:
                vector = _spread(values, width)
                node.input[2] = _add_constant(graph, labels, node.input[2], vector)


def _read(tensor: Any, directory: Path) -> Any:
    import onnx

    return onnx.numpy_helper.to_array(tensor, str(directory))


def _take_factor(node: Any) -> Any:
    """Return the factor of a Gemm's bias, in the bias's own type, and set it to 1."""
    for attribute in node.attribute:
        if attribute.name == "beta":
            factor, attribute.f = attribute.f, 1.0
            return factor
    return 1


def _find_width(node: Any, constants: Any) -> int | None:
    """Return how many columns a Gemm writes, if its weight tells."""
    weight = constants.get(node.input[1])
    return None if weight is None else int(weight.dims[0 if _is_set(node, "transB") else 1])


def _is_set(node: Any, name: str) -> bool:
    return any(one.name == name and one.i for one in node.attribute)


def _spread(values: Any, width: int) -> Any:
    import numpy as np

    return np.broadcast_to(values.reshape(-1), (width,))


def _add_apart(graph: Any, labels: Labels, node: Any, values: Any) -> None:
    import onnx

    sums, written = labels.add(node.output[0]), node.output[0]
    added = _add_constant(graph, labels, node.input[2], values)
    node.input.pop()
    node.output[0] = sums
    for info in graph.value_info:
        if info.name == written:
            graph.value_info.add().CopyFrom(info)
            graph.value_info[-1].name = sums
            break
    name = labels.add(node.name)
    graph.node.append(onnx.helper.make_node("Add", [sums, added], [written], name=name))


def _add_constant(graph: Any, labels: Labels, label: str, values: Any) -> str:
    import numpy as np
    import onnx

    name = labels.add(label)
    graph.initializer.append(onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
    return name


# --- constants ------------------------------------------------------------------------------------


def split_constants(model: Any, labels: Labels, excluded: Container[str]) -> None:
    """Give each way of reading a constant a constant of its own; nodes *excluded* read as before.

    The quantizer has one step, or one for each channel, for all that read a constant.
    """
    graph = model.graph
    uses = _find_uses(graph, excluded)
    outputs = {one.name for one in graph.output}
    for tensor in list(graph.initializer):
        ways = list(uses[tensor.name].values())
        for places in ways if tensor.name in outputs else ways[1:]:
            copy = _copy_constant(graph, labels, tensor)
            for node, position in places:
                node.input[position] = copy


def _find_uses(graph: Any, excluded: Container[str]) -> Any:
    """Return, by name and way of reading, the nodes and positions that read each tensor."""
    uses: Any = defaultdict(lambda: defaultdict(list))
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name:
                way = None if node.name in excluded else _find_way(node, position)
                uses[name][way].append((node, position))
    return uses


def _find_way(node: Any, position: int) -> tuple[Any, ...]:
    if position == 2 and node.op_type in WEIGHTED:
        return (node.name,)  # the step of a bias is that of its node's input and weight
    grouped = _count_groups(node) > 1
    return node.op_type, position, _is_set(node, "transB"), grouped


def _count_groups(node: Any) -> int:
    return next((int(one.i) for one in node.attribute if one.name == "group"), 1)


def find_single_steps(model: Any) -> Iterator[str]:
    """Yield the constants that must not have a step for each channel.

    The quantizer takes the axis for them that is usual: that of a matrix at the right of a product,
    of an ungrouped convolution. Elsewhere it runs along what is summed up, or has fewer entries
    than there are channels.
    """
    ranks = {one.name: len(one.dims) for one in model.graph.initializer}
    for node in model.graph.node:
        for position, name in enumerate(node.input[:2]):
            if name in ranks and _is_single(node, position, ranks[name]):
                yield name


def _is_single(node: Any, position: int, rank: int) -> bool:
    if node.op_type == "MatMul":
        return position == 0 or rank != 2
    if node.op_type == "ConvTranspose":
        return _count_groups(node) > 1
    return node.op_type in NORMS
