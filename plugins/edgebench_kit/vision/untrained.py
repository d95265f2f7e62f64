"""Networks with random weights that are used as they are, whatever they are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from edgebench_kit.torch.modules import allocate_module

if TYPE_CHECKING:
    from torch import nn

PICTURES, SIDE = 8, 64
"""How many pictures of noise settle the normalisations, and how large they are: enough for a mean
after five strides, and less than what one photo costs."""


def make_settled(make: Callable[..., nn.Module], *given: Any) -> nn.Module:
    """Make a module of what is *given*, to be used as it is: drawn once, its signal held near one.

    Its layers draw their weights as torch has them do, and its batch normalisations take mean and
    variance from noise that is sent through. Without that, gates and smooth activations, which
    halve a signal again and again, would leave nothing of it that depends on the input.
    """
    module = allocate_module(partial(make, *given))
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    _settle_norms(module)
    return module


def _settle_norms(module: nn.Module) -> None:
    """Set what each batch normalisation takes away and divides by to what noise has there."""
    import torch
    from torch import nn

    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    kept = [norm.momentum for norm in norms]
    module.eval()
    for norm in norms:
        norm.train().momentum = 1.0
    device = next(module.parameters()).device
    with torch.no_grad():
        module(torch.randn(PICTURES, 3, SIDE, SIDE, device=device))
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    module.train()
