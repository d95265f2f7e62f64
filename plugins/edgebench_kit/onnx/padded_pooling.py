"""AveragePool that counts its padding and rounds its size up, written out.

The ONNX specification counts the padding that a node asks for, and not what a last window reaches
beyond it. A runtime that does not tell the two apart divides by another number there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx.graphs import read_opset, walk_bodies
from edgebench_kit.onnx.scopes import find_free_name, list_names

if TYPE_CHECKING:
    from collections.abc import Sequence

PADS_ARE_INPUTS = 11
"""The operator set from which Pad reads its pads as an input."""


def read_settings(node: Any) -> dict[str, Any]:
    """Return the attributes of a node by name."""
    import onnx

    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


def counts_padding(node: Any) -> bool:
    """Say whether a node is such an AveragePool."""
    said = read_settings(node) if node.op_type == "AveragePool" else {}
    return bool(
        said.get("ceil_mode") and said.get("count_include_pad") and any(said.get("pads", ()))
    )


def write_out_padding(model: Any) -> bool:
    """Pad apart, in place, before each such node that allows it; return whether any did.

    After that nothing is left to be counted but what is there. It is the same where each window
    begins before the padding behind does, as it does if a step is no longer than what a window is
    longer than that; other nodes, and those of bodies and functions, stay as they are.
    """
    graph, opset = model.graph, read_opset(model.opset_import, PADS_ARE_INPUTS)
    taken = set().union(*map(list_names, walk_bodies(graph)))
    found = [node.output[0] for node in graph.node if counts_padding(node) and _begins_inside(node)]
    for name in found:
        names = find_free_name(f"{name}.padded", taken), find_free_name(f"{name}.pads", taken)
        taken.update(names)
        at = next(at for at, node in enumerate(graph.node) if name in node.output)
        pad = _make_pad(graph, graph.node[at].input[0], names, _take_pads(graph.node[at]), opset)
        graph.node[at].input[0] = names[0]
        graph.node.insert(at, pad)
    return bool(found)


def _begins_inside(node: Any) -> bool:
    said = read_settings(node)
    rank = len(said["kernel_shape"])
    strides, dilations = (said.get(key, [1] * rank) for key in ("strides", "dilations"))
    lengths = [(k - 1) * d + 1 for k, d in zip(said["kernel_shape"], dilations, strict=True)]
    behind = said["pads"][rank:]
    return all(
        step <= length - pad for step, length, pad in zip(strides, lengths, behind, strict=True)
    )


def _take_pads(node: Any) -> list[int]:
    """Take the padding, and that it counts, from a node; return it as Pad reads it."""
    pads = list(read_settings(node)["pads"])
    kept = [one for one in node.attribute if one.name not in {"pads", "count_include_pad"}]
    copies = [type(one).FromString(one.SerializeToString()) for one in kept]
    del node.attribute[:]
    node.attribute.extend(copies)
    half = len(pads) // 2
    return [0, 0, *pads[:half], 0, 0, *pads[half:]]


def _make_pad(
    graph: Any, read: str, names: tuple[str, str], pads: Sequence[int], opset: int
) -> Any:
    from onnx import TensorProto, helper

    padded, sizes = names
    if opset < PADS_ARE_INPUTS:
        return helper.make_node("Pad", [read], [padded], name=padded, pads=pads)
    graph.initializer.append(helper.make_tensor(sizes, TensorProto.INT64, [len(pads)], pads))
    return helper.make_node("Pad", [read, sizes], [padded], name=padded)
