"""Batch normalisation folded into what stands before it, in programs of torch.export."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from edgebench_kit.torch.int8_places import CONVOLUTIONS, name_operator

GROUPS = 6
"""Where a transposed convolution has its number of groups."""


def fold_normalisations(program: Any) -> None:
    """Fold batch normalisations into the convolutions and linear layers before them.

    They use the statistics that they have, as when evaluated: training goes on without them, which
    is what the last part of quantization-aware training does anyway (Krishnamoorthi, 2018, section
    3.2.2). One that cannot be folded stays, with its statistics, under torch's own function: seeing
    the operator, torchao traces a hundred patterns of what is folded by then, for half a minute.
    """
    import torch

    for node in list(program.graph.nodes):
        if name_operator(node) != "batch_norm":
            continue
        if _can_fold(node.args[0], node):
            _fold(program, node.args[0], node)
        else:
            node.target = torch.batch_norm
    program.graph.eliminate_dead_code()
    program.recompile()


def _can_fold(before: Any, node: Any) -> bool:
    """Say whether a layer's weights serve it alone, and its last axes are the channels."""
    name = name_operator(before)
    flat = name == "linear" and before.meta["val"].ndim == 2
    if not (flat or name in CONVOLUTIONS) or len(before.users) > 1:
        return False
    split = "transpose" in name and len(before.args) > GROUPS and before.args[GROUPS] != 1
    weight = before.args[1]
    return weight.op == "get_attr" and len(weight.users) == 1 and not split and not node.args[5]


def _fold(program: Any, before: Any, node: Any) -> None:
    """Give the layer other weights, and its readers to those of the normalisation."""
    import torch

    weight, folded = _read(program, before.args[1]), _compute_folded(program, before, node)
    made = []
    with program.graph.inserting_before(before):
        for what, tensor in zip(("weight", "bias"), folded, strict=True):
            name = f"{before.name}_folded_{what}"
            value = tensor.detach().clone()
            setattr(program, name, torch.nn.Parameter(value, weight.requires_grad))
            made.append(program.graph.get_attr(name))
            made[-1].meta["val"] = value
    before.args = (before.args[0], *made, *before.args[3:])
    node.replace_all_uses_with(before)
    program.graph.erase_node(node)


def _compute_folded(program: Any, before: Any, node: Any) -> tuple[Any, Any]:
    """Return the weight and the bias that do the work of both layers."""
    import torch
    from torch.nn.utils import fusion

    # Its arguments: input, gain, offset, mean, variance, training, momentum, epsilon, ...
    gain, offset, mean, variance = (_read(program, one) for one in node.args[1:5])
    bias = _read(program, before.args[2]) if len(before.args) > 2 else None
    given = (_read(program, before.args[1]), bias, mean, variance, node.args[7], gain, offset)
    name = name_operator(before)
    with torch.no_grad():
        if name == "linear":
            weight, bias = fusion.fuse_linear_bn_weights(*given)
        else:
            weight, bias = fusion.fuse_conv_bn_weights(*given, transpose="transpose" in name)
    return weight, bias


def _read(program: Any, node: Any) -> Any:
    """Return the tensor that a node stands for; None for none."""
    return None if node is None else attrgetter(node.target)(program)
