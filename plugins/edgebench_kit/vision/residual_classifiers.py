"""Residual networks that classify pictures: shapes, sizes and exits, a line for each size."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import attrs

from edgebench import ExitPoint, Variant
from edgebench_kit.vision import classifiers
from edgebench_kit.vision.classifiers import make_class_head
from edgebench_kit.vision.models import Size
from edgebench_kit.vision.residual import Shape, draw_convolutions, make_trunk, make_untrained
from edgebench_kit.vision.residual_exits import Place, find_exits

if TYPE_CHECKING:
    from torch import nn


def describe_small_shape(
    blocks: int,
    planes: tuple[int, ...],
    stem: int,
    *,
    block: Literal["basic", "bottleneck"] = "bottleneck",
    groups: int = 1,
    width_per_group: int = 64,
) -> Shape:
    """Describe a trunk for pictures of 32x32: four layers of so many blocks, halved only once."""
    return Shape(
        blocks=(blocks,) * 4,
        planes=planes,
        strides=(1, 1, 2, 1),
        kernel=3,
        stem=(stem,),
        pool=False,
        block=block,
        groups=groups,
        width_per_group=width_per_group,
    )


def describe_small_size(variant: Variant, shape: Shape) -> Size:
    """Describe a size that is trained here on the digits.

    Weights, dataset, exits and what pruning leaves alone are added to *variant*.
    """
    return classifiers.describe_small_size(
        attrs.evolve(variant, keep=["fc"]),
        partial(make_network, shape),
        exits=partial(find_classifier_exits, shape),
    )


def describe_large_size(variant: Variant, shape: Shape) -> Size:
    """Describe a size of torchvision's for the 1000 classes of ImageNet.

    What is added to *variant* is what `describe_small_size` adds.
    """
    return classifiers.describe_large_size(
        attrs.evolve(variant, keep=["fc"]),
        partial(make_untrained, make_network, shape),
        exits=partial(find_classifier_exits, shape),
    )


def make_network(shape: Shape, classes: int) -> nn.Module:
    """Chain the trunk, a mean over the picture and the linear layer `fc`: a classifier.

    From (batch, 3, height, width) to (batch, classes). It is ready to be trained: its convolutions
    are drawn by `draw_convolutions`, the rest as torch does.
    """
    from torch import nn

    parts = make_trunk(shape)
    parts["avgpool"] = nn.AdaptiveAvgPool2d(1)
    parts["flatten"] = nn.Flatten()
    parts["fc"] = nn.Linear(shape.channels[-1], classes)
    chained = nn.Sequential(parts)
    draw_convolutions(chained)
    return chained


def find_classifier_exits(shape: Shape, classes: int) -> tuple[ExitPoint, ...]:
    """Say where a classifier of so many classes may be left early.

    Its heads are those of `make_class_head`; where the model's own would fit, without convolutions
    as that one.
    """

    def head(place: Place) -> nn.Module:
        return make_class_head(place.channels, classes, convolutions=0 if place.skips else 2)

    return find_exits(shape, head)
