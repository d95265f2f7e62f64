"""Weights set to zero in blocks, and held there while a module is trained on.

Blocks of magnitude (Lagunas et al., Block Pruning For Faster Transformers, EMNLP 2021, arXiv
2109.04838), of the shapes that Intel's extension for transformers has sparse kernels for: so many
outputs by so many inputs of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    import torch
    from torch import nn


@attrs.frozen(kw_only=True)
class Masked:
    """What was set to zero of a module."""

    layers: tuple[str, ...]
    """The paths of the layers that have blocks of zeros."""
    undivided: tuple[str, ...]
    """Those whose outputs or inputs are no multiple of a block's side; they stay as they were."""
    zeros: int
    """The weights that are zero in `layers`."""
    weights: int
    """All weights of `layers`."""

    @property
    def sparsity(self) -> float:
        """The share of the weights of `layers` that is zero."""
        return self.zeros / self.weights


def mask_blocks(
    module: nn.Module, block: tuple[int, int], sparsity: float, keep: Sequence[str] = ()
) -> Masked:
    """Set the blocks of least magnitude of every layer to zero, in place, and hold them there.

    Layers are linear ones and convolutions, but for those at the paths in *keep*. The weights of a
    convolution are taken as a matrix of outputs by input channels times places of the kernel, the
    channels running fastest. They are parametrized until `release_masks`.

    Args:
        module: What is changed.
        block: The outputs and the inputs of a block.
        sparsity: The share of each layer's blocks that is zero, rounded to a number of blocks.
        keep: The paths of modules that stay as they are.
    """
    from torch.nn.utils import parametrize

    kept = {part for path in keep for part in module.get_submodule(path).modules()}
    layers, undivided, zeros, weights = [], [], 0, 0
    for path, layer in list(module.named_modules()):
        if layer in kept or not _has_matrix(layer):
            continue
        matrix = flatten_weight(layer.weight.detach())
        if any(size % side for size, side in zip(matrix.shape, block, strict=True)):
            undivided.append(path)
            continue
        mask = choose_blocks(matrix, block, sparsity)
        zeros, weights = zeros + int((~mask).sum()), weights + mask.numel()
        shaped = _unflatten(mask, layer.weight)
        parametrize.register_parametrization(layer, "weight", _define_holder()(shaped))
        layers.append(path)
    return Masked(layers=tuple(layers), undivided=tuple(undivided), zeros=zeros, weights=weights)


def release_masks(module: nn.Module, layers: Sequence[str]) -> None:
    """Make the masked weights of layers plain ones, in place, with zeros where they were held."""
    from torch.nn.utils import parametrize

    for path in layers:
        parametrize.remove_parametrizations(module.get_submodule(path), "weight")


def choose_blocks(matrix: torch.Tensor, block: tuple[int, int], sparsity: float) -> torch.Tensor:
    """Return which weights of a matrix, (outputs, inputs), stay: False in blocks of least norm."""
    import torch

    rows, columns = block
    tiles = matrix.unflatten(0, (-1, rows)).unflatten(2, (-1, columns))
    norms = tiles.square().sum((1, 3))
    order = norms.flatten().argsort(stable=True)
    stays = torch.ones(len(order), dtype=torch.bool)
    stays[order[: round(sparsity * len(order))]] = False
    wide = stays.view_as(norms).repeat_interleave(rows, 0)
    return wide.repeat_interleave(columns, 1)


def flatten_weight(weight: torch.Tensor) -> torch.Tensor:
    """Return the weights of a layer, (outputs, inputs, ...), as a matrix of outputs by the rest."""
    return weight.movedim(1, -1).flatten(1)


def _unflatten(matrix: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return a matrix in the shape of the weights that `flatten_weight` makes such a one of."""
    return matrix.reshape(weight.movedim(1, -1).shape).movedim(-1, 1)


def _has_matrix(layer: Any) -> bool:
    """Say whether a layer multiplies by weights of outputs by inputs."""
    from torch import nn

    return isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)


@cache
def _define_holder() -> Any:
    """Define what holds a mask; here, because its base class is torch's."""
    from torch import nn

    class Holder(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """Lets weights through where a mask is True."""

        def __init__(self, mask: Any) -> None:
            super().__init__()
            self.register_buffer("mask", mask)

        def forward(self, weight: Any) -> Any:
            return weight * self.mask

    return Holder
