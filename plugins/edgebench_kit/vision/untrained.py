"""Networks with random weights that are used as they are, whatever they are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from edgebench_kit.torch.modules import allocate_module

if TYPE_CHECKING:
    from torch import nn

PICTURES = 4
"""How many made-up pictures settle the normalisations: enough for a mean after five strides."""
GRAINS = (4, 16, 64)
"""The cells to the side of the coarse noise in a picture: photos are alike from pixel to pixel,
and what adds up many of them gives more for those than for noise alone."""


def make_settled(make: Callable[..., nn.Module], side: int, *given: Any) -> nn.Module:
    """Make a module of what is *given*, to be used as it is: drawn once, its signal held near one.

    Its layers draw their weights as torch has them do, and its batch normalisations take mean and
    variance from made-up pictures of *side* pixels that are sent through. Without that, gates and
    smooth activations, which halve a signal again and again, would leave nothing of it that depends
    on the input.
    """
    module = allocate_module(partial(make, *given))
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    _settle_norms(module, side)
    return module


def _settle_norms(module: nn.Module, side: int) -> None:
    """Set what each batch normalisation takes away and divides by to what pictures have there."""
    import torch
    from torch import nn

    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    kept = [norm.momentum for norm in norms]
    module.eval()
    for norm in norms:
        norm.train().momentum = 1.0
    device = next(module.parameters()).device
    with torch.no_grad():
        module(_draw_pictures(side, device))
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    module.train()


def _draw_pictures(side: int, device: Any) -> Any:
    """Draw pictures of noise, coarse and fine, of mean 0 and variance 1."""
    import torch
    from torch.nn import functional

    drawn = torch.randn(PICTURES, 3, side, side, device=device)
    for grain in GRAINS:
        coarse = torch.randn(PICTURES, 3, grain, grain, device=device)
        drawn = drawn + functional.interpolate(coarse, (side, side))
    return drawn / (1 + len(GRAINS)) ** 0.5
