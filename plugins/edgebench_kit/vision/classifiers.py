"""Models that say what a whole picture shows: their sizes, their records, heads for exits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Budget, ExitPoint, Model, Variant
from edgebench_kit.torch.classification import compute_class_scores, cross_entropy
from edgebench_kit.vision.inputs import Resample, crop_centre, crop_photo
from edgebench_kit.vision.layers import make_convolution
from edgebench_kit.vision.models import Size, make_model

if TYPE_CHECKING:
    from torch import nn


def describe_small_size(
    variant: Variant,
    network: Callable[[int], nn.Module],
    exits: Callable[[int], Iterable[ExitPoint]],
) -> Size:
    """Describe a size that is trained here on the digits.

    Weights, dataset and exits are added to *variant*; *network* and *exits* make the network and
    its exit points for so many classes.
    """
    return Size(
        variant=attrs.evolve(
            variant,
            weights=("trained", "random", "file"),
            dataset="digit-photos",
            exits=exits(10),
        ),
        network=network,
        classes=10,
        picture=(32, 32),
        preprocess=partial(crop_centre, part=0.8, size=32, mean=0.25, spread=0.25),
    )


def describe_large_size(
    variant: Variant,
    network: Callable[[int], nn.Module],
    exits: Callable[[int], Iterable[ExitPoint]],
    *,
    shorter: int = 232,
    size: int = 224,
    resample: Resample = "bilinear",
) -> Size:
    """Describe a size of torchvision's for the 1000 classes of ImageNet.

    What is added to *variant* is what `describe_small_size` adds. A photo's shorter side is scaled
    to *shorter* pixels before a square of *size* pixels is cut out.
    """
    return Size(
        variant=attrs.evolve(
            variant,
            weights=("random", "file", "hub"),
            dataset="imagenet",
            stand_in="digit-photos",
            exits=exits(1000),
        ),
        network=network,
        classes=1000,
        picture=(size, size),
        preprocess=partial(crop_photo, shorter=shorter, size=size, resample=resample),
    )


def make_classifier(name: str, summary: str, sizes: Sequence[Size], budget: Budget) -> Model:
    """Make the record of a model that says what a picture shows, in all its sizes."""
    return make_model(
        name,
        summary,
        sizes,
        budget=budget,
        dataset="digit-photos",
        postprocess=compute_class_scores,
        loss=cross_entropy,
    )


def make_class_head(channels: int, classes: int, convolutions: int = 2) -> nn.Module:
    """Make the head of an exit: strided convolutions, a mean over the picture, a linear layer.

    From (batch, channels, height, width) to (batch, classes). Early features say little of the
    whole picture: MSDNet (Huang et al., 2018) has two convolutions of stride 2 at every exit. They
    are narrow here, so that an exit costs little of what it saves, yet not so narrow that the
    classes could not be told apart.
    """
    from torch import nn

    layers: list[Any] = []
    for _ in range(convolutions):
        width = min(channels, max(64, classes // 4))
        layers += make_convolution(channels, width, stride=2)
        channels = width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)
    )
