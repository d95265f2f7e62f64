"""Torch modules: made without weights, and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

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
