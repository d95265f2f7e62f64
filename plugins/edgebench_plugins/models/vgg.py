"""VGG (Simonyan and Zisserman, 2015), with torchvision's parameter names so that its files fit."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Budget, ExitPoint, Model, Variant, hookimpl
from edgebench_kit.torch.modules import allocate_module
from edgebench_kit.vision.classifiers import (
    describe_large_size,
    describe_small_size,
    make_class_head,
    make_classifier,
)

if TYPE_CHECKING:
    from torch import nn


@attrs.frozen(kw_only=True)
class Shape:
    """What tells one size from another."""

    widths: tuple[tuple[int, ...], ...]
    """The convolutions' output channels; after each group the picture is halved."""
    pooled: int
    """The side of what the classifier is given."""
    hidden: int
    """The width of the classifier's two hidden layers, where most parameters are."""
    dropout: float


SMALL = Shape(widths=((64, 64), (96, 96), (192, 192)), pooled=4, hidden=256, dropout=0.2)
TINY = Shape(widths=((32, 32), (64, 64), (128, 128)), pooled=4, hidden=192, dropout=0.2)
SIXTEEN = Shape(
    widths=((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3),
    pooled=7,
    hidden=4096,
    dropout=0.5,
)


def network(shape: Shape, classes: int) -> nn.Module:
    """Put the layers together under torchvision's names, each drawn for rectifiers."""
    from collections import OrderedDict

    from torch import nn

    hidden, flat = shape.hidden, shape.widths[-1][-1] * shape.pooled**2
    classifier = nn.Sequential(
        *(nn.Linear(flat, hidden), nn.ReLU(), nn.Dropout(shape.dropout)),
        *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(shape.dropout)),
        nn.Linear(hidden, classes),
    )
    module = nn.Sequential(
        OrderedDict(
            features=_features(shape.widths),
            avgpool=nn.AdaptiveAvgPool2d(shape.pooled),
            flatten=nn.Flatten(),
            classifier=classifier,
        )
    )
    _draw(module)
    return module


def untrained(shape: Shape, classes: int) -> nn.Module:
    """Make the same network, its weights drawn only once."""
    module = allocate_module(lambda: network(shape, classes))
    _draw(module)
    return module


def exits(shape: Shape, classes: int) -> tuple[ExitPoint, ...]:
    """Say where it may be left early: after the pooling of a group, or in the last one's middle.

    Where the rest of the last group keeps the shape, an exit may leave it out, its pooling aside.
    """
    count, end = len(shape.widths), sum(2 * len(group) + 1 for group in shape.widths) - 1
    places, at = [], -1
    for number, group in enumerate(shape.widths[:-1], 1):
        at += 2 * len(group) + 1
        places.append((at, group[-1], f"after {number} of {count} groups of convolutions"))
    summary = "after the first convolution of the last group, which is as wide as its end"
    places.append((at + 2, shape.widths[-1][0], summary))
    return tuple(
        ExitPoint(
            path=f"features.{at}",
            summary=summary,
            head=partial(make_class_head, width, classes),
            skips=[f"features.{n}" for n in range(at + 1, end) if width == shape.widths[-1][-1]],
        )
        for at, width, summary in places
    )


def _draw(module: nn.Module) -> None:
    """Draw all weights for rectifiers, by fan-in (He et al., 2015), biases zero.

    Without batch normalisation only this keeps the signal alive through nine layers or sixteen.
    """
    from torch import nn

    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            nn.init.zeros_(part.bias)


def _features(widths: Iterable[Iterable[int]]) -> nn.Module:
    """Chain convolutions of 3x3, with a pooling after each group."""
    from torch import nn

    layers: list[Any] = []
    inputs = 3
    for group in widths:
        for outputs in group:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


MODEL = make_classifier(
    "vgg",
    "Plain convolutions, then a classifier that holds most of the parameters.",
    [
        describe_small_size(
            Variant(
                name="small",
                summary="6 convolutions and 3 linear layers for 32x32 pictures of 10 classes.",
                parameters=1_530_250,
                student="tiny",
                keep=["classifier.6"],
            ),
            partial(network, SMALL),
            exits=partial(exits, SMALL),
        ),
        describe_small_size(
            Variant(
                name="tiny",
                summary="As small, about half as wide.",
                parameters=719_402,
                keep=["classifier.6"],
            ),
            partial(network, TINY),
            exits=partial(exits, TINY),
        ),
        describe_large_size(
            Variant(
                name="16",
                summary="13 convolutions and 3 linear layers for 224x224 photos of 1000 classes.",
                parameters=138_357_544,
                asset="vgg-16",
                keep=["classifier.6"],
            ),
            partial(untrained, SIXTEEN),
            shorter=256,
            exits=partial(exits, SIXTEEN),
        ),
    ],
    Budget(epochs=6, batch=32, learning_rate=1e-3, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the plain convolutional networks."""
    yield MODEL
