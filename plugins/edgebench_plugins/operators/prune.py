"""The operator `prune`: channels and heads of attention taken out, or weights zeroed in blocks.

Structured: layers become smaller (Fang et al., DepGraph, 2023, arXiv 2301.12900). In blocks: the
masks of the studies (arXiv 2411.00907), after which every layer is as large as it was. Both by
magnitude, and both trained on afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

from edgebench import (
    Attention,
    Budget,
    ChainError,
    Context,
    Edit,
    Operator,
    Pipeline,
    Stage,
    Usable,
    Variant,
    hookimpl,
)
from edgebench_kit.torch.block_masks import Masked, mask_blocks, release_masks
from edgebench_kit.torch.channel_groups import Wish
from edgebench_kit.torch.channels import Taken, prune_channels
from edgebench_kit.torch.efforts import Effort, scale_budget
from edgebench_kit.torch.modules import count_parameters, name_first
from edgebench_kit.torch.reshaping import describe_reshaping, reshape_module

if TYPE_CHECKING:
    import torch
    from torch import nn

NAME = "prune"
SHARES: Mapping[str | None, float] = {None: 0.5, "2x1": 0.75, "4x1": 0.9}
"""The sparsity by the block, where none is said; for blocks that of the studies."""
ROUND_TO = 8
"""Runtimes compute in vectors of so many values at least."""
SLACK = 0.01
"""By how much less than asked may go without a doubt."""


@attrs.frozen(kw_only=True)
class PruneOptions:
    """What is taken out, and how long the rest is trained on."""

    kind: Literal["structured", "block"] = "structured"
    """`structured` takes out channels and heads, `block` sets weights to zero in blocks."""
    sparsity: float | None = None
    """The share that goes: of the channels and heads of each layer, without a word 0.5; of its
    weights with `block`, without a word 0.75 (2x1) or 0.9 (4x1)."""
    block: Literal["2x1", "4x1"] | None = None
    """Of `block`: the outputs by the inputs of a block; 2x1 without a word."""
    round_to: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(1))
    )
    """Of `structured`: what the number of channels left is a multiple of; 8 without a word."""
    budget: Effort = "quick"
    """How long it is trained on: as long as the model was, or until that helps no more (`full`)."""
    epochs: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(1))
    )
    """The passes over the training split, in place of those of the budget."""

    def __attrs_post_init__(self) -> None:
        """Refuse a sparsity that leaves nothing or takes nothing, and what would be ignored."""
        if self.sparsity is not None and not 0 < self.sparsity < 1:
            raise ValueError(
                f"sparsity must be a share above 0 and below 1, as 0.5, not {self.sparsity:g}"
            )
        if self.kind == "structured" and self.block:
            raise ValueError(f"block={self.block} is an option of kind=block")
        if self.kind == "block" and self.round_to:
            raise ValueError(
                "round_to is an option of kind=structured: blocks leave layers as wide"
            )

    @property
    def shape(self) -> tuple[int, int] | None:
        """The outputs and inputs of a block; None for structured pruning."""
        rows, _, columns = (self.block or "2x1").partition("x")
        return (int(rows), int(columns)) if self.kind == "block" else None

    @property
    def share(self) -> float:
        """The sparsity that is asked for, or that goes without a word."""
        if self.sparsity is not None:
            return self.sparsity
        return SHARES[(self.block or "2x1") if self.kind == "block" else None]


def apply(pipeline: Pipeline, context: Context) -> Pipeline:
    """Prune a copy of the module, and train it on.

    Raises:
        ChainError: Nothing can be taken out, or the module cannot be followed.
    """
    stage = context.live(pipeline.stages[0])
    facts = context.model(stage).variant(stage.variant)
    _check_paths(stage, facts)
    prune = _mask if context.options.kind == "block" else _shrink
    return pipeline.replaced([prune(stage, facts, context)])


def replay(module: nn.Module, edit: Mapping[str, Any]) -> nn.Module:
    """Make the layers of a module as small as pruning made them."""
    return reshape_module(module, edit["reshaping"]) if "reshaping" in edit else module


def accepts(pipeline: Pipeline) -> Usable:
    """Say whether a pipeline is one whole module, and has no zeros to be kept."""
    if len(pipeline.stages) > 1:
        return (
            f"it is divided into {len(pipeline.stages)} stages, and what crosses from one to the "
            "next keeps its width: prune before it is divided"
        )
    if any(edit["kind"] == "block" for edit in _list_edits(pipeline.stages[0])):
        return "its weights are zero in blocks, which training it on would fill"
    return True


def _list_edits(stage: Stage) -> list[dict[str, Any]]:
    return [edit.values for edit in stage.edits if edit.operator == NAME]


# --- channels and heads --------------------------------------------------------------------------


def _shrink(stage: Stage, facts: Variant, context: Context) -> Stage:
    """Take out channels and heads, and train on."""
    options = context.options
    wish = Wish(
        sparsity=options.share,
        round_to=options.round_to or ROUND_TO,
        keep=_find_present(stage.live, facts.keep),
        attention=_find_attention(stage, facts),
    )
    taken = prune_channels(stage.live, _make_examples(stage, context), wish)
    _judge(taken, wish, 1 - count_parameters(taken.module) / count_parameters(stage.live), context)
    made = {
        "kind": "structured",
        "heads": dict(taken.heads),
        "reshaping": describe_reshaping(stage.live, taken.module),
    }
    parameters = count_parameters(taken.module)
    pruned = stage.changed(taken.module, parameters=parameters, operations=None)
    return _fit(_note(pruned, made), context)


def _judge(taken: Taken, wish: Wish, gone: float, context: Context) -> None:
    """Note a doubt where less was taken out than asked, *gone* being the share of parameters.

    Raises:
        ChainError: Nothing was.
    """
    why = "; ".join(taken.list_reasons(wish))
    if taken.before == taken.after:
        raise ChainError(f"no channels can be taken out of it: {why}")
    if taken.share < wish.sparsity - SLACK:
        context.doubt(
            f"asked to take out {wish.sparsity:.0%} of the channels of each layer, "
            f"{taken.share:.0%} of all and {gone:.0%} of the parameters went: {why}"
        )


def _make_examples(stage: Stage, context: Context) -> tuple[torch.Tensor, ...]:
    """Return the first sample of the training split, as the module's positional arguments.

    Raises:
        ChainError: The split is empty.
    """
    import torch

    for tensors, _ in context.inputs("training"):
        return tuple(torch.from_numpy(tensors[spec.name]) for spec in stage.inputs)
    raise ChainError("the training split is empty: nothing to train on")


def _find_attention(stage: Stage, facts: Variant) -> list[Attention]:
    """Return where there are heads, as many as the module has, whatever was done to it before."""
    heads: dict[str, int] = {}
    for edit in _list_edits(stage):
        heads.update(edit.get("heads", {}))
    present = set(_find_present(stage.live, [each.path for each in facts.attention]))
    here = [each for each in facts.attention if each.path in present]
    return [attrs.evolve(each, heads=heads.get(each.path, each.heads)) for each in here]


# --- blocks --------------------------------------------------------------------------------------


def _mask(stage: Stage, facts: Variant, context: Context) -> Stage:
    """Hold weights at zero in blocks, and train the others on."""
    import copy

    options, module = context.options, copy.deepcopy(stage.live)
    masked = mask_blocks(module, options.shape, options.share, _find_present(module, facts.keep))
    name = "x".join(map(str, options.shape))
    if not masked.layers:
        raise ChainError(_say_undivided(masked, name))
    trained = _fit(stage.changed(module), context)
    release_masks(trained.live, masked.layers)
    _tell_zeros(masked, name, count_parameters(trained.live), context)
    return _note(trained, {"kind": "block"})


def _say_undivided(masked: Masked, name: str) -> str:
    """Say why no layer has blocks."""
    if not masked.undivided:
        return "it has no linear layer or convolution but those that are kept"
    return (
        f"none of its layers divides into blocks of {name} (outputs by inputs): "
        f"{name_first(masked.undivided)} are no multiple of that; prune its channels instead"
    )


def _tell_zeros(masked: Masked, name: str, parameters: int, context: Context) -> None:
    """Note how many weights are zero, and that nothing becomes faster for it."""
    left = (
        f"; {name_first(masked.undivided)} are no multiple of a block" if masked.undivided else ""
    )
    context.doubt(
        f"{masked.sparsity:.1%} of the weights of {len(masked.layers)} layers were set to zero in "
        f"blocks of {name} ({masked.zeros / parameters:.1%} of all parameters){left}; zeros are "
        "kept and computed like any number, so no dense runtime gains from them, and whatever "
        "trains the model on fills them"
    )


# --- both ----------------------------------------------------------------------------------------


def _fit(stage: Stage, context: Context) -> Stage:
    """Train a pruned stage on."""
    return context.fit(stage, budget=_find_budget(context.model(stage).budget, context.options))


def _find_budget(budget: Budget, options: PruneOptions) -> Budget:
    scaled = scale_budget(budget, options.budget)
    return attrs.evolve(scaled, epochs=options.epochs) if options.epochs else scaled


def _note(stage: Stage, made: Mapping[str, Any]) -> Stage:
    """Record what was done to a stage."""
    edit = Edit(operator=NAME, arguments=json.dumps(made, sort_keys=True))
    return attrs.evolve(stage, edits=(*stage.edits, edit))


def _check_paths(stage: Stage, facts: Variant) -> None:
    """See that the modules which the model's facts name are there.

    Raises:
        ChainError: One is not, and nothing was done to the module that could have left it out.
    """
    heads = [f"{each.path}.{name}" for each in facts.attention for name in each.projections]
    named = [("keep", path) for path in facts.keep] + [("attention", path) for path in heads]
    for fact, path in named:
        if not stage.edits and not _find_present(stage.live, [path]):
            raise ChainError(
                f"the fact `{fact}` of {stage.model}:{stage.variant} names {path!r}, "
                "and the module has nothing there"
            )


def _find_present(module: nn.Module, paths: Iterable[str]) -> list[str]:
    """Return the paths at which a module has another."""
    there = {name for name, _ in module.named_modules(remove_duplicate=False)}
    return [path for path in paths if path in there]


@hookimpl
def edgebench_operators() -> Iterable[Operator]:
    """Offer pruning."""
    yield Operator(
        name=NAME,
        summary="Take out channels and heads of attention, or zero weights in blocks; train on.",
        apply=apply,
        options=PruneOptions,
        needs={"training", "validation"},
        reads=["torch-module"],
        writes="torch-module",
        accepts=accepts,
        replay=replay,
    )
