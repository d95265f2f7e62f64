"""What is known of families of networks: exits, heads, and which layers make a half.

Found from a configuration alone, with the defaults that transformers has for each family.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Attention, DataError, ExitPoint, Variant
from edgebench_kit.checkpoints.configurations import Configuration

if TYPE_CHECKING:
    from torch import nn

STUDENT = "half"
"""The name of the student that a family gives."""


@attrs.frozen(kw_only=True)
class Layered:
    """A family of equal layers one after the other, each with heads of attention."""

    layers: str
    """The path of the list of layers."""
    keep: tuple[str, ...]
    """Its modules behind and around the layers that pruning must leave alone."""
    attention: str
    """The module with the heads, below a layer."""
    projections: tuple[str, ...] = ("query", "key", "value")
    counts: tuple[str, ...] = ("num_attention_heads",)
    widths: tuple[str, ...] = ()
    depth: str = "num_hidden_layers"
    """The key of the number of layers."""
    heads: str = "num_attention_heads"
    width: str = "hidden_size"
    usual: tuple[int, int, int] = (12, 12, 768)
    """What transformers has for layers, heads and width where a configuration does not say."""

    def describe(self, settings: Mapping[str, Any], classes: int) -> dict[str, Any]:
        """Return the fields of a variant that follow from a configuration."""
        depth, heads, width = self._read(settings)
        paths = [f"{self.layers}.{number}" for number in range(depth)]
        return {
            "exits": [
                ExitPoint(
                    path=path,
                    summary=f"after layer {number} of {depth}",
                    head=partial(make_token_head, width, classes),
                    skips=paths[number:],
                )
                for number, path in enumerate(paths[:-1], 1)
            ],
            "attention": [
                Attention(
                    path=f"{path}.{self.attention}",
                    heads=heads,
                    projections=self.projections,
                    counts=self.counts,
                    widths=self.widths,
                )
                for path in paths
            ],
            "keep": self.keep,
            "student": STUDENT if depth > 1 else "",
        }

    def check(self, settings: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
        """See that layers are as wide as some tensor, and divide into heads.

        Raises:
            DataError: They do not.
        """
        _, heads, width = self._read(settings)
        if not any(width in shape for shape in shapes.values()):
            raise DataError(
                f"{self.width} is {width}, and no tensor of the weights beside it is as wide; the "
                "configuration is of another network, or damaged"
            )
        if width % heads:
            raise DataError(
                f"{self.width} {width} does not divide into {heads} heads ({self.heads})"
            )

    def halve(self, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return a configuration of every second layer, and what each was before, by its path."""
        depth, _, _ = self._read(settings)
        kept = range(0, depth, 2)
        layers = {f"{self.layers}.{n}.": f"{self.layers}.{old}." for n, old in enumerate(kept)}
        return {**settings, self.depth: len(kept)}, layers

    def _read(self, settings: Mapping[str, Any]) -> tuple[int, int, int]:
        keys = zip((self.depth, self.heads, self.width), self.usual, strict=True)
        depth, heads, width = (_read_count(settings, key, usual) for key, usual in keys)
        return depth, heads, width


