"""Common ground of the text models of transformers: how one is built, and given a checkpoint.

The networks are transformers' own `...ForSequenceClassification`, made from a
configuration: nothing is looked for on the network.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from edgebench_kit.text import tokenizing as text
from edgebench_kit.text.checkpoints import load_checkpoint
from edgebench_kit.text.vocabularies import BYTES, ENTRIES, WORDPIECE, Kind, kept, trained
from edgebench_kit.torch.classification import class_scores, cross_entropy
from edgebench_kit.torch.weight_files import load_weights

if TYPE_CHECKING:
    from torch import nn

CLASSES = 2
SHORT = 32
"""Tokens of a request of the small sizes; no made sentence has more."""
LONG = 128


@attrs.frozen(kw_only=True)
class Network:
    """One of transformers' encoders with a classifier, in whatever size."""

    name: str
    """Its type in a checkpoint's configuration, and its module within the classifier's."""
    prefix: str
    """How the names of its classes in transformers begin."""
    kind: Kind
    """How its checkpoints cut text."""
    types: int
    """Sentences of a pair that it can tell apart by their numbers; 1 if it cannot."""
    epsilon: float
    """What its normalisations add to a variance."""
    keep: tuple[str, ...]
    """Its modules behind the encoder."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The tensors that it reads, in the order of its arguments."""
        return ("input_ids", "attention_mask", *(["token_type_ids"] if self.types > 1 else []))


BERT = Network(
    name="bert",
    prefix="Bert",
    kind=WORDPIECE,
    types=2,
    epsilon=1e-12,
    keep=("bert.pooler", "classifier"),
)
ROBERTA = Network(
    name="roberta", prefix="Roberta", kind=BYTES, types=1, epsilon=1e-5, keep=("classifier",)
)


@attrs.frozen(kw_only=True)
class Size:
    """One size of a family: what is said of it, and what it is made of."""

    variant: Variant
    network: Network
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

    @property
    def described(self) -> Variant:
        """The variant, with its exits and with what pruning must leave alone."""
        return attrs.evolve(self.variant, exits=self._exits(), keep=self.network.keep)

    def _exits(self) -> list[ExitPoint]:
        """Return the places after all layers but the last."""
        layers = [f"{self.network.name}.encoder.layer.{number}" for number in range(self.layers)]
        return [
            ExitPoint(
                path=path,
                summary=f"after layer {number} of {self.layers}",
                head=partial(head, self.width),
                skips=layers[number:],
            )
            for number, path in enumerate(layers[:-1], 1)
        ]

    def configuration(self) -> Any:
        """Make transformers' configuration of it."""
        import transformers

        return getattr(transformers, f"{self.network.prefix}Config")(
            num_hidden_layers=self.layers,
            hidden_size=self.width,
            num_attention_heads=self.heads,
            intermediate_size=self.inner,
            vocab_size=self.rows,
            max_position_embeddings=self.positions,
            type_vocab_size=self.network.types,
            layer_norm_eps=self.network.epsilon,
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
            initializer_range=self.spread,
            num_labels=CLASSES,
            # The module gives a tuple, and is made of plain products: the least graph to export.
            return_dict=False,
            attn_implementation="eager",
        )

    def drawn(self, seed: int) -> Any:
        """Make it with weights that *seed* decides."""
        import torch
        import transformers

        classifier = getattr(transformers, f"{self.network.prefix}ForSequenceClassification")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return classifier(self.configuration()).eval()


@attrs.frozen(kw_only=True)
class Family:
    """What the sizes of one model have in common."""

    name: str
    kind: Kind
    """How the vocabulary cuts text that is made here, for weights that come without one."""
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
            variants=[size.described for size in self.sizes],
            dataset="outcomes",
            format="torch-module",
            bind=self.bind,
            decode=text.decode,
            preprocess=text.unbound,
            postprocess=class_scores,
            loss=cross_entropy,
            budget=budget,
        )

    def bind(self, model: Model, variant: str, resources: Mapping[str, bytes]) -> Model:
        """Return the record whose preprocessing uses the tokenizer of a pipeline."""
        return text.bind(model, variant, resources, self.size(variant).network.inputs)

    def build(self, variant: str, weights: Weights) -> Pipeline:
        """Build one size, its weights drawn with the seed of *weights* or from its file.

        The stage reads the network's inputs, int64 of shape (batch, length), and writes `logits`,
        float32 of shape (batch, 2). A checkpoint is a directory as transformers writes it, with
        its tokenizer; a single file has the weights alone, for the tokenizer that is trained here.

        Raises:
            DataError: The file or directory does not fit.
        """
        size = self.size(variant)
        module = size.drawn(weights.seed)
        resource = (
            self._loaded(module, weights.path, size)
            if weights.kind in ("file", "hub")
            else self._made(size)
        )
        stage = Stage(
            format="torch-module",
            inputs=[
                TensorSpec(name=name, dtype="int64", shape=("batch", size.length))
                for name in size.network.inputs
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
            resources={text.RESOURCE: resource},
        )

    def _loaded(self, module: Any, path: Path | None, size: Size) -> bytes:
        """Give a module the weights in *path*, and return the tokenizer that goes with them.

        Raises:
            DataError: They do not fit, or are without the tokenizer that they were trained with.
        """
        title = f"{self.name}:{size.variant.name}"
        if path is not None and path.is_dir():
            kind = size.network.kind
            return kept(load_checkpoint(module, path, kind=kind, title=title), kind, size.length)
        if size.rows != ENTRIES:
            raise DataError(
                f"{path} is without a tokenizer, and {title} has not the vocabulary made here; "
                "give the directory of the checkpoint"
            )
        load_weights(module, path, title=title)
        return self._made(size)

    def _made(self, size: Size) -> bytes:
        """Return the tokenizer that is made here; each size has a row for all that it gives."""
        return kept(trained(self.kind), self.kind, size.length)


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


def head(width: int) -> nn.Module:
    """Make a classifier of what an encoder's layer writes, as RoBERTa has one behind the last.

    From float32 of shape (batch, length, *width*) to logits of shape (batch, 2): two products, of
    the first token alone, which has seen the others.
    """
    import torch
    from torch import nn

    class FirstToken(nn.Module):  # type: ignore[misc]  # torch is not typed here
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return tokens[:, 0]

    return nn.Sequential(
        FirstToken(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, CLASSES)
    )
