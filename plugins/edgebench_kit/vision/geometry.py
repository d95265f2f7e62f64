"""Pictures resized, cropped and padded: arrays of uint8 with the channels last."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from edgebench import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

INTERPOLATIONS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Ways to find the pixels of a resized picture, in the order of Pillow's numbers for them."""


def choose_size(picture: NDArray[Any], size: int | tuple[int, int]) -> tuple[int, int]:
    """Return the height and width to resize a picture to; one number is its shorter side."""
    if isinstance(size, tuple):
        return size
    height, width = picture.shape[:2]
    short = min(height, width)
    return size * height // short, size * width // short


def fit_within(picture: NDArray[Any], size: tuple[int, int]) -> tuple[int, int]:
    """Return the largest height and width in a picture's proportions that *size* has room for."""
    height, width = picture.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def resize(picture: NDArray[Any], size: tuple[int, int], interpolation: str) -> NDArray[Any]:
    """Resize a picture to a height and width, resampled with antialiasing.

    Raises:
        DataError: A side would become too small or too large to be one.
    """
    import numpy as np
    from PIL import Image

    if min(size) < 1 or size[0] * size[1] > Image.MAX_IMAGE_PIXELS:
        height, width = picture.shape[:2]
        raise DataError(
            f"a picture of {height}x{width} pixels cannot be resized to {size[0]}x{size[1]}"
        )
    depth = picture.shape[2]
    image = Image.fromarray(picture[..., 0] if depth == 1 else picture)
    kernel = Image.Resampling(INTERPOLATIONS.index(interpolation))
    return np.asarray(image.resize(size[::-1], kernel)).reshape(*size, depth)


def crop(
    picture: NDArray[Any], size: tuple[int, int], value: int, *, nearest: bool
) -> NDArray[Any]:
    """Return the middle of a picture, with one value around it where the picture is smaller.

    Where half a pixel is left over, the middle lies by it nearer to the top left; with *nearest*
    it lies at the nearest even pixel.
    """
    import numpy as np

    # It goes around first: more of it at the top left if there is one pixel more of it.
    margins = [
        (ceil(lack / 2), lack - ceil(lack / 2))
        for lack in (max(0, side - there) for side, there in zip(size, picture.shape, strict=False))
    ]
    if any(map(any, margins)):
        picture = np.pad(picture, (*margins, (0, 0)), constant_values=value)
    spare = [there - side for side, there in zip(size, picture.shape, strict=False)]
    top, left = (round(one / 2) if nearest else one // 2 for one in spare)
    return picture[top : top + size[0], left : left + size[1]]


def pad(picture: NDArray[Any], size: tuple[int, int], value: int, *, middle: bool) -> NDArray[Any]:
    """Put one value around a picture; it lies in the *middle* then, or at the top left.

    Raises:
        DataError: It is larger than that already.
    """
    import numpy as np

    height, width = picture.shape[:2]
    below, beside = size[0] - height, size[1] - width
    if below < 0 or beside < 0:
        raise DataError(
            f"a picture of {height}x{width} pixels is larger than the {size[0]}x{size[1]} that it "
            "is to be padded to; let `within` or `crop` make it smaller first"
        )
    top, left = (below // 2, beside // 2) if middle else (0, 0)
    margins = ((top, below - top), (left, beside - left), (0, 0))
    return np.pad(picture, margins, constant_values=value)


def turn_grey(picture: NDArray[Any]) -> NDArray[Any]:
    """Return the brightness of a picture, (height, width, 1), as ITU-R 601-2 weighs colours."""
    import numpy as np
    from PIL import Image

    return np.asarray(Image.fromarray(picture).convert("L"))[..., None]
