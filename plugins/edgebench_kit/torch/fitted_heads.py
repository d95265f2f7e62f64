"""Heads of exits made to fit what a network writes that was pruned since it was built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from edgebench import ChainError, ExitPoint
from edgebench_kit.torch.exit_heads import list_answers
from edgebench_kit.torch.modules import evaluating
from edgebench_kit.torch.reshaping import describe_reshaping, reshape_module

if TYPE_CHECKING:
    import torch
    from torch import nn

WIDTHS: Mapping[str, tuple[str, int]] = {
    "Linear": ("in_features", -1),
    "Conv1d": ("in_channels", 1),
    "Conv2d": ("in_channels", 1),
    "BatchNorm1d": ("num_features", 1),
    "BatchNorm2d": ("num_features", 1),
    "LayerNorm": ("normalized_shape", -1),
}
"""Of layers by their class: where they keep how wide their input is, and its axis."""
NORMS = ("BatchNorm1d", "BatchNorm2d", "LayerNorm")
"""Those that pass on the width that they are given."""


def make_head(
    point: ExitPoint, hidden: torch.Tensor, wanted: Sequence[tuple[int, ...]], *, fit: bool
) -> nn.Module:
    """Make the untrained head of an exit point, for what is written there.

    With *fit*, layers are remade that read the features of *hidden*, as many as there are: norms,
    and the first convolution or linear layer behind them. What follows is as the head has it.

    Raises:
        ChainError: It does not take that, or gives something else than answers of the shapes
            *wanted*.
    """
    import torch

    head: nn.Module = point.head() if point.head else None
    with evaluating(head), torch.no_grad(), _fitting(head) if fit else nullcontext():
        try:
            answers = list_answers(head(hidden))
        except RuntimeError as error:
            said = str(error).strip().partition("\n")[0]
            raise ChainError(
                f"the head of the exit point {point.path!r} does not take what is written there, "
                f"{tuple(hidden.shape)}: {said}"
            ) from error
    if (given := [tuple(answer.shape) for answer in answers]) != wanted:
        raise ChainError(
            f"the head of the exit point {point.path!r} gives {given}, and the model {wanted}"
        )
    return head


@contextmanager
def _fitting(head: nn.Module) -> Iterator[None]:
    """Remake layers just before they run, until one gives a width of its own."""
    ended = False

    def fit(layer: nn.Module, given: tuple[Any, ...]) -> None:
        nonlocal ended
        kind = type(layer).__name__
        if not ended and kind in WIDTHS:
            _widen(layer, kind, given[0])
            ended = kind not in NORMS

    handles = [layer.register_forward_pre_hook(fit) for layer in head.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _widen(layer: Any, kind: str, given: torch.Tensor) -> None:
    """Make a layer as wide as what it is given; one in groups keeps its width, and fails."""
    name, axis = WIDTHS[kind]
    width, old = given.shape[axis], getattr(layer, name)
    if old in (width, (width,)) or getattr(layer, "groups", 1) != 1:
        return
    place = 1 if kind not in NORMS else 0
    shapes = {
        leaf: [*tensor.shape[:place], width, *tensor.shape[place + 1 :]]
        for leaf, tensor in (*layer.named_parameters(), *layer.named_buffers())
        if tensor.ndim > place
    }
    new = (width,) if isinstance(old, tuple) else width
    reshape_module(layer, {"shapes": shapes, "numbers": {"": {name: new}}})
    layer.reset_parameters()


def describe_fit(point: ExitPoint, head: nn.Module) -> dict[str, Any]:
    """Say how the head of an exit point differs from one made anew, for `reshape_module`."""
    import torch

    with torch.random.fork_rng(devices=[]):
        return describe_reshaping(point.head() if point.head else head, head)
