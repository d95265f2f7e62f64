"""Torch modules: made without weights, counted, and given inputs that are made up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edgebench import Stage

if TYPE_CHECKING:
    from torch import nn


def allocate_module(make: Callable[[], nn.Module]) -> nn.Module:
    """Make a module whose weights hold nothing yet: drawing them once takes time enough."""
    import torch

    with torch.device("meta"):
        module = make()
    return module.to_empty(device="cpu")


def count_parameters(module: nn.Module) -> int:
    """Count the trained values of a module."""
    return sum(weight.numel() for weight in module.parameters())


def draw_inputs(stage: Stage, seed: int, *, samples: int = 2, side: int = 64) -> list[Any]:
    """Make a batch of inputs up, in a stage's order: floats, or whole numbers 0 and 1.

    An open dimension other than the batch gets the size *side*.
    """
    import torch

    generator = torch.Generator().manual_seed(seed % 2**63)
    drawn = []
    for spec in stage.inputs:
        shape = [samples, *(size if isinstance(size, int) else side for size in spec.shape[1:])]
        dtype = getattr(torch, spec.dtype)
        drawn.append(
            torch.randn(shape, generator=generator, dtype=dtype)
            if dtype.is_floating_point
            else torch.randint(0, 2, shape, generator=generator).to(dtype)
        )
    return drawn
