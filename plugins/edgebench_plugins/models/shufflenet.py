"""ShuffleNetV2 (Ma et al., 2018), with torchvision's parameter names so that its files fit.

Half of the channels pass a block as they are; the halves are then shuffled into each other.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Budget, ExitPoint, Model, Variant, hookimpl
from edgebench_kit.vision.classifiers import (
    describe_large_size,
    describe_small_size,
    make_class_head,
    make_classifier,
)
from edgebench_kit.vision.untrained import make_settled

if TYPE_CHECKING:
    from torch import nn


@attrs.frozen(kw_only=True)
class Shape:
    """What tells one size from another."""

    stem: int
    """The channels of the first convolution, of stride 2."""
    blocks: tuple[int, ...]
    """The blocks of each stage; the first of them strides by 2."""
    widths: tuple[int, ...]
    """The channels of each stage, even numbers."""
    last: int
    """The channels of the convolution of 1x1 after the stages."""
    pool: bool = False
    """Whether a max pooling of 3x3 and stride 2 follows the first convolution."""

    @property
    def stages(self) -> list[tuple[str, int, int]]:
        """The name of each stage, its blocks, its channels; torchvision counts the first as 2."""
        named = zip(self.blocks, self.widths, strict=True)
        return [(f"stage{number}", *found) for number, found in enumerate(named, 2)]


SMALL = Shape(stem=48, blocks=(4, 6), widths=(192, 320), last=512)
TINY = Shape(stem=32, blocks=(2, 3), widths=(112, 192), last=256)
V2_X1 = Shape(stem=24, blocks=(4, 8, 4), widths=(116, 232, 464), last=1024, pool=True)


def network(shape: Shape, classes: int) -> nn.Module:
    """Put the layers together under torchvision's names, drawn as torch does."""
    from torch import nn

    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["conv1"] = nn.Sequential(*_convolve(3, shape.stem, 3, 2), nn.ReLU())
    if shape.pool:
        parts["maxpool"] = nn.MaxPool2d(3, 2, padding=1)
    inputs = shape.stem
    for name, count, width in shape.stages:
        rest = [_define_block()(width, width, 1) for _ in range(count - 1)]
        parts[name] = nn.Sequential(_define_block()(inputs, width, 2), *rest)
        inputs = width
    parts["conv5"] = nn.Sequential(*_convolve(inputs, shape.last, 1), nn.ReLU())
    parts["avgpool"] = nn.AdaptiveAvgPool2d(1)
    parts["flatten"] = nn.Flatten()
    parts["fc"] = nn.Linear(shape.last, classes)
    return nn.Sequential(parts)


def exits(shape: Shape, classes: int) -> tuple[ExitPoint, ...]:
    """Say where it may be left early: after each stage but the last, and in the last one.

    What follows the first block of that keeps the shape: an exit for every sample may leave it out.
    """
    *early, (last, count, width) = shape.stages
    points = [
        ExitPoint(
            path=name,
            summary=f"after {number} of {len(shape.stages)} stages",
            head=partial(make_class_head, channels, classes),
        )
        for number, (name, _, channels) in enumerate(early, 1)
    ]
    final = ExitPoint(
        path=f"{last}.0",
        summary="after the first block of the last stage, which is as wide as its end",
        head=partial(make_class_head, width, classes, convolutions=0),
        skips=[f"{last}.{number}" for number in range(1, count)],
    )
    return (*points, final)


def _convolve(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[Any]:
    """Make a convolution and its normalisation."""
    from torch import nn

    near = {"padding": kernel // 2, "groups": groups, "bias": False}
    return [nn.Conv2d(inputs, outputs, kernel, stride, **near), nn.BatchNorm2d(outputs)]


@cache
def _define_block() -> Any:
    """Define the block; here, because its base class is torch's."""
    import torch
    from torch import nn

    class ShuffleBlock(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """Two branches, put one after the other and shuffled; the first may be a way around."""

        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            half = outputs // 2
            self.split = stride == 1
            near = [] if self.split else _convolve(inputs, inputs, 3, stride, inputs)
            far = [] if self.split else [*_convolve(inputs, half, 1), nn.ReLU()]
            self.branch1 = nn.Sequential(*near, *far)
            self.branch2 = nn.Sequential(
                *(*_convolve(half if self.split else inputs, half, 1), nn.ReLU()),
                *_convolve(half, half, 3, stride, half),
                *(*_convolve(half, half, 1), nn.ReLU()),
            )

        def forward(self, x: Any) -> Any:
            left, right = x.chunk(2, dim=1) if self.split else (x, x)
            joined = torch.cat((self.branch1(left), self.branch2(right)), dim=1)
            halves = joined.unflatten(1, (2, joined.shape[1] // 2))
            return halves.transpose(1, 2).flatten(1, 2)

    return ShuffleBlock


SIZES = [
    describe_small_size(
        Variant(
            name="small",
            summary="10 blocks that shuffle channels, for 32x32 pictures of 10 classes.",
            parameters=611_466,
            student="tiny",
            keep=["fc"],
        ),
        partial(make_settled, network, 32, SMALL),
        exits=partial(exits, SMALL),
    ),
    describe_small_size(
        Variant(
            name="tiny",
            summary="5 narrower blocks, for 32x32 pictures of 10 classes.",
            parameters=141_626,
            keep=["fc"],
        ),
        partial(make_settled, network, 32, TINY),
        exits=partial(exits, TINY),
    ),
    describe_large_size(
        Variant(
            name="v2-x1",
            summary="16 blocks that shuffle channels, for 224x224 photos of 1000 classes.",
            parameters=2_278_604,
            asset="shufflenet-v2-x1",
            keep=["fc"],
        ),
        partial(make_settled, network, 224, V2_X1),
        shorter=256,
        exits=partial(exits, V2_X1),
    ),
]
MODEL = make_classifier(
    "shufflenet",
    "Blocks that leave half of the channels as they are, and shuffle the halves.",
    SIZES,
    Budget(epochs=8, batch=32, learning_rate=4e-3, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the shuffling networks."""
    yield MODEL
