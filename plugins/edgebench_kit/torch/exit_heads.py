"""Early exits of a network: heads beside it, how sure they are, and modules that are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import ceil, prod
from typing import TYPE_CHECKING, Any

from edgebench import ChainError
from edgebench_kit.torch.segments import sign_forward

if TYPE_CHECKING:
    import torch
    from torch import nn


MOST_PLACES = 4096
"""At how many places of an answer at most, such as pixels, its confidence is looked at."""


def measure_confidence(scores: torch.Tensor, axis: int) -> torch.Tensor:
    """Return how sure scores are of their largest: of (batch, ...) logits, (batch,) of 0 to 1.

    The largest probability along the axis of the classes (Teerapittayanon et al., 2016, take the
    entropy; Kaya et al., 2019, this). Where each of several places has classes it is the mean over
    a regular grid of at most 4,096 of them: neighbouring pixels are as sure as one another, and to
    look at each would cost a runtime a third of a small network.
    """
    axis %= scores.ndim
    step = _find_step([size for at, size in enumerate(scores.shape) if at not in (0, axis)])
    if step > 1:
        whole, some = slice(None), slice(None, None, step)
        scores = scores[tuple(whole if at in (0, axis) else some for at in range(scores.ndim))]
    # One over the sum: runtimes take four times as long over a logsumexp along such an axis.
    sure = 1 / (scores - scores.amax(axis, keepdim=True)).exp().sum(axis)
    return sure.flatten(1).mean(1) if sure.ndim > 1 else sure


def _find_step(sizes: Sequence[int]) -> int:
    """Return the least step along each axis that leaves no more places than are looked at."""
    step = 1
    while prod(ceil(size / step) for size in sizes) > MOST_PLACES:
        step += 1
    return step


def leave_with(part: nn.Module, head: nn.Module, axis: int, inputs: int) -> nn.Module:
    """Put the head of an exit on the part of a network that comes before it.

    The part takes so many *inputs* and gives one hidden tensor. What is made gives the head's
    answer, its confidence, shape (batch,), and that tensor.
    """
    return _define_leaving(inputs)(part, head, axis)


@cache
def _define_leaving(inputs: int) -> Any:
    """Define what leaves early; here, because its base class is torch's."""
    from torch import nn

    class Leaving(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """The part of a network before an exit, and the exit's head."""

        def __init__(self, part: Any, head: Any, axis: int) -> None:
            super().__init__()
            self.part, self.head, self.axis = part, head, axis

        def forward(self, *given: Any) -> Any:
            (hidden,) = self.part(*given)
            answers = list_answers(self.head(hidden))
            return (*answers, measure_confidence(answers[0], self.axis), hidden)

    Leaving.forward.__signature__ = sign_forward(inputs)  # type: ignore[attr-defined]
    return Leaving


def list_answers(written: Any) -> tuple[Any, ...]:
    """Return what a network or a head gives as a tuple of tensors, in its order.

    Raises:
        ChainError: It gives them by name.
    """
    if isinstance(written, Mapping):
        raise ChainError(
            "exits are for a module that gives a tensor or a tuple, and one here gives "
            f"{', '.join(map(str, written))} by name"
        )
    return tuple(written) if isinstance(written, tuple | list) else (written,)


def train_beside(part: nn.Module, heads: Sequence[nn.Module]) -> nn.Module:
    """Put heads beside a part of a network that gives a hidden tensor for each.

    What is made gives the answers of all heads in order. Only they learn: the part stays in
    evaluation, its weights and its statistics as they are.
    """
    from torch import nn

    return _define_learning()(part.requires_grad_(False), nn.ModuleList(heads))


@cache
def _define_learning() -> Any:
    """Define what heads learn in; here, because its base class is torch's."""
    from torch import nn

    class Learning(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """A frozen part of a network with heads that learn."""

        def __init__(self, part: Any, heads: Any) -> None:
            super().__init__()
            self.part, self.heads = part.eval(), heads

        def train(self, mode: bool = True) -> Any:
            super().train(mode)
            self.part.eval()
            return self

        def forward(self, *given: Any) -> Any:
            hidden = self.part(*given)
            each = [head(one) for head, one in zip(self.heads, hidden, strict=True)]
            return tuple(answer for written in each for answer in list_answers(written))

    return Learning


def leave_out(network: nn.Module, items: dict[str, int]) -> nn.Module:
    """Return a copy of a network without some modules, each the identity of its first argument.

    *items* says of each, by its path, how many values it writes: 0 for a tensor alone, else the
    length of a tuple that the tensor is the first of.
    """
    import copy

    skipped = {path: _define_skipped()(count) for path, count in items.items()}
    memo: dict[int, Any] = {id(network.get_submodule(path)): one for path, one in skipped.items()}
    return copy.deepcopy(network, memo)


@cache
def _define_skipped() -> Any:
    """Define what stands for a module that is left out; here, because its base class is torch's."""
    from torch import nn

    class Skipped(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """Nothing in place of a module."""

        stands_in = True

        def __init__(self, items: int) -> None:
            super().__init__()
            self.items = items

        def forward(self, *given: Any, **named: Any) -> Any:
            first = next(iter((*given, *named.values())))
            return (first, *[None] * (self.items - 1)) if self.items else first

    return Skipped
