"""Pictures of real digits that are drawn here: the digits, their splits, noise, and fast PNG.

The digits are the 1797 of scikit-learn (UCI, Alpaydin and Kaynak, 1998), 8x8 pixels of 0 to 16.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH, HEIGHT = 320, 240
"""A picture in pixels."""
DIGITS: Mapping[str, int] = {"training": 900, "calibration": 128, "validation": 200, "test": 569}
"""How many digits each split has; every dataset gives a split the same ones."""
INKS = 16
"""The number that a digit's darkest pixels have."""


def read_digits(dataset: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read the digits, uint8 of shape (1797, 8, 8), and what they show, of shape (1797,).

    Raises:
        DataError: scikit-learn is not installed, or came without them; *dataset* needs them.
    """
    import importlib.util

    import numpy as np

    # Importing sklearn.datasets takes a second; the file that it reads can be had without.
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise DataError(f"{dataset} needs scikit-learn, which brings the digits; it is not here")
    path = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():
        raise DataError(f"{dataset} looks for scikit-learn's digits in {path}; it is not there")
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    return table[:, :64].reshape(-1, 8, 8), table[:, 64]


def select_digits(split: str, digits: NDArray[Any]) -> list[int]:
    """Return which digits belong to *split*, in its order; none for a split that is not there.

    Digits are ordered by their digest, which no version of a random generator can change.
    """
    import hashlib

    if split not in DIGITS:
        return []
    order = sorted(range(len(digits)), key=lambda n: hashlib.sha256(digits[n].tobytes()).digest())
    names = list(DIGITS)
    start = sum(DIGITS[name] for name in names[: names.index(split)])
    return order[start : start + DIGITS[split]]


def draw_noise(stream: Any, below: int) -> NDArray[Any]:
    """Draw uint8 of shape (240, 320, 3), uniform below a power of two, from a bit generator.

    The raw stream of a bit generator is fixed for good; that of numpy's distributions is not.
    """
    import numpy as np

    raw = stream.random_raw(HEIGHT * WIDTH * 3 // 8).astype("<u8").view(np.uint8)
    picture: NDArray[Any] = (raw % below).reshape(HEIGHT, WIDTH, 3)
    return picture


def encode_png(picture: NDArray[Any]) -> bytes:
    """Encode uint8 of shape (height, width, 3) as PNG, its rows unfiltered.

    Noise has no pattern that a filter or a search for repetitions could find; without them it
    takes a third of the time of Pillow's encoder.
    """
    import struct
    import zlib

    import numpy as np

    height, width, _ = picture.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:] = picture.reshape(height, -1)
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    chunks = (
        (b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", packer.compress(rows.tobytes()) + packer.flush()),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
