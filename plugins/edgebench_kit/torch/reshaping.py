"""Modules whose layers became smaller: how they differ from what they were, and how to redo it.

Weights are kept elsewhere; what is told here is enough that they fit a module that was made anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn


def describe_reshaping(before: nn.Module, after: nn.Module) -> dict[str, Any]:
    """Say in which shapes and numbers two modules of the same layers differ, as plain values.

    `shapes` has the new shapes of parameters and buffers by name, `numbers` the new numbers and
    tuples of numbers among the attributes of a layer (`out_channels`), by its path.
    """
    old, new = list_tensors(before), list_tensors(after)
    layers = dict(before.named_modules())
    numbers = {path: _find_new(layers[path], layer) for path, layer in after.named_modules()}
    return {
        "shapes": {
            name: list(tensor.shape)
            for name, tensor in new.items()
            if tensor.shape != old[name].shape
        },
        "numbers": {path: found for path, found in numbers.items() if found},
    }


def reshape_module(module: nn.Module, reshaping: Mapping[str, Any]) -> nn.Module:
    """Give a module the shapes and numbers of a reshaping, in place; new weights hold zeros.

    Weights that two layers share are no longer shared where they have a new shape.
    """
    tensors = list_tensors(module)
    for name, shape in reshaping["shapes"].items():
        path, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(path), leaf, _make_zeros(tensors[name], shape))
    for path, numbers in reshaping["numbers"].items():
        layer = module.get_submodule(path)
        for name, value in numbers.items():
            setattr(layer, name, tuple(value) if isinstance(value, list) else value)
    return module


def _make_zeros(like: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Make zeros of a shape, a parameter where *like* is one."""
    from torch import nn

    zeros = like.detach().new_zeros(shape)
    return nn.Parameter(zeros) if isinstance(like, nn.Parameter) else zeros


def list_tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return the parameters and buffers of a module by name, shared ones by each of their names."""
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def _find_new(before: nn.Module, after: nn.Module) -> dict[str, Any]:
    """Return the numbers of a layer that are others than they were."""
    old = vars(before)
    return {
        name: value
        for name, value in vars(after).items()
        if _is_plain(value) and name in old and old[name] != value
    }


def _is_plain(value: Any) -> bool:
    """Say whether a value is a whole number, or a tuple of them, and no switch."""
    if isinstance(value, tuple):
        return all(_is_plain(each) for each in value)
    return isinstance(value, int) and not isinstance(value, bool)
