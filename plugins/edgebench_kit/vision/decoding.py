"""Picture files, decoded with nothing but the readers of their formats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgebench import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS = ("JPEG", "PNG")
"""All that Pillow may take a file for; some of its other readers run programs."""
ORIENTATION, LYING = 0x0112, (5, 6, 7, 8)
"""The tag of how a camera was held, and its values for a quarter turn, which swap the sides."""


def decode_picture(payload: bytes, variant: str) -> NDArray[Any]:
    """Decode a picture file to uint8 of shape (height, width, 3).

    Raises:
        DataError: The payload is no picture, or is truncated.
    """
    import io

    import numpy as np
    from PIL import Image

    try:
        # Readers of other formats run programs.
        return np.asarray(Image.open(io.BytesIO(payload), formats=FORMATS).convert("RGB"))
    except Exception as error:
        # Pillow's readers report a broken file as whatever they stumbled over.
        raise DataError(f"a payload of {len(payload)} bytes is no picture: {error}") from error


def decode_upright(payload: bytes) -> NDArray[Any]:
    """Decode a picture file to uint8 of shape (height, width, 3), turned as its camera was held.

    Cameras note that in the file; a dataset that ships is decoded as it lies, as its models were
    trained.

    Raises:
        DataError: The payload is no picture, or is truncated.
    """
    import io

    import numpy as np
    from PIL import Image, ImageOps

    with (
        explain_damage(f"a payload of {len(payload)} bytes"),
        Image.open(io.BytesIO(payload), formats=FORMATS) as image,
    ):
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def read_upright_shape(payload: bytes) -> tuple[int, int]:
    """Decode a picture file and return the height and width that `decode_upright` gives it.

    Raises:
        DataError: It does not decode, or becomes white: 16 bits of grey are cut off at 255.
    """
    import io

    from PIL import Image

    height, width = read_shape(payload)
    with explain_damage("the file"), Image.open(io.BytesIO(payload), formats=FORMATS) as image:
        if image.mode.startswith("I"):
            raise DataError("its grey values have 16 bits, and pictures have 8; convert it")
        lying = image.getexif().get(ORIENTATION) in LYING
    return (width, height) if lying else (height, width)


def read_shape(payload: bytes) -> tuple[int, int]:
    """Decode a picture file and return its height and width, as it lies.

    A JPEG is decoded to an eighth of its size: all of the file is read, little memory is needed.

    Raises:
        DataError: It does not decode.
    """
    import io

    from PIL import Image

    with explain_damage("the file"), Image.open(io.BytesIO(payload), formats=FORMATS) as image:
        width, height = image.size
        image.draft(None, (max(1, width // 8), max(1, height // 8)))
        image.load()
    return height, width


@contextmanager
def explain_damage(name: str) -> Iterator[None]:
    """Turn whatever a file that is broken makes Pillow raise into one line."""
    import struct
    import zlib

    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except UnidentifiedImageError:
        raise DataError(f"{name} is no {' or '.join(FORMATS)} file") from None
    # Pillow's readers report a broken file as whatever they stumbled over.
    except (
        *(OSError, SyntaxError, ValueError, IndexError, OverflowError, EOFError),
        *(struct.error, zlib.error, Image.DecompressionBombError),
    ) as error:
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise DataError(f"{name} cannot be read: {why or type(error).__name__}") from error
