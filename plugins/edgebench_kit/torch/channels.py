"""Taking channels and heads of attention out of a torch module, so that its layers are smaller.

Those with the least magnitude go, from all layers that must lose the same ones.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Attention, ChainError
from edgebench_kit.torch.channel_groups import (
    Group,
    Wish,
    count_outputs,
    follow,
    list_kept,
    list_layers,
    sort_groups,
)
from edgebench_kit.torch.modules import name_first

if TYPE_CHECKING:
    import torch
    from torch import nn

FAULT = (
    "does not run with fewer channels (say where it has heads of attention in `Variant.attention`, "
    "and name what must keep its width in `Variant.keep`)"
)


@attrs.frozen(kw_only=True)
class Taken:
    """A module with fewer channels, and how many the layers have that may lose some, and had."""

    module: Any
    before: int
    after: int
    held: tuple[str, ...]
    """The layers among them that lose none as they are added to what keeps its width."""
    heads: Mapping[str, int]
    """The heads that are left, by the path of their module."""
    failed: tuple[str, ...] = ()
    """The layers without whose channels it does not run: they lose none."""

    @property
    def share(self) -> float:
        """The share that is gone."""
        return 1 - self.after / self.before if self.before else 0.0

    def list_reasons(self, wish: Wish) -> Iterator[str]:
        """Yield what kept channels from being taken out, a clause each."""
        if not self.before:
            yield "it has no linear layer or convolution but those that give the answer or are kept"
            return
        if self.held:
            yield (
                f"{name_first(self.held)} must stay as wide as what they are added to, which is "
                "the answer or named by the model's fact `keep`"
            )
        if self.failed:
            yield f"without channels of {name_first(self.failed)} it does not run"
        yield f"the channels left in a layer are a multiple of {wish.round_to} (round_to)"


def prune_channels(module: nn.Module, examples: Sequence[torch.Tensor], wish: Wish) -> Taken:
    """Take channels and heads out of a copy of a module; what it gives keeps its shape.

    It is followed on *examples*, its positional arguments for one sample. Where it does not run
    with all that is wished taken out, each group of layers is tried alone, and what fails so is
    left as it is.

    Raises:
        ChainError: It cannot be followed, or does not run with fewer channels whichever go; the
            message names the module where that showed.
    """
    wanted = _run(module, examples, "does not run")
    followed = _Followed.make(module, examples, wish)
    numbers = range(len(followed.groups))
    try:
        return followed.prune(wanted, numbers)
    except _Unfit as error:
        first = str(error)
    fit = [each for each in numbers if _fits_alone(module, examples, wish, wanted, each)]
    if not fit:
        raise ChainError(first)
    failed = tuple(followed.paths[each] for each in numbers if each not in fit)
    taken = _Followed.make(module, examples, wish).prune(wanted, fit)
    return attrs.evolve(taken, failed=failed)


class _Unfit(ChainError):
    """A module that does not run, or gives something else, with fewer channels."""


Shapes = list[tuple[int, ...]]


@attrs.frozen(eq=False)
class _Followed:
    """A copy of a module, and what of it may lose channels."""

    module: Any
    examples: Sequence[torch.Tensor]
    wish: Wish
    graph: Any
    groups: Sequence[Group]
    paths: Sequence[str]
    """The path of the first layer of each group."""
    held: tuple[str, ...]
    layers: Sequence[Any]
    """Those whose channels count."""

    @classmethod
    def make(cls, module: nn.Module, examples: Sequence[torch.Tensor], wish: Wish) -> _Followed:
        """Copy a module, and find its groups.

        Raises:
            ChainError: It cannot be followed.
        """
        module = copy.deepcopy(module)
        for weight in module.parameters():
            # What has no gradient cannot be followed.
            weight.requires_grad_(weight.is_floating_point())
        kept = list_kept(module, wish.keep)
        names = {layer: name for name, layer in module.named_modules()}
        try:
            graph = follow(module, examples)
            groups, held = sort_groups(graph, kept, wish.attention, names)
        except Exception as error:
            # Torch-pruning meets what it does not know with whatever comes up.
            raise ChainError(
                f"torch-pruning cannot follow its channels {_guess_hindrance(module)}: "
                f"{_say(error)}"
            ) from error
        layers = [layer for layer in list_layers(module) if layer not in kept]
        paths = [names[group.layer] for group in groups]
        return cls(module, examples, wish, graph, groups, paths, held, layers)

    def prune(self, wanted: Shapes, numbers: Iterable[int]) -> Taken:
        """Take channels out of some of the groups.

        Raises:
            _Unfit: It no longer runs, or gives other shapes than are wanted.
        """
        before = sum(map(count_outputs, self.layers))
        widths = {
            each.path: _find_projection(self.module, each).out_features
            for each in self.wish.attention
        }
        try:
            for number in numbers:
                self._take(self.groups[number])
        except Exception as error:
            raise _Unfit(f"torch-pruning cannot take channels out of it: {_say(error)}") from error
        heads = _tell_heads(self.module, self.wish.attention, widths)
        found = _run(self.module, self.examples, FAULT)
        if found != wanted:
            raise _Unfit(f"with fewer channels it gives {found} and not {wanted}")
        after = sum(map(count_outputs, self.layers))
        return Taken(module=self.module, before=before, after=after, held=self.held, heads=heads)

    def _take(self, group: Group) -> None:
        """Take the channels of a group that the wish chooses, where these are any."""
        if chosen := group.choose(self.wish):
            self.graph.get_pruning_group(group.layer, group.take, chosen).prune()


def _fits_alone(
    module: nn.Module,
    examples: Sequence[torch.Tensor],
    wish: Wish,
    wanted: Shapes,
    number: int,
) -> bool:
    """Say whether a module runs without the channels of one group."""
    try:
        _Followed.make(module, examples, wish).prune(wanted, [number])
    except _Unfit:
        return False
    return True


def _tell_heads(
    module: nn.Module, attention: Iterable[Attention], widths: Mapping[str, int]
) -> dict[str, int]:
    """Set the attributes that hold how many heads are left and how wide they are; return these."""
    left = {}
    for where in attention:
        layer, projection = module.get_submodule(where.path), _find_projection(module, where)
        left[where.path] = heads = where.heads * projection.out_features // widths[where.path]
        for name in where.counts:
            setattr(layer, name, heads)
        for name in where.widths:
            setattr(layer, name, getattr(layer, name) * heads // where.heads)
    return left


def _find_projection(module: nn.Module, where: Attention) -> Any:
    return module.get_submodule(f"{where.path}.{where.projections[0]}")


def _guess_hindrance(module: nn.Module) -> str:
    """Say what torch-pruning most likely stumbled over."""
    from torch import nn

    recurrent = [name for name, one in module.named_modules() if isinstance(one, nn.RNNBase)]
    if recurrent:
        return f"through recurrent layers ({name_first(recurrent)})"
    return "(as where a reshape shuffles them)"


def _run(module: nn.Module, examples: Sequence[torch.Tensor], fault: str) -> Shapes:
    """Return the shapes of what a module gives for examples, in eval mode.

    Raises:
        ChainError: It fails.
    """
    import torch

    inside = [""]
    hooks = [
        part.register_forward_pre_hook(lambda *_, path=path: inside.append(path))
        for path, part in module.named_modules()
    ]
    try:
        with torch.no_grad():
            given = module.eval()(*examples)
    except Exception as error:
        raise _Unfit(f"it {fault}: in or behind {inside[-1]!r}, {_say(error)}") from error
    finally:
        for hook in hooks:
            hook.remove()
    if isinstance(given, Mapping):
        given = tuple(given.values())
    return [tuple(one.shape) for one in (given if isinstance(given, tuple) else (given,))]


def _say(error: Exception) -> str:
    """Return the first line of what an error says, with its type."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}{f': {lines[0][:200]}' if lines else ''}"
