"""Classifiers of inverted residuals: networks, sizes and exits, a line for each size."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import ExitPoint, Variant
from edgebench_kit.vision import classifiers
from edgebench_kit.vision.classifiers import make_class_head
from edgebench_kit.vision.inputs import Resample
from edgebench_kit.vision.inverted_residual import Block, Shape, list_places, make_features
from edgebench_kit.vision.models import Size
from edgebench_kit.vision.untrained import make_settled

if TYPE_CHECKING:
    from torch import nn


def describe_small_size(variant: Variant, shape: Shape) -> Size:
    """Describe a size that is trained here on the digits.

    Weights, dataset, exits and what pruning leaves alone are added to *variant*.
    """
    return classifiers.describe_small_size(
        attrs.evolve(variant, keep=[_name_last(shape)]),
        partial(make_settled, make_network, 32, shape),
        exits=partial(find_exits, shape),
    )


def describe_large_size(
    variant: Variant,
    shape: Shape,
    *,
    shorter: int = 232,
    size: int = 224,
    resample: Resample = "bilinear",
) -> Size:
    """Describe a size of torchvision's for the 1000 classes of ImageNet.

    What is added to *variant* is what `describe_small_size` adds; how a photo is made an input is
    said as to `classifiers.describe_large_size`.
    """
    return classifiers.describe_large_size(
        attrs.evolve(variant, keep=[_name_last(shape)]),
        partial(make_settled, make_network, size, shape),
        exits=partial(find_exits, shape),
        shorter=shorter,
        size=size,
        resample=resample,
    )


def make_network(shape: Shape, classes: int) -> nn.Module:
    """Chain the features, a mean over the picture and the module `classifier`.

    From (batch, 3, height, width) to (batch, classes); drawn as torch does, ready to be trained.
    """
    from collections import OrderedDict

    from torch import nn

    hidden: list[Any] = []
    if shape.hidden:
        hidden = [nn.Linear(shape.last, shape.hidden), getattr(nn, shape.activation)()]
    width = shape.hidden or shape.last
    return nn.Sequential(
        OrderedDict(
            features=make_features(shape),
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(*hidden, nn.Dropout(shape.dropout), nn.Linear(width, classes)),
        )
    )


def find_exits(shape: Shape, classes: int) -> tuple[ExitPoint, ...]:
    """Say where a classifier of so many classes may be left early.

    That is after each stage but the last, and after the first block of the last stage that has
    several: the rest of it keeps the shape, so that an exit for every sample may leave it out. What
    follows that stage then reads the first block, the model's own head last.
    """
    stages = list(list_places(shape))
    count = len(stages)
    deep = max((n for n, stage in enumerate(stages) if len(stage) > 1), default=-1)
    points: list[ExitPoint] = []
    for number, stage in enumerate(stages):
        if number == deep:
            said = f"after the first of {len(stage)} blocks of stage {number + 1} of {count}"
            points.append(_make_exit(stage[0], said, classes, [name for name, _ in stage[1:]]))
        if number < count - 1:
            points.append(_make_exit(stage[-1], f"after {number + 1} of {count} stages", classes))
    return tuple(points)


def _make_exit(
    place: tuple[str, Block], summary: str, classes: int, skips: list[str] | None = None
) -> ExitPoint:
    """Make an exit after a block; its head has no convolutions where the model's own fits."""
    path, block = place
    convolutions = 0 if skips else 2
    head = partial(make_class_head, block.outputs, classes, convolutions=convolutions)
    return ExitPoint(path=path, summary=summary, head=head, skips=skips or [])


def _name_last(shape: Shape) -> str:
    """Name the linear layer that gives the classes."""
    return "classifier.3" if shape.hidden else "classifier.1"
