"""Inputs that are made up, for a look at a torch module without any data."""

from __future__ import annotations

from typing import Any

from edgebench import Stage


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
