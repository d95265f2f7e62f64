"""Where a residual trunk may be left early.

An exit for every sample leaves out what comes after it (`skips`), one for some of them gets a head
of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import attrs

from edgebench import ExitPoint
from edgebench_kit.vision.residual import Shape

if TYPE_CHECKING:
    from torch import nn


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


def find_exits(
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
        for place in _find_places(shape)
    )


def _find_places(shape: Shape) -> Iterator[Place]:
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
