"""Where the networks that take pictures may be left early, and the heads that answer there.

No plugin itself. An exit for every sample leaves out what comes after it (`skips`), one for some of
them gets a head of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import ExitPoint
from edgebench_kit.vision.residual import Shape
from edgebench_kit.vision.segmenters import CELL

if TYPE_CHECKING:
    from torch import nn

__all__ = ["class_head", "classifier", "pixel_head", "segmenter"]


@attrs.frozen(kw_only=True)
class Place:
    """Where a trunk may be left early, and what is to be had there."""

    path: str
    summary: str
    channels: int
    side: int
    """The pixels to the side of what one of its cells stands for."""
    skips: tuple[str, ...]
    """What comes after it, where that keeps the shape: the model's own head fits here too."""


def classifier(shape: Shape, classes: int) -> tuple[ExitPoint, ...]:
    """Say where a classifier of so many classes may be left early.

    Its heads are those of `class_head`; where the model's own would fit, without convolutions
    as that one.
    """

    def head(place: Place) -> nn.Module:
        return class_head(place.channels, classes, convolutions=0 if place.skips else 2)

    return _points(shape, head)


def segmenter(shape: Shape, classes: int) -> tuple[ExitPoint, ...]:
    """Say where a segmenter whose trunk is named `backbone` may be left early."""

    def head(place: Place) -> nn.Module:
        return pixel_head(place.channels, classes, CELL // place.side, 1 if place.skips else 2)

    return _points(shape, head, prefix="backbone.")


def class_head(channels: int, classes: int, convolutions: int = 2) -> nn.Module:
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
        layers += _convolved(channels, width, stride=2)
        channels = width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)
    )


def pixel_head(channels: int, classes: int, stride: int, convolutions: int) -> nn.Module:
    """Make the head of an exit: convolutions, one more to scores, and these enlarged bilinearly.

    From (batch, channels, h, w) to (batch, classes, height, width), the input's size. Where that is
    no multiple of 8 the answer is larger by the rest of a cell. The first convolution has the
    *stride* that the trunk would still have gone: at full resolution it would cost more than the
    trunk.
    """
    from torch import nn

    width = min(channels, 128)
    layers = _convolved(channels, width, stride)
    for _ in range(1, convolutions):
        layers += _convolved(width, width)
    enlarged = nn.Upsample(scale_factor=CELL, mode="bilinear")
    return nn.Sequential(*layers, nn.Conv2d(width, classes, 1), enlarged)


def _points(
    shape: Shape, head: Callable[[Place], nn.Module], prefix: str = ""
) -> tuple[ExitPoint, ...]:
    """Give the exit points of a trunk whose modules' names begin with *prefix*."""
    return tuple(
        ExitPoint(
            path=prefix + place.path,
            summary=place.summary,
            head=partial(head, place),
            skips=[prefix + path for path in place.skips],
        )
        for place in _places(shape)
    )


def _places(shape: Shape) -> Iterator[Place]:
    """Yield the end of each layer but the last, and of the last its first block."""
    count, side = len(shape.blocks), shape.stride * (2 if shape.pool else 1)
    for number, channels in enumerate(shape.channels[:-1], 1):
        side *= shape.strides[number - 1]
        rest = range(number, count)
        same = all(shape.strides[n] == 1 and shape.channels[n] == channels for n in rest)
        yield Place(
            path=f"layer{number}",
            summary=f"after {number} of {count} layers",
            channels=channels,
            side=side,
            skips=tuple(f"layer{n + 1}" for n in rest) if same else (),
        )
    if shape.blocks[-1] > 1:
        yield Place(
            path=f"layer{count}.0",
            summary="after the first block of the last layer, which is as wide as its end",
            channels=shape.channels[-1],
            side=side * shape.strides[-1],
            skips=tuple(f"layer{count}.{n}" for n in range(1, shape.blocks[-1])),
        )


def _convolved(inputs: int, outputs: int, stride: int = 1) -> list[Any]:
    """Make a convolution of 3x3, normalised and rectified, its layers in order."""
    from torch import nn

    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
