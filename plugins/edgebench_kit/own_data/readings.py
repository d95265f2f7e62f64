"""How one item becomes a sample: its payload as it lies, and its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgebench import DataError, Sample
from edgebench_kit.own_data.items import Item
from edgebench_kit.vision.decoding import read_upright_shape
from edgebench_kit.vision.picture_directories import read_mask

IGNORED = 255
"""The value of pixels of masks that do not count."""


def read_item(kind: str, item: Item, numbers: Mapping[str, int], classes: int) -> Sample:
    """Return the payload and the answer of an item.

    The answer is a class number; of masks uint8 of shape (height, width); of tokens int64 of shape
    (words,).

    Raises:
        DataError: It does not decode, or its mask is none of the picture's.
    """
    payload = item.read()
    if kind in ("pictures", "masks"):
        shape = read_upright_shape(payload)
    if kind == "masks":
        return payload, _read_mask(item, shape, classes)
    if kind == "tokens":
        import numpy as np

        return payload, np.array([numbers[label] for label in item.label], dtype=np.int64)
    return payload, numbers[item.label]


def _read_mask(item: Item, shape: tuple[int, int], classes: int) -> Any:
    mask = read_mask(item.label, min(classes, IGNORED))
    if mask.shape != shape:
        own, other = ("x".join(map(str, reversed(size))) for size in (mask.shape, shape))
        raise DataError(f"its mask has {own} pixels and the picture {other}")
    return mask


def draw_evenly(items: Sequence[Item], most: int) -> Sequence[Item]:
    """Draw at most so many items, in equal steps from the first on."""
    if len(items) <= most:
        return items
    return [items[place * len(items) // most] for place in range(most)]
