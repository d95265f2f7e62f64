"""DUC and HDC (Wang et al., 2018): dense upsampling on a trunk of hybrid dilated convolutions.

The large one is the authors' own network (TuSimple-DUC), a square of 2x2 pixels sharing a score.
They enlarge the scores bilinearly outside the graph; here that is its last step, so that the answer
is of the picture's size. The trunk's parameters are named as torchvision's below `backbone.`, the
convolutions of the head `classifier.0` and on.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Budget, Model, Variant, hookimpl
from edgebench_kit.vision import segmenters
from edgebench_kit.vision.residual import Shape, draw_convolutions, make_trunk, make_untrained
from edgebench_kit.vision.residual_segmenters import find_segmenter_exits

if TYPE_CHECKING:
    from torch import nn

PICTURE = 800
RISING = (1, 2, 5, 9)
"""Dilations without a common divisor: together they leave no pixel of their field unseen."""
SMALL = Shape(
    blocks=(1, 2, 3),
    planes=(32, 64, 80),
    strides=(1, 2, 1),
    dilations=(1, (1, 2), (1, 2, 5)),
    block="basic",
    kernel=3,
    stem=(16,),
)
TINY = Shape(
    blocks=(1, 1, 2),
    planes=(24, 48, 48),
    strides=(1, 2, 1),
    dilations=(1, 1, (1, 2)),
    block="basic",
    kernel=3,
    stem=(16,),
)
HUNDRED = Shape(
    blocks=(3, 4, 23, 3),
    strides=(1, 2, 1, 1),
    # The first of 23 blocks has 2, where the pattern has 1.
    dilations=(1, 1, (2, *(RISING * 6)[1:23]), (5, 9, 17)),
    kernel=3,
    stem=(64, 64, 128),
    pool_padding=0,
    strides_first=True,
)


@attrs.frozen(kw_only=True)
class Head:
    """What tells one head from another."""

    kernel: int = 1
    """The side of the kernels of its convolutions."""
    dilations: tuple[int, ...] = (1,)
    """The dilation of each; they lie side by side, and what they give is added."""
    width: int = 1
    """The side of the square of pixels that share a score, the authors' cell width."""


PLAIN = Head()
PYRAMID = Head(kernel=3, dilations=(6, 12, 18, 24), width=2)


def network(shape: Shape, head: Head, classes: int) -> nn.Module:
    """Give each cell of a trunk the scores of all its pixels, and put them in their places.

    From (batch, 3, height, width) to (batch, classes, height, width), where both are multiples of
    8, the side of a cell. It is ready to be trained.
    """
    from collections import OrderedDict

    from torch import nn

    backbone = nn.Sequential(make_trunk(shape))
    draw_convolutions(backbone)
    cell = segmenters.CELL // head.width
    scores = _scores(shape.channels[-1], head, classes, cell)
    parts = OrderedDict(backbone=backbone, classifier=scores, upsampled=nn.PixelShuffle(cell))
    if head.width > 1:
        parts["enlarged"] = nn.Upsample(scale_factor=head.width, mode="bilinear")
    return nn.Sequential(parts)


def _scores(channels: int, head: Head, classes: int, cell: int) -> nn.Module:
    """Make the convolutions that give each cell the scores of its pixels."""
    import torch
    from torch import nn

    layers = []
    for dilation in head.dilations:
        padding = dilation * (head.kernel // 2)
        outputs = classes * cell**2
        layers.append(nn.Conv2d(channels, outputs, head.kernel, padding=padding, dilation=dilation))
    # All pixels of a cell begin alike (Aitken et al., 2017), so that the trunk learns the classes
    # before the outlines; from unlike ones it takes longer to begin.
    with torch.no_grad():
        for values in (values for layer in layers for values in layer.parameters()):
            values.copy_(values[:: cell**2].repeat_interleave(cell**2, 0))
    return _summed()(layers)


@cache
def _summed() -> Any:
    """Define what adds up layers; here, because its base class is torch's."""
    from functools import reduce
    from operator import add

    from torch import nn

    class Summed(nn.ModuleList):  # type: ignore[misc]  # torch is not typed here
        """Layers side by side, whose outputs are added."""

        def forward(self, x: Any) -> Any:
            return reduce(add, (layer(x) for layer in self))

    return Summed


SIZES = [
    segmenters.describe_small_size(
        Variant(
            name="small",
            summary="14 convolutions, stem and head one each, for 160x120 scenes of 11 classes.",
            parameters=544_048,
            student="tiny",
            keep=["classifier.0"],
        ),
        partial(network, SMALL, PLAIN),
        exits=partial(find_segmenter_exits, SMALL),
    ),
    segmenters.describe_small_size(
        Variant(
            name="tiny",
            summary="10 convolutions, narrower, stem and head one each, for 160x120 scenes.",
            parameters=160_000,
            keep=["classifier.0"],
        ),
        partial(network, TINY, PLAIN),
        exits=partial(find_segmenter_exits, TINY),
    ),
    segmenters.describe_large_size(
        Variant(
            name="resnet101",
            summary="106 convolutions, the last 4 side by side, for 800x800 photos of 19 classes.",
            parameters=65_038_464,
            weights=["random", "file"],
            dataset="cityscapes",
            keep=[f"classifier.{number}" for number in range(len(PYRAMID.dilations))],
        ),
        partial(make_untrained, network, HUNDRED, PYRAMID),
        classes=19,
        picture=(PICTURE, PICTURE),
        preprocess=partial(segmenters.scale_to_square, side=PICTURE),
        exits=partial(find_segmenter_exits, HUNDRED),
    ),
]
MODEL = segmenters.make_segmenter(
    "duc",
    "Dense upsampling convolution: a cell's channels become its pixels' classes.",
    SIZES,
    Budget(epochs=6, batch=16, learning_rate=1e-2, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the networks of dense upsampling convolutions."""
    yield MODEL
