"""ResNet (He et al., 2016) and its wide kind (Zagoruyko and Komodakis, 2016), as torchvision's.

Its weight files fit: the parameters have torchvision's names.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgebench import Budget, Model, Variant, hookimpl
from edgebench_kit.vision.classifiers import make_classifier
from edgebench_kit.vision.residual import Shape
from edgebench_kit.vision.residual_classifiers import (
    describe_large_size,
    describe_small_shape,
    describe_small_size,
)

FIFTY = Shape(blocks=(3, 4, 6, 3))
HUNDRED_FIFTY_TWO = Shape(blocks=(3, 8, 36, 3))
WIDE_FIFTY = Shape(blocks=(3, 4, 6, 3), width_per_group=128)
WIDE_HUNDRED = Shape(blocks=(3, 4, 23, 3), width_per_group=128)

SIZES = [
    describe_small_size(
        Variant(
            name="small",
            summary="17 convolutions for 32x32 pictures of 10 classes.",
            parameters=1_105_722,
            student="tiny",
        ),
        describe_small_shape(2, (48, 64, 96, 128), stem=48, block="basic"),
    ),
    describe_small_size(
        Variant(
            name="tiny",
            summary="9 narrower convolutions for 32x32 pictures of 10 classes.",
            parameters=269_770,
        ),
        describe_small_shape(1, (32, 48, 64, 96), stem=32, block="basic"),
    ),
    describe_large_size(
        Variant(
            name="50",
            summary="49 convolutions for 224x224 photos of 1000 classes.",
            parameters=25_557_032,
            asset="resnet-50",
        ),
        FIFTY,
    ),
    describe_large_size(
        Variant(
            name="152",
            summary="151 convolutions for 224x224 photos of 1000 classes.",
            parameters=60_192_808,
            asset="resnet-152",
            student="50",
        ),
        HUNDRED_FIFTY_TWO,
    ),
    describe_large_size(
        Variant(
            name="wide50",
            summary="As 50, the 3x3 convolutions twice as wide.",
            parameters=68_883_240,
            asset="resnet-wide50",
            student="50",
        ),
        WIDE_FIFTY,
    ),
    describe_large_size(
        Variant(
            name="wide101",
            summary="100 convolutions for 224x224 photos of 1000 classes, the 3x3 ones twice as "
            "wide.",
            parameters=126_886_696,
            asset="resnet-wide101",
            student="wide50",
        ),
        WIDE_HUNDRED,
    ),
]
MODEL = make_classifier(
    "resnet",
    "Residual network: convolutions with a way around them.",
    SIZES,
    Budget(epochs=4, batch=32, learning_rate=3e-3, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the residual networks."""
    yield MODEL
