"""Layers that several networks of pictures are made of."""

from __future__ import annotations

from typing import Any


def make_convolution(inputs: int, outputs: int, stride: int = 1) -> list[Any]:
    """Make a convolution of 3x3, normalised and rectified, its layers in order."""
    from torch import nn

    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
