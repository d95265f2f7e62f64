"""From a picture to the tensor that a network reads, with numpy and Pillow and no framework."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from edgebench import Tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

Resample = Literal["bicubic", "bilinear"]
"""How the pixels of a scaled photo are found."""
MEANS = (0.485, 0.456, 0.406)
"""The means of red, green and blue over ImageNet, of 0 to 1, as torchvision has them."""
SPREADS = (0.229, 0.224, 0.225)
"""And the standard deviations."""


def crop_centre(
    picture: NDArray[Any], *, part: float, size: int, mean: float, spread: float
) -> Tensors:
    """Cut the middle square out of a picture, resize it, and normalise it to a batch of one.

    The square's side is *part* of the picture's shorter side; the tensor `input` is float32 of
    shape (1, 3, size, size), its values (v / 255 - mean) / spread.
    """
    from PIL import Image

    height, width = picture.shape[:2]
    side = round(part * min(height, width))
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(picture[top : top + side, left : left + side])
    # A box filter averages all pixels that fall into one, which is what takes noise away.
    small = square.resize((size, size), Image.Resampling.BOX)
    return {"input": normalise_pixels(small, mean, spread)}


def crop_photo(
    picture: NDArray[Any], *, shorter: int, size: int, resample: Resample = "bilinear"
) -> Tensors:
    """Scale a photo, cut the middle square out of it, and normalise it to a batch of one.

    As torchvision's preset for ImageNet: resampled with antialiasing, the shorter side to *shorter*
    pixels. The tensor `input` is float32 of shape (1, 3, size, size).
    """
    from PIL import Image

    height, width = picture.shape[:2]
    short = min(height, width)
    height, width = shorter * height // short, shorter * width // short
    kernel = Image.Resampling[resample.upper()]
    scaled = Image.fromarray(picture).resize((width, height), kernel)
    top, left = round((height - size) / 2), round((width - size) / 2)
    return {"input": normalise_pixels(scaled.crop((left, top, left + size, top + size)))}


def normalise_pixels(
    pixels: Any, mean: float | Sequence[float] = MEANS, spread: float | Sequence[float] = SPREADS
) -> NDArray[Any]:
    """Turn pixels of 0 to 255, (height, width, 3), into (v / 255 - mean) / spread, float32.

    The shape is (1, 3, height, width), contiguous; *mean* and *spread* may differ by channel.
    """
    import numpy as np

    below = np.float32(255) * np.asarray(mean, np.float32)
    scale = 1 / (np.float32(255) * np.asarray(spread, np.float32))
    scaled = (np.asarray(pixels, np.float32) - below) * scale
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])