@attrs.frozen(kw_only=True)
class Residual:
    """ResNet: stages of blocks, each stage with more channels and fewer pixels."""

    stages: str

    def describe(self, settings: Mapping[str, Any], classes: int) -> dict[str, Any]:
        """Return the fields of a variant that follow from a configuration."""
        depths, channels = self._read(settings)
        last = len(depths) - 1
        exits = [
            ExitPoint(
                path=f"{self.stages}.{number}",
                summary=f"after {number + 1} of {len(depths)} stages",
                head=partial(make_picture_head, channels[number], classes),
            )
            for number in range(last)
        ]
        if depths[last] > 1:
            blocks = [f"{self.stages}.{last}.layers.{number}" for number in range(depths[last])]
            exits.append(
                ExitPoint(
                    path=blocks[0],
                    summary="after the first block of the last stage, which is as wide as its end",
                    head=partial(make_picture_head, channels[last], classes),
                    skips=blocks[1:],
                )
            )
        return {"exits": exits, "student": STUDENT if max(depths) > 1 else ""}

    def halve(self, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return a configuration of the first half of each stage, which keep their paths."""
        depths, _ = self._read(settings)
        return {**settings, "depths": [(depth + 1) // 2 for depth in depths]}, {}

    def _read(self, settings: Mapping[str, Any]) -> tuple[list[int], list[int]]:
        depths = _read_counts(settings, "depths", [3, 4, 6, 3])
        channels = _read_counts(settings, "hidden_sizes", [256, 512, 1024, 2048])
        if len(depths) != len(channels):
            raise DataError(
                f"depths are of {len(depths)} stages and hidden_sizes of {len(channels)}"
            )
        return depths, channels


def _read_count(settings: Mapping[str, Any], key: str, usual: int) -> int:
    found = settings.get(key, usual)
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise DataError(f"{key} is a number of at least 1, not {found!r}")
    return found


def _read_counts(settings: Mapping[str, Any], key: str, usual: list[int]) -> list[int]:
    found = settings.get(key, usual)
    if not isinstance(found, list) or not found:
        raise DataError(f"{key} is a list of numbers, not {found!r}")
    return [_read_count({key: one}, key, one) for one in found]


def _describe_encoder(prefix: str, *keep: str) -> Layered:
    """Describe a family whose encoder is BERT's."""
    return Layered(
        layers=f"{prefix}.encoder.layer",
        keep=(*keep, "classifier"),
        attention="attention.self",
        widths=("all_head_size",),
    )


def _describe_vision(prefix: str) -> Layered:
    """Describe a family whose encoder is ViT's."""
    return Layered(
        layers=f"{prefix}.layers",
        # What is added to the positions of the pieces must stay as wide.
        keep=(f"{prefix}.embeddings.patch_embeddings.projection", f"{prefix}.layernorm"),
        attention="attention",
        projections=("q_proj", "k_proj", "v_proj"),
    )


FAMILIES: Mapping[str, Layered | Residual] = MappingProxyType(
    {
        "bert": _describe_encoder("bert", "bert.pooler"),
        "camembert": _describe_encoder("roberta"),
        "deit": _describe_vision("deit"),
        "distilbert": Layered(
            layers="distilbert.transformer.layer",
            keep=("pre_classifier", "classifier"),
            attention="attention",
            projections=("q_lin", "k_lin", "v_lin"),
            counts=("n_heads",),
            widths=("dim",),
            depth="n_layers",
            heads="n_heads",
            width="dim",
            usual=(6, 12, 768),
        ),
        "electra": attrs.evolve(_describe_encoder("electra"), usual=(12, 4, 256)),
        "resnet": Residual(stages="resnet.encoder.stages"),
        "roberta": _describe_encoder("roberta"),
        "vit": _describe_vision("vit"),
        "xlm-roberta": _describe_encoder("roberta"),
    }
)
"""By what configurations call them (`model_type`)."""


def describe_variant(name: str, configuration: Configuration) -> Variant:
    """Describe a network as a variant, as far as its family is known."""
    known = FAMILIES.get(configuration.family)
    facts = known.describe(configuration.settings, len(configuration.classes)) if known else {}
    if facts and configuration.task == "tokens":
        facts = _describe_words(facts)
    summary = f"What the checkpoint holds: {_tell_lacks(configuration, facts)}"
    if configuration.student:
        facts["student"] = ""
    return Variant(name=name, summary=summary, weights=["file"], **facts)


def _tell_lacks(configuration: Configuration, facts: Mapping[str, Any]) -> str:
    """Say what operators would want to know and nothing tells, for someone who writes no code."""
    if configuration.family not in FAMILIES:
        return (
            f"the family {configuration.family} names no exit points and no student; those of "
            f"{', '.join(sorted(FAMILIES))} do."
        )
    lacks = [] if facts["exits"] else ["no exit points"]
    lacks += [] if facts["student"] else ["no student"]
    said = f", so small that it has {' and '.join(lacks)}" * bool(lacks)
    return f"a network of the family {configuration.family}{said}."


def check_shapes(configuration: Configuration, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """See that a configuration of a known family is of weights of such shapes, as far as it shows.

    Raises:
        DataError: It is not.
    """
    known = FAMILIES.get(configuration.family)
    if isinstance(known, Layered):
        known.check(configuration.settings, shapes)


def _describe_words(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts where each token has a class: heads do not choose, and none is pooled."""
    exits = [attrs.evolve(point, head=partial(point.head, each=True)) for point in facts["exits"]]
    return {**facts, "exits": exits, "keep": ("classifier",)}


def halve(configuration: Configuration) -> tuple[Configuration, dict[str, str]]:
    """Return a network of the same family with half the layers, and where these come from.

    By the beginning of a parameter's name, how that of its teacher's begins; the others have the
    same name.

    Raises:
        DataError: How the family's layers are called is not known, or there is one only.
    """
    known = FAMILIES.get(configuration.family)
    if known is None:
        raise DataError(
            f"no student is known of the family {configuration.family!r}; those of "
            f"{', '.join(sorted(FAMILIES))} can be halved"
        )
    if not known.describe(configuration.settings, 2)["student"]:
        raise DataError("a network of one layer has no half")
    settings, sources = known.halve(configuration.settings)
    return attrs.evolve(configuration, settings=settings, student=STUDENT), sources


def make_token_head(width: int, classes: int, *, each: bool = False) -> nn.Module:
    """Make a classifier of what a layer writes of a text's tokens or a picture's pieces.

    From float32 of shape (batch, length, *width*) to logits of shape (batch, *classes*): two
    products, of the first token alone, which has seen the others; or of *each* token, to logits of
    shape (batch, length, *classes*).
    """
    from torch import nn

    class FirstToken(nn.Module):  # type: ignore[misc]  # torch is not typed here
        def forward(self, tokens: Any) -> Any:
            return tokens[:, 0]

    first = nn.Identity() if each else FirstToken()
    return nn.Sequential(first, nn.Linear(width, width), nn.Tanh(), nn.Linear(width, classes))


def make_picture_head(channels: int, classes: int) -> nn.Module:
    """Make a classifier of what a stage writes of a picture.

    From float32 of shape (batch, *channels*, height, width) to logits of shape (batch, *classes*):
    a product of the means of the channels.
    """
    from torch import nn

    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
