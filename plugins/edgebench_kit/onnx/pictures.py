"""Inputs that stand for pictures: tensors of them weigh several times what a camera's files do."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgebench import TensorSpec

COLOURS = (1, 3)
"""The channels of a picture, grey or coloured."""
SMALLEST = 16
"""The height and width, in pixels, of the smallest input that is taken for a picture."""


def doubt_pictures(specs: Iterable[TensorSpec]) -> str:
    """Say of what is shaped like pictures what it weighs as tensors; empty if nothing is."""
    told = [
        f"{spec.name!r}, {spec.dtype} of {' x '.join(map(str, spec.shape[1:]))}"
        for spec in specs
        if is_picture(spec)
    ]
    import numpy as np

    if not told:
        return ""
    size = sum(
        prod(map(int, spec.shape[1:])) * np.dtype(spec.dtype).itemsize
        for spec in specs
        if is_picture(spec)
    )
    return (
        f"a request travels as raw tensors ({'; '.join(told)}: {size / 1e3:.4g} kB); if they stand "
        "for pictures, a JPEG of each would weigh a fraction of that, and its time on the links "
        "with it: preprocess=imagenet, DIR or FILE.json with --data sends pictures as they are"
    )


def is_picture(spec: TensorSpec) -> bool:
    """Say whether a tensor is shaped like pictures: (N, C, H, W) or (N, H, W, C), not too small."""
    if len(spec.shape) != 4 or not (spec.dtype.startswith("float") or spec.dtype == "uint8"):
        return False
    _, first, middle, last = spec.shape
    channels_first = first in COLOURS and min(int(middle), int(last)) >= SMALLEST
    return channels_first or (last in COLOURS and min(int(first), int(middle)) >= SMALLEST)
