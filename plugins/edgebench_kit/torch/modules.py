"""Torch modules: made without weights, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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


def name_first(paths: Sequence[str]) -> str:
    """Name the first of some modules, and how many more there are."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]!r}{more}"


def count_layers(module: nn.Module) -> dict[str, int]:
    """Return how many layers there are of each type, those alone that hold no others.

    What only stands in for a module (`stands_in`, true) is none.
    """
    leaves = (one for one in module.modules() if not next(one.children(), None))
    counted = (type(one).__name__ for one in leaves if not getattr(one, "stands_in", False))
    return dict(Counter(counted).most_common())


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module in evaluation, and each of its parts back to what it was."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
