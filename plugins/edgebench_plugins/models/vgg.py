"""VGG (Simonyan and Zisserman, 2015), with torchvision's parameter names so that its files fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Budget, Model, Pipeline, Tensors, Variant, Weights, hookimpl
from edgebench_plugins import vision

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(kw_only=True)
class Size:
    """What tells one variant from another."""

    picture: int
    """The side in pixels of the square that the network sees."""
    classes: int
    widths: tuple[tuple[int, ...], ...]
    """The convolutions' output channels; after each group the picture is halved."""
    pooled: int
    """The side of what the classifier is given."""
    hidden: int
    """The width of the classifier's two hidden layers, where most parameters are."""
    dropout: float


SIZES = {
    "small": Size(
        picture=32,
        classes=10,
        widths=((64, 64), (96, 96), (192, 192)),
        pooled=4,
        hidden=256,
        dropout=0.2,
    )
}


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the plain convolutional networks."""
    yield Model(
        name="vgg",
        summary="Plain convolutions, then a classifier that holds most of the parameters.",
        build=build,
        variants=[
            Variant(
                name="small",
                summary="6 convolutions and 3 linear layers for 32x32 pictures of 10 classes.",
                parameters=1_530_250,
                weights=["trained", "random"],
            )
        ],
        dataset="digit-photos",
        format="torch-module",
        decode=vision.decode_picture,
        preprocess=preprocess,
        postprocess=vision.class_scores,
        loss=vision.cross_entropy,
        budget=Budget(epochs=6, batch=32, learning_rate=1e-3),
    )


def build(variant: str, weights: Weights) -> Pipeline:
    """Build the network, initialised with the seed of *weights*."""
    size = SIZES[variant]
    return vision.classifier(
        "vgg",
        variant,
        lambda: _network(size),
        picture=size.picture,
        classes=size.classes,
        seed=weights.seed,
    )


def preprocess(picture: NDArray[Any], variant: str) -> Tensors:
    """Take the middle of a photo, where the object is, at the size the network sees."""
    return vision.centre_input(
        picture, part=0.8, size=SIZES[variant].picture, mean=0.25, spread=0.25
    )


def _network(size: Size) -> Any:
    """Put the layers together under torchvision's names."""
    from collections import OrderedDict

    from torch import nn

    hidden, flat = size.hidden, size.widths[-1][-1] * size.pooled**2
    classifier = nn.Sequential(
        *(nn.Linear(flat, hidden), nn.ReLU(), nn.Dropout(size.dropout)),
        *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(size.dropout)),
        nn.Linear(hidden, size.classes),
    )
    network = nn.Sequential(
        OrderedDict(
            features=_features(size.widths),
            avgpool=nn.AdaptiveAvgPool2d(size.pooled),
            flatten=nn.Flatten(),
            classifier=classifier,
        )
    )
    for module in network.modules():
        # Without batch normalisation only this keeps the signal alive through nine layers.
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    return network


def _features(widths: Iterable[Iterable[int]]) -> Any:
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
