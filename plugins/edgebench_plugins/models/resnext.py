"""ResNeXt (Xie et al., 2017): a residual network whose 3x3 convolutions are split into groups.

Torchvision's weight files fit: the parameters have its names.
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

FIFTY = Shape(blocks=(3, 4, 6, 3), groups=32, width_per_group=4)
HUNDRED = Shape(blocks=(3, 4, 23, 3), groups=64, width_per_group=4)

SIZES = [
    describe_small_size(
        Variant(
            name="small",
            summary="25 convolutions, 8 of them of 8 groups, for 32x32 pictures of 10 classes.",
            parameters=871_802,
            student="tiny",
        ),
        describe_small_shape(2, (32, 64, 96, 128), stem=48, groups=8, width_per_group=8),
    ),
    describe_small_size(
        Variant(
            name="tiny",
            summary="13 convolutions, 4 of them of 8 groups, for 32x32 pictures of 10 classes.",
            parameters=268_562,
        ),
        describe_small_shape(1, (24, 32, 64, 96), stem=32, groups=8, width_per_group=8),
    ),
    describe_large_size(
        Variant(
            name="50",
            summary="50_32x4d: 49 convolutions, 16 of them of 32 groups, for 224x224 photos.",
            parameters=25_028_904,
            asset="resnext-50",
        ),
        FIFTY,
    ),
    describe_large_size(
        Variant(
            name="101",
            summary="101_64x4d: 100 convolutions, 33 of them of 64 groups, for 224x224 photos.",
            parameters=83_455_272,
            asset="resnext-101",
            student="50",
        ),
        HUNDRED,
    ),
]
MODEL = make_classifier(
    "resnext",
    "Residual network whose 3x3 convolutions are split into groups.",
    SIZES,
    Budget(epochs=5, batch=16, learning_rate=3e-3, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the residual networks of grouped convolutions."""
    yield MODEL
