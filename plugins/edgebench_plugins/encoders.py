"""Common ground of the text models of transformers: how one is built, and given a checkpoint.

No plugin itself. The networks are transformers' own `...ForSequenceClassification`, made from a
configuration: nothing is looked for on the network.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import (
    Budget,
    DataError,
    ExitPoint,
    Model,
    Pipeline,
    Stage,
    TensorSpec,
    Variant,
    Weights,
)
from edgebench_plugins import text, vision
from edgebench_plugins.checkpoints import load_checkpoint
from edgebench_plugins.vocabularies import ENTRIES, Kind, kept, trained
from edgebench_plugins.weightfiles import load_weights

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["LONG", "SHORT", "Family", "Size", "exits", "large", "small"]

CLASSES = 2
SHORT = 32
"""Tokens of a request of the small sizes; no made sentence has more."""
LONG = 128


@attrs.frozen(kw_only=True)
class Size:
    """One size of a family: what is said of it, and what it is made of."""

    variant: Variant
    length: int
    """The tokens that every request is filled up or truncated to."""
    layers: int
    width: int
    """Values by which each token is represented, shared out among the heads."""
    heads: int
    inner: int
    """Values of each token between the two products of a layer's feed-forward part."""
    rows: int
    """Entries of the vocabulary that it can tell apart."""
    positions: int
    """Numbers of positions that it can tell apart, at least one for each token."""
    dropout: float = 0.1
    """The share of values that training leaves out at a time."""
    spread: float = 0.02
    """The standard deviation with which its weights are drawn."""


@attrs.frozen(kw_only=True)
class Family:
    """What the sizes of one model have in common."""

    name: str
    """Its name here, which is also its type in a checkpoint's configuration."""
    prefix: str
    """How the names of its classes in transformers begin."""
    kind: Kind
    """How it cuts text."""
    inputs: tuple[str, ...]
    """The tensors that it reads, in the order of its arguments."""
    types: int
    """Sentences of a pair that it can tell apart by their numbers; 1 if it cannot."""
    epsilon: float
    """What its normalisations add to a variance."""
    sizes: tuple[Size, ...]

    def size(self, variant: str) -> Size:
        """Return the size called *variant*."""
        return next(size for size in self.sizes if size.variant.name == variant)

    def model(self, summary: str, budget: Budget) -> Model:
        """Describe the family as a model."""
        return Model(
            name=self.name,
            summary=summary,
            build=self.build,
            variants=[size.variant for size in self.sizes],
            dataset="outcomes",
            format="torch-module",
            bind=partial(text.bind, names=self.inputs),
            decode=text.decode,
            preprocess=text.unbound,
            postprocess=vision.class_scores,
            loss=vision.cross_entropy,
            budget=budget,
        )

    def build(self, variant: str, weights: Weights) -> Pipeline:
        """Build one size, its weights drawn with the seed of *weights* or from its file.

        The stage reads the family's inputs, int64 of shape (batch, length), and writes `logits`,
        float32 of shape (batch, 2). A checkpoint is a directory as transformers writes it, with
        its tokenizer; a single file has the weights alone, for the tokenizer that is trained here.

        Raises:
            DataError: The file or directory does not fit.
        """
        size = self.size(variant)
        module = self._network(size, weights.seed)
        tokenizer = (
            self._loaded(module, weights.path, f"{self.name}:{variant}")
            if weights.kind in ("file", "hub")
            else trained(self.kind)
        )
        stage = Stage(
            format="torch-module",
            inputs=[
                TensorSpec(name=name, dtype="int64", shape=("batch", size.length))
                for name in self.inputs
            ],
            outputs=[TensorSpec(name="logits", dtype="float32", shape=("batch", CLASSES))],
            live=module,
            model=self.name,
            variant=variant,
            parameters=sum(weight.numel() for weight in module.parameters()),
        )
        return Pipeline(
            model=self.name,
            variant=variant,
            stages=[stage],
            outputs=["logits"],
            resources={text.RESOURCE: kept(tokenizer, self.kind, size.length)},
        )

    def configuration(self, size: Size) -> Any:
        """Make transformers' configuration of a size."""
        import transformers

        return getattr(transformers, f"{self.prefix}Config")(
            num_hidden_layers=size.layers,
            hidden_size=size.width,
            num_attention_heads=size.heads,
            intermediate_size=size.inner,
            vocab_size=size.rows,
            max_position_embeddings=size.positions,
            type_vocab_size=self.types,
            layer_norm_eps=self.epsilon,
            hidden_dropout_prob=size.dropout,
            attention_probs_dropout_prob=size.dropout,
            initializer_range=size.spread,
            num_labels=CLASSES,
            # The module gives a tuple, and is made of plain products: the least graph to export.
            return_dict=False,
            attn_implementation="eager",
        )

    def _network(self, size: Size, seed: int) -> Any:
        import torch
        import transformers

        classifier = getattr(transformers, f"{self.prefix}ForSequenceClassification")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return classifier(self.configuration(size)).eval()

    def _loaded(self, module: Any, path: Path | None, title: str) -> Tokenizer:
        """Give a module the weights in *path*, and return the tokenizer that goes with them.

        Raises:
            DataError: They do not fit, or are without the tokenizer that they were trained with.
        """
        if path is not None and path.is_dir():
            return load_checkpoint(module, path, kind=self.kind, title=title)
        if module.config.vocab_size != ENTRIES:
            raise DataError(
                f"{path} is without a tokenizer, and {title} has not the vocabulary made here; "
                "give the directory of the checkpoint"
            )
        load_weights(module, path, title=title)
        return trained(self.kind)


def small(name: str, *, summary: str, **facts: Any) -> Variant:
    """Describe a variant that is trained here on the made sentences."""
    return Variant(
        name=name,
        summary=summary,
        weights=("trained", "random", "file"),
        datasets=("mrpc",),
        **facts,
    )


def large(name: str, *, summary: str, **facts: Any) -> Variant:
    """Describe a variant that is trained elsewhere, on pairs of sentences."""
    return Variant(
        name=name,
        summary=summary,
        weights=("random", "file"),
        dataset="mrpc",
        stand_in="outcomes",
        **facts,
    )


def exits(encoder: str, layers: int) -> tuple[ExitPoint, ...]:
    """Return the places after all layers but the last of the *encoder*, a module's path."""
    return tuple(
        ExitPoint(path=f"{encoder}.layer.{number}", summary=f"after layer {number + 1} of {layers}")
        for number in range(layers - 1)
    )
