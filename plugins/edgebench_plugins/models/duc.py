"""DUC and HDC (Wang et al., 2018): dense upsampling on a trunk of hybrid dilated convolutions.

The trunk's parameters are named as torchvision's below `backbone.`; the head is `classifier`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from edgebench import Budget, Model, Pipeline, Variant, Weights, hookimpl
from edgebench_plugins import residual, segmentation, vision

if TYPE_CHECKING:
    from torch import nn

PICTURE = 800
RISING = (1, 2, 5, 9)
"""Dilations without a common divisor: together they leave no pixel of their field unseen."""
SMALL = residual.Shape(
    blocks=(1, 2, 3),
    planes=(32, 64, 80),
    strides=(1, 2, 1),
    dilations=(1, (1, 2), (1, 2, 5)),
    block="basic",
    kernel=3,
    stem=16,
)
TINY = residual.Shape(
    blocks=(1, 1, 2),
    planes=(24, 48, 48),
    strides=(1, 2, 1),
    dilations=(1, 1, (1, 2)),
    block="basic",
    kernel=3,
    stem=16,
)
# As the authors' own network: the first of 23 blocks has 2, where the pattern has 1.
HUNDRED = residual.Shape(
    blocks=(3, 4, 23, 3),
    strides=(1, 2, 1, 1),
    dilations=(1, 1, (2, *(RISING * 6)[1:23]), (5, 9, 17)),
)


def network(shape: residual.Shape, kernel: int, classes: int) -> nn.Module:
    """Give each cell of a trunk the scores of all its pixels, and put them in their places.

    From (batch, 3, height, width) to (batch, classes, height, width), where both are multiples of
    8, the side of a cell. It is ready to be trained.
    """
    from collections import OrderedDict

    import torch
    from torch import nn

    cell = 8
    backbone = nn.Sequential(residual.trunk(shape))
    residual.draw_convolutions(backbone)
    scores = nn.Conv2d(shape.channels[-1], classes * cell**2, kernel, padding=kernel // 2)
    # All pixels of a cell begin alike (Aitken et al., 2017), so that the trunk learns the classes
    # before the outlines; from unlike ones it takes longer to begin.
    with torch.no_grad():
        for values in (scores.weight, scores.bias):
            values.copy_(values[:: cell**2].repeat_interleave(cell**2, 0))
    parts = OrderedDict(backbone=backbone, classifier=scores, upsampled=nn.PixelShuffle(cell))
    return nn.Sequential(parts)


def untrained(shape: residual.Shape, kernel: int, classes: int) -> nn.Module:
    """Make the same network to be used as it is, its weights drawn once."""
    module = vision.blank(lambda: network(shape, kernel, classes))
    residual.initialise(module)
    return module


SIZES = [
    segmentation.small(
        "small",
        partial(network, SMALL, 1),
        summary="14 convolutions for 160x120 scenes of 11 classes.",
        parameters=544_048,
        student="tiny",
        exits=segmentation.exits(SMALL),
        keep=["classifier"],
    ),
    segmentation.small(
        "tiny",
        partial(network, TINY, 1),
        summary="10 narrower convolutions for 160x120 scenes of 11 classes.",
        parameters=160_000,
        exits=segmentation.exits(TINY),
        keep=["classifier"],
    ),
    segmentation.Size(
        variant=Variant(
            name="resnet101",
            summary="101 convolutions for 800x800 photos of 19 classes.",
            parameters=64_914_688,
            weights=["random", "file"],
            dataset="cityscapes",
            stand_in="digit-scenes",
            exits=segmentation.exits(HUNDRED),
            keep=["classifier"],
        ),
        network=partial(untrained, HUNDRED, 3),
        classes=19,
        picture=(PICTURE, PICTURE),
        preprocess=partial(segmentation.square_input, side=PICTURE),
    ),
]
MODEL = segmentation.segmenter(
    "duc",
    "Dense upsampling convolution: a cell's channels become its pixels' classes.",
    SIZES,
    Budget(epochs=6, batch=16, learning_rate=1e-2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the networks of dense upsampling convolutions."""
    yield MODEL


def build(variant: str, weights: Weights) -> Pipeline:
    """Build one of them, its weights drawn or from a file."""
    return MODEL.build(variant, weights)
