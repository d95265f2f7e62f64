"""ResNet (He et al., 2016) and its wide kind (Zagoruyko and Komodakis, 2016), as torchvision's.

Its weight files fit: the parameters have torchvision's names.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from edgebench import Budget, Model, hookimpl
from edgebench_kit.vision import models as vision
from edgebench_kit.vision import residual
from edgebench_kit.vision import residual_exits as exits

SMALL = residual.Shape(
    blocks=(2, 2, 2, 2),
    planes=(48, 64, 96, 128),
    strides=(1, 1, 2, 1),
    block="basic",
    kernel=3,
    stem=(48,),
    pool=False,
)
TINY = residual.Shape(
    blocks=(1, 1, 1, 1),
    planes=(32, 48, 64, 96),
    strides=(1, 1, 2, 1),
    block="basic",
    kernel=3,
    stem=(32,),
    pool=False,
)
FIFTY = residual.Shape(blocks=(3, 4, 6, 3))
WIDE_FIFTY = residual.Shape(blocks=(3, 4, 6, 3), width_per_group=128)
WIDE_HUNDRED = residual.Shape(blocks=(3, 4, 23, 3), width_per_group=128)

SIZES = [
    vision.small(
        "small",
        partial(residual.network, SMALL),
        summary="17 convolutions for 32x32 pictures of 10 classes.",
        parameters=1_105_722,
        student="tiny",
        exits=partial(exits.classifier, SMALL),
        keep=["fc"],
    ),
    vision.small(
        "tiny",
        partial(residual.network, TINY),
        summary="9 narrower convolutions for 32x32 pictures of 10 classes.",
        parameters=269_770,
        exits=partial(exits.classifier, TINY),
        keep=["fc"],
    ),
    vision.large(
        "50",
        partial(residual.untrained, FIFTY),
        summary="49 convolutions for 224x224 photos of 1000 classes.",
        parameters=25_557_032,
        asset="resnet-50",
        exits=partial(exits.classifier, FIFTY),
        keep=["fc"],
    ),
    vision.large(
        "wide50",
        partial(residual.untrained, WIDE_FIFTY),
        summary="As 50, the 3x3 convolutions twice as wide.",
        parameters=68_883_240,
        asset="resnet-wide50",
        student="50",
        exits=partial(exits.classifier, WIDE_FIFTY),
        keep=["fc"],
    ),
    vision.large(
        "wide101",
        partial(residual.untrained, WIDE_HUNDRED),
        summary="100 convolutions for 224x224 photos of 1000 classes, the 3x3 ones twice as wide.",
        parameters=126_886_696,
        asset="resnet-wide101",
        student="wide50",
        exits=partial(exits.classifier, WIDE_HUNDRED),
        keep=["fc"],
    ),
]
MODEL = vision.classifier(
    "resnet",
    "Residual network: convolutions with a way around them.",
    SIZES,
    Budget(epochs=4, batch=32, learning_rate=3e-3, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the residual networks."""
    yield MODEL
