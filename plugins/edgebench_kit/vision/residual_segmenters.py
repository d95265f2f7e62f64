"""Residual networks that segment pictures: where they may be left early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench import ExitPoint
from edgebench_kit.vision.residual import Shape
from edgebench_kit.vision.residual_exits import Place, find_exits
from edgebench_kit.vision.segmenters import CELL, make_pixel_head

if TYPE_CHECKING:
    from torch import nn


def find_segmenter_exits(shape: Shape, classes: int) -> tuple[ExitPoint, ...]:
    """Say where a segmenter whose trunk is named `backbone` may be left early."""

    def head(place: Place) -> nn.Module:
        return make_pixel_head(place.channels, classes, CELL // place.side, 1 if place.skips else 2)

    return find_exits(shape, head, prefix="backbone.")
