"""FCN (Long et al., 2015) on a dilated residual trunk, as torchvision's.

Its weight files fit: the parameters have torchvision's names.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from edgebench import Budget, Model, Variant, hookimpl
from edgebench_kit.vision import segmenters
from edgebench_kit.vision.residual import Shape, draw_convolutions, make_trunk, make_untrained
from edgebench_kit.vision.residual_segmenters import find_segmenter_exits

if TYPE_CHECKING:
    from torch import nn

SMALL = Shape(
    blocks=(1, 2, 2),
    planes=(32, 64, 96),
    strides=(1, 2, 1),
    dilations=(1, (1, 2), (1, 2)),
    block="basic",
    kernel=3,
    stem=(16,),
)
TINY = Shape(
    blocks=(1, 1, 1),
    planes=(24, 48, 80),
    strides=(1, 2, 1),
    dilations=(1, 1, (2,)),
    block="basic",
    kernel=3,
    stem=(16,),
)
HUNDRED = Shape(blocks=(3, 4, 23, 3), strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))


def network(shape: Shape, hidden: int, classes: int) -> nn.Module:
    """Put a head of two convolutions on a trunk, and its scores back to the input's size.

    From (batch, 3, height, width) to (batch, classes, height, width). It is ready to be trained.
    """
    from torch import nn

    classifier = nn.Sequential(
        nn.Conv2d(shape.channels[-1], hidden, 3, padding=1, bias=False),
        nn.BatchNorm2d(hidden),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Conv2d(hidden, classes, 1),
    )
    backbone = nn.Sequential(make_trunk(shape))
    draw_convolutions(backbone)
    return _upsampled()(backbone, classifier)


@cache
def _upsampled() -> Any:
    """Define the network; here, because its base class is torch's."""
    from torch import nn
    from torch.nn import functional

    class Upsampled(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """A trunk and a classifier of its cells, whose scores are interpolated bilinearly."""

        def __init__(self, backbone: Any, classifier: Any) -> None:
            super().__init__()
            self.backbone = backbone
            self.classifier = classifier

        def forward(self, x: Any) -> Any:
            scores = self.classifier(self.backbone(x))
            return functional.interpolate(scores, size=x.shape[-2:], mode="bilinear")

    return Upsampled


SIZES = [
    segmenters.describe_small_size(
        Variant(
            name="small",
            summary="13 convolutions for 160x120 scenes of 11 classes.",
            parameters=514_075,
            student="tiny",
            keep=["classifier.4"],
        ),
        partial(network, SMALL, 64),
        exits=partial(find_segmenter_exits, SMALL),
    ),
    segmenters.describe_small_size(
        Variant(
            name="tiny",
            summary="9 narrower convolutions for 160x120 scenes of 11 classes.",
            parameters=173_851,
            keep=["classifier.4"],
        ),
        partial(network, TINY, 48),
        exits=partial(find_segmenter_exits, TINY),
    ),
    segmenters.describe_large_size(
        Variant(
            name="resnet101",
            summary="102 convolutions for photos of any size and 21 classes.",
            parameters=51_949_141,
            weights=["random", "file", "hub"],
            asset="fcn-resnet101",
            dataset="voc",
            datasets=["coco"],
            keep=["classifier.4"],
        ),
        partial(make_untrained, network, HUNDRED, 512),
        classes=21,
        picture=("height", "width"),
        preprocess=segmenters.keep_size,
        unused=("aux_classifier.",),
        exits=partial(find_segmenter_exits, HUNDRED),
    ),
]
MODEL = segmenters.make_segmenter(
    "fcn",
    "Fully convolutional network: a class for each cell, interpolated to pixels.",
    SIZES,
    Budget(epochs=6, batch=16, learning_rate=1e-2, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the fully convolutional networks."""
    yield MODEL
