"""ResNeXt (Xie et al., 2017): a residual network whose 3x3 convolutions are split into groups.

Torchvision's weight files fit: the parameters have its names.
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
    planes=(32, 64, 96, 128),
    strides=(1, 1, 2, 1),
    groups=8,
    width_per_group=8,
    kernel=3,
    stem=(48,),
    pool=False,
)
TINY = residual.Shape(
    blocks=(1, 1, 1, 1),
    planes=(24, 32, 64, 96),
    strides=(1, 1, 2, 1),
    groups=8,
    width_per_group=8,
    kernel=3,
    stem=(32,),
    pool=False,
)
FIFTY = residual.Shape(blocks=(3, 4, 6, 3), groups=32, width_per_group=4)
HUNDRED = residual.Shape(blocks=(3, 4, 23, 3), groups=64, width_per_group=4)

MODEL = vision.classifier(
    "resnext",
    "Residual network whose 3x3 convolutions are split into groups.",
    [
        vision.small(
            "small",
            partial(residual.network, SMALL),
            summary="25 convolutions, 8 of them of 8 groups, for 32x32 pictures of 10 classes.",
            parameters=871_802,
            student="tiny",
            exits=partial(exits.classifier, SMALL),
            keep=["fc"],
        ),
        vision.small(
            "tiny",
            partial(residual.network, TINY),
            summary="13 convolutions, 4 of them of 8 groups, for 32x32 pictures of 10 classes.",
            parameters=268_562,
            exits=partial(exits.classifier, TINY),
            keep=["fc"],
        ),
        vision.large(
            "50",
            partial(residual.untrained, FIFTY),
            summary="50_32x4d: 49 convolutions, 16 of them of 32 groups, for 224x224 photos.",
            parameters=25_028_904,
            asset="resnext-50",
            exits=partial(exits.classifier, FIFTY),
            keep=["fc"],
        ),
        vision.large(
            "101",
            partial(residual.untrained, HUNDRED),
            summary="101_64x4d: 100 convolutions, 33 of them of 64 groups, for 224x224 photos.",
            parameters=83_455_272,
            asset="resnext-101",
            student="50",
            exits=partial(exits.classifier, HUNDRED),
            keep=["fc"],
        ),
    ],
    Budget(epochs=5, batch=16, learning_rate=3e-3, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the residual networks of grouped convolutions."""
    yield MODEL
