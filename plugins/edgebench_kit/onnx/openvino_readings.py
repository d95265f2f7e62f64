"""What OpenVINO (2026.4) reads in a graph and does not do, and how to write it so that it does.

Found by comparing it, ONNX Runtime and the reference evaluator of onnx on each operator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed
from edgebench_kit.onnx import flattening, graph_files, graphs
from edgebench_kit.onnx.flattening import mentions
from edgebench_kit.onnx.padded_pooling import counts_padding, read_settings, write_out_padding
from edgebench_kit.onnx.scopes import walk_node_bodies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

RARE = (
    *(b"antialias", b"exclude_outside", b"keep_aspect_ratio_policy", b"ReduceLogSum"),
    *(b"\x22\x08Upsample", b"ceil_mode\x18\x01"),
)
"""Bytes for which a graph is looked through: words, an operator, an attribute that is 1."""
RECURRENT = {"GRU": b"\x22\x03GRU", "LSTM": b"\x22\x04LSTM", "RNN": b"\x22\x03RNN"}
"""The recurrent operators, each as it stands in a file."""
CONDITIONAL = b"\x22\x02If"
"""The operator that runs one of two bodies, as it stands in a file."""
BETWEEN = frozenset(["Add", "Clip", "Dropout", "Identity", "Max", "Min", "Sub"])
"""What it makes one with a convolution without mending what is wrong beside a recurrent node."""
TWO = 2


def rewrite(file: Path) -> Any | None:
    """Return the graph of a file written so that OpenVINO reads it as it is meant.

    None where it does so as it is: then the graph has not been read, unless a word gave reason to.

    Raises:
        CaseFailed: It would compute another model.
    """
    if not _may_be_misread(file):
        return None
    model = graph_files.read_graph(file)
    # Softmax of the operator sets 11 and 12 is read as that of 13.
    changed = [flattening.write_out_flattening(model), write_out_padding(model)]
    if misread := next(find_misread(model), ""):
        raise CaseFailed(f"openvino would compute another model: {misread}")
    return model if any(changed) else None


def _may_be_misread(file: Path) -> bool:
    old = flattening.read_operator_set(file) < flattening.WORKS_ALONG_AXIS
    padded = mentions(file, b"SAME_", b"output_shape")
    return (
        (old and mentions(file, b"Softmax"))
        or (padded and mentions(file, b"ConvTranspose"))
        or (mentions(file, b"QuantizeLinear") and mentions(file, CONDITIONAL, *RECURRENT.values()))
        or mentions(file, *RARE)
    )


def find_misread(model: Any) -> Iterator[str]:
    """Yield what OpenVINO does otherwise than a graph says, with the node."""
    sizes = [dim for info in model.graph.input for dim in info.type.tensor_type.shape.dim]
    is_open = not all(dim.dim_value > 0 for dim in sizes)
    scales = {one.name: one for one in model.graph.initializer}
    for owner in (model.graph, *model.functions):
        for graph in graphs.walk_bodies(owner):
            for node in graph.node:
                if what := _find_ignored(node, read_settings(node), is_open):
                    yield f"it ignores {_name(what, node)}"
                elif _is_scaled_unevenly(node, scales):
                    yield f"it rounds to other places at {_name('a scale', node)}"
    yield from _find_broken(model)
    yield from _find_quantized_branches(model)


def _name(what: str, node: Any) -> str:
    return f"{what} of the {node.op_type} that writes {node.output[0]!r}"


def _find_ignored(node: Any, said: Mapping[str, Any], is_open: bool) -> str:
    if node.op_type == "Resize":
        if said.get("antialias"):
            return "antialias=1"
        if said.get("exclude_outside") and said.get("mode") == b"cubic":
            return "exclude_outside=1"
        if (policy := said.get("keep_aspect_ratio_policy", b"stretch")) != b"stretch":
            return f"keep_aspect_ratio_policy={policy.decode()}"
    if node.op_type == "ReduceLogSum" and said.get("noop_with_empty_axes"):
        return "noop_with_empty_axes=1"
    if counts_padding(node):
        return "count_include_pad=1, with ceil_mode=1,"
    if node.op_type == "ConvTranspose" and is_open:
        if said.get("auto_pad", b"NOTSET").startswith(b"SAME"):
            return "auto_pad, where a dimension is open,"
        if said.get("output_shape"):
            return "output_shape, where a dimension is open,"
    return ""


def _is_scaled_unevenly(node: Any, constants: Mapping[str, Any]) -> bool:
    """Say whether an Upsample takes the nearest at scales that are not whole or half.

    Where one is computed it is not known here. It takes what is nearest to the middle of a place
    where the specification (Upsample-9) takes what is at its beginning: the same at those.
    """
    import onnx

    said = read_settings(node)
    if node.op_type != "Upsample" or said.get("mode", b"nearest") != b"nearest":
        return False
    given = constants.get(node.input[1]) if len(node.input) > 1 else None
    scales = said.get("scales", []) if given is None else onnx.numpy_helper.to_array(given)
    return any(2 * scale % 1 for scale in scales)


def _find_broken(model: Any) -> Iterator[str]:
    """Yield the convolutions in two dimensions that are wrong beside a recurrent node.

    It is so where the first dimension of an input is open and QuantizeLinear reads what they write,
    not in every such graph: what else it takes is not known.
    """
    kinds = {node.op_type for node in model.graph.node}
    firsts = [list(info.type.tensor_type.shape.dim)[:1] for info in model.graph.input]
    if kinds.isdisjoint(RECURRENT) or all(dim.dim_value > 0 for dims in firsts for dim in dims):
        return
    beside = ", ".join(sorted(kinds & RECURRENT.keys()))
    for name in _find_quantized(model.graph):
        yield (
            f"it may get other numbers from the quantized Conv that writes {name!r} where there is "
            f"{beside} and the batch is open"
        )


def _find_quantized_branches(model: Any) -> Iterator[str]:
    """Yield the conditionals within which activations are quantized.

    With the quantized rest of a residual network in one, logits were off by up to 5 and 24 of 100
    more answers wrong than with it in a graph of its own; with its activations in floats they were
    off by 1, as int8 is elsewhere.
    """
    for graph in graphs.walk_bodies(model.graph):
        for node in graph.node:
            inner = [one for body in walk_node_bodies(node) for one in graphs.walk_bodies(body)]
            kinds = {one.op_type for body in inner for one in body.node}
            if node.op_type == "If" and "QuantizeLinear" in kinds:
                yield (
                    "it may get other numbers from what is quantized within the If that writes "
                    f"{node.output[0]!r}"
                )


def _find_quantized(graph: Any) -> Iterator[str]:
    """Yield what convolutions in two dimensions write that QuantizeLinear reads, nearly at once."""
    sources: dict[str, str] = {}
    for node in graph.node:
        read = next((sources[name] for name in node.input if name in sources), "")
        if node.op_type == "Conv" and _count_dimensions(node) >= TWO:
            sources[node.output[0]] = node.output[0]
        elif read and node.op_type in BETWEEN:
            sources[node.output[0]] = read
        elif read and node.op_type == "QuantizeLinear":
            yield read


def _count_dimensions(node: Any) -> int:
    """Return in how many dimensions a convolution runs, as far as its attributes tell; else 2."""
    said = read_settings(node)
    pads = len(said.get("pads", ())) // 2
    known = [len(said.get(key, ())) for key in ("kernel_shape", "strides", "dilations")]
    return max([pads, *known]) or TWO
