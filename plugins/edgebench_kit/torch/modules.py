"""Torch modules: made without weights, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed, TensorSpec

if TYPE_CHECKING:
    import torch
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


def name_outputs(given: Any, outputs: Sequence[TensorSpec]) -> dict[str, torch.Tensor]:
    """Return what a module gave by the names of its stage's outputs.

    A module gives one tensor, several in the order of the outputs, or a mapping by name.

    Raises:
        CaseFailed: It gave something else.
    """
    import torch

    if isinstance(given, Mapping):
        if lost := [spec.inside for spec in outputs if spec.inside not in given]:
            said = ", ".join(map(str, given))
            raise CaseFailed(f"the module gives a mapping of {said}, which has no {lost[0]!r}")
        return {spec.name: given[spec.inside] for spec in outputs}
    tensors = [given] if isinstance(given, torch.Tensor) else list(given)
    if len(tensors) != len(outputs):
        names = ", ".join(spec.name for spec in outputs)
        raise CaseFailed(f"the module gives {len(tensors)} outputs, not {names}")
    return {spec.name: tensor for spec, tensor in zip(outputs, tensors, strict=True)}


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
