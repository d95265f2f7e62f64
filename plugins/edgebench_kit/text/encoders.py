"""Encoders of text by transformers, in whatever size, with a classifier of two classes.

The networks are transformers' own `...ForSequenceClassification`, made from a configuration:
nothing is looked for on the network.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Attention, ExitPoint, Variant
from edgebench_kit.text.kinds import BYTES, WORDPIECE, Kind
from edgebench_kit.torch.quiet_imports import importing_quietly

if TYPE_CHECKING:
    import torch
    from torch import nn

CLASSES = 2


@attrs.frozen(kw_only=True)
class Network:
    """One of transformers' encoders with a classifier, in whatever size."""

    name: str
    """Its type in a checkpoint's configuration, and its module within the classifier's."""
    prefix: str
    """How the names of its classes in transformers begin."""
    kind: Kind
    """How its checkpoints divide text into tokens."""
    types: int
    """Sentences of a pair that it can tell apart by their numbers; 1 if it cannot."""
    epsilon: float
    """What its normalisations add to a variance."""
    keep: tuple[str, ...]
    """Its modules behind the encoder."""
    first_position: int = 0
    """The number of the first token's position."""

    @property
    def classifier(self) -> str:
        """The name of its class in transformers."""
        return f"{self.prefix}ForSequenceClassification"

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
    name="roberta",
    prefix="Roberta",
    kind=BYTES,
    types=1,
    epsilon=1e-5,
    keep=("classifier",),
    # Positions are counted from the number of the padding on, which is 1.
    first_position=2,
)


@attrs.frozen(kw_only=True)
class Size:
    """One size of a family: what is said of it, and what it is made of."""

    variant: Variant
    network: Network
    length: int
    """The tokens that every sample is filled up or truncated to."""
    layers: int
    width: int
    """Values by which each token is represented, shared out among the heads."""
    heads: int
    inner: int
    """Values of each token between the two products of a layer's feed-forward part."""
    rows: int
    """Entries of the vocabulary that it can tell apart."""
    positions: int
    """Tokens whose positions it can tell apart, at least as many as the length."""
    dropout: float = 0.1
    """The share of values that training leaves out at a time."""
    spread: float = 0.02
    """The standard deviation with which its weights are drawn."""

    @property
    def full_variant(self) -> Variant:
        """The variant, with its exits and heads and with what pruning must leave alone."""
        return attrs.evolve(
            self.variant,
            exits=self._find_exits(),
            keep=self.network.keep,
            attention=self._find_attention(),
        )

    def _find_attention(self) -> list[Attention]:
        """Return where the heads of each layer are."""
        return [
            Attention(
                path=f"{self.network.name}.encoder.layer.{number}.attention.self",
                heads=self.heads,
                counts=["num_attention_heads"],
                widths=["all_head_size"],
            )
            for number in range(self.layers)
        ]

    def _find_exits(self) -> list[ExitPoint]:
        """Return the places after all layers but the last."""
        layers = [f"{self.network.name}.encoder.layer.{number}" for number in range(self.layers)]
        return [
            ExitPoint(
                path=path,
                summary=f"after layer {number} of {self.layers}",
                head=partial(make_head, self.width),
                skips=layers[number:],
            )
            for number, path in enumerate(layers[:-1], 1)
        ]

    @property
    def figures(self) -> dict[str, Any]:
        """What decides its shape and what it computes, as transformers' configurations call it."""
        return {
            "num_hidden_layers": self.layers,
            "hidden_size": self.width,
            "num_attention_heads": self.heads,
            "intermediate_size": self.inner,
            "vocab_size": self.rows,
            "max_position_embeddings": self.positions + self.network.first_position,
            "type_vocab_size": self.network.types,
            "hidden_act": "gelu",
            "layer_norm_eps": self.network.epsilon,
            "pad_token_id": self.network.kind.special.index(self.network.kind.padding),
            "is_decoder": False,
            "num_labels": CLASSES,
        }

    def make_configuration(self) -> Any:
        """Make transformers' configuration of it."""
        with importing_quietly():
            import transformers

            configuration = getattr(transformers, f"{self.network.prefix}Config")
        return configuration(
            **self.figures,
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
            initializer_range=self.spread,
            # The module gives a tuple, and is made of plain products: the least graph to export.
            return_dict=False,
            attn_implementation="eager",
        )

    def make_network(self, seed: int) -> Any:
        """Make it with weights that *seed* decides."""
        import torch

        with importing_quietly():
            import transformers

            # The class is imported here, and with it what stands beside it.
            classifier = getattr(transformers, self.network.classifier)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return classifier(self.make_configuration()).eval()


def make_head(width: int) -> nn.Module:
    """Make a classifier of what an encoder's layer writes, as RoBERTa has one behind the last.

    From float32 of shape (batch, length, *width*) to logits of shape (batch, 2): two products, of
    the first token alone, which has seen the others.
    """
    from torch import nn

    class FirstToken(nn.Module):  # type: ignore[misc]  # torch is not typed here
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return tokens[:, 0]

    return nn.Sequential(
        FirstToken(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, CLASSES)
    )
