"""Which layers of a torch module must lose the same channels, and which of these matter least.

Found by torch-pruning's graph of dependencies (Fang et al., DepGraph: Towards Any Structural
Pruning, CVPR 2023, arXiv 2301.12900).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Attention

if TYPE_CHECKING:
    import torch
    from torch import nn


@attrs.frozen(kw_only=True)
class Wish:
    """What is to be taken out of every layer, and what must stay as it is."""

    sparsity: float
    """The share of the channels, and of the heads, 0 to 1."""
    round_to: int = 1
    """What the number of channels that are left should be a multiple of."""
    keep: Sequence[str] = ()
    """The paths of modules whose outputs stay as wide as they are."""
    attention: Sequence[Attention] = ()
    """Where the heads are, as many as the module has at the time."""


@attrs.frozen(eq=False)
class Group:
    """Layers that must lose the same channels, as they are found from one of them."""

    layer: Any
    take: Any
    """What takes channels out of that layer, from its outputs or its inputs."""
    scores: torch.Tensor
    """The magnitude of each channel in all layers, of shape (channels,)."""
    parts: int
    """Into how many equal parts the channels fall, each of which loses equally many."""
    heads: int
    """How many heads they are; 0 where each is taken for itself."""

    def choose(self, wish: Wish) -> list[int]:
        """Return the channels to take out: of the least magnitude, in rising order."""
        folded = self.scores.reshape(self.heads or self.parts, -1)
        pieces, each = folded.shape
        if self.heads:
            gone = min(math.floor(wish.sparsity * pieces + 0.5), pieces - 1)
            lowest = folded.mean(1).argsort(stable=True)[:gone].tolist()
            return sorted(head * each + number for head in lowest for number in range(each))
        gone = each - count_left(each, pieces, wish)
        lowest = folded.mean(0).argsort(stable=True)[:gone].tolist()
        return sorted(part * each + number for part in range(pieces) for number in lowest)


def count_left(channels: int, parts: int, wish: Wish) -> int:
    """Return how many of so many channels are left in each of some parts.

    The nearest number to the sparsity with which all parts together are a multiple of `round_to`,
    one such multiple at least; all of them where there are no more than that.
    """
    step = wish.round_to // math.gcd(wish.round_to, parts)
    left = max(1, math.floor(channels * (1 - wish.sparsity) / step + 0.5)) * step
    return min(left, channels)


def follow(module: nn.Module, examples: Sequence[torch.Tensor]) -> Any:
    """Return torch-pruning's graph of what depends on what."""
    import torch
    import torch_pruning

    with torch.enable_grad():
        return torch_pruning.DependencyGraph().build_dependency(
            module,
            tuple(examples),
            forward_fn=lambda called, given: called(*given),
            verbose=False,
        )


def list_kept(module: nn.Module, paths: Iterable[str]) -> set[Any]:
    """Return the modules at paths and all within them."""
    return {part for path in paths for part in module.get_submodule(path).modules()}


def list_layers(module: nn.Module) -> list[Any]:
    """Return the layers whose outputs have channels."""
    from torch import nn

    return [layer for layer in module.modules() if isinstance(layer, (nn.Linear, *_convolutions()))]


def _convolutions() -> tuple[type, ...]:
    """Return torch's convolutions and transposed ones."""
    from torch import nn

    plain = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return (*plain, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def count_outputs(layer: Any) -> int:
    """Return how many channels a linear layer or a convolution gives."""
    return int(layer.out_features if hasattr(layer, "out_features") else layer.out_channels)


def sort_groups(
    graph: Any, kept: set[Any], attention: Iterable[Attention], names: Mapping[Any, str]
) -> tuple[list[Group], tuple[str, ...]]:
    """Return the groups that may lose channels, and the layers of those that may not.

    *names* has the path of every module.

    A layer that alone decides a width that stays is added to *kept*.
    """
    by_path = {
        f"{where.path}.{name}": where.heads for where in attention for name in where.projections
    }
    heads = {layer: by_path[name] for layer, name in names.items() if name in by_path}
    groups, held = [], []
    for found in list(graph.get_all_groups()):
        layers = _list_writers(graph, found)
        if not _is_bound(graph, found, kept):
            if group := _describe_group(graph, found, heads):
                groups.append(group)
        elif len(layers) == 1:
            kept.update(layers)
        else:
            held += [names[layer] for layer in layers if layer not in kept]
    return groups, tuple(dict.fromkeys(held))


def _list_writers(graph: Any, group: Any) -> list[Any]:
    """Return the layers of a group that lose outputs."""
    from torch import nn

    kinds = (nn.Linear, *_convolutions())
    writers = (
        dep.target.module for dep, _ in group if graph.is_out_channel_pruning_fn(dep.handler)
    )
    return list(dict.fromkeys(layer for layer in writers if isinstance(layer, kinds)))


def _is_bound(graph: Any, group: Any, kept: set[Any]) -> bool:
    """Say whether a group loses outputs of what is kept, or of what gives the answer."""
    return any(
        graph.is_out_channel_pruning_fn(dep.handler)
        and (dep.target.module in kept or not dep.target.outputs)
        for dep, _ in group
    )


def _describe_group(graph: Any, group: Any, heads: dict[Any, int]) -> Group | None:
    """Score the channels of a group; None where nothing of it has a magnitude."""
    import torch_pruning

    number = max((heads.get(layer, 0) for layer in _list_writers(graph, group)), default=0)
    if number:
        group = _seen_from_reader(graph, group)
    scores = torch_pruning.importance.GroupMagnitudeImportance(p=2)(group)
    if scores is None:
        return None
    dep = group[0][0]
    return Group(dep.target.module, dep.handler, scores, _count_parts(graph, group), number)


def _seen_from_reader(graph: Any, group: Any) -> Any:
    """Return a group of heads as seen from the layer that reads them, where there is one.

    The layer that writes them may be one for queries, keys and values alike, and so be thrice as
    wide as they are.
    """
    from torch import nn

    for dep, chosen in reversed(list(group)):
        if isinstance(dep.target.module, nn.Linear) and graph.is_in_channel_pruning_fn(dep.handler):
            return graph.get_pruning_group(dep.target.module, dep.handler, chosen)
    return group


def _count_parts(graph: Any, group: Any) -> int:
    """Return into how many parts the channels of a group fall by its layers' own groups."""
    from torch import nn

    found = [1]
    for dep, _ in group:
        layer = dep.target.module
        if isinstance(layer, nn.MultiheadAttention):
            found.append(layer.num_heads)
        elif isinstance(layer, nn.Module) and getattr(layer, "groups", 1) != _depth(layer):
            count = graph.get_pruner_of_module(layer)
            outputs = graph.is_out_channel_pruning_fn(dep.handler)
            ask = count.get_out_channel_groups if outputs else count.get_in_channel_groups
            found.append(ask(layer))
    return math.lcm(*found)


def _depth(layer: Any) -> int:
    """Return with how many groups a convolution would be one of each channel for itself."""
    return int(getattr(layer, "out_channels", 0))
