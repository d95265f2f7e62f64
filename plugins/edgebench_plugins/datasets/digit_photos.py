"""Real handwritten digits, each drawn large in the middle of a noisy picture.

The digits are the 1797 of scikit-learn (UCI, Alpaydin and Kaynak, 1998), 8x8 pixels of 0 to 16.
The noise makes a request weigh what a photo weighs, several times a tensor inside a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import DataError, Dataset, Metric, Sample, hookimpl

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH, HEIGHT, ENLARGED = 320, 240, 24
"""The picture in pixels, and the pixels to the side of one of the digit's."""
NOISE = 64
"""The noise is uniform below this; six bits a byte are what makes a picture weigh 170 kB."""
SPLITS = {"training": 900, "calibration": 128, "validation": 200, "test": 569}


@hookimpl
def edgebench_datasets() -> Iterable[Dataset]:
    """Offer the digits."""
    yield Dataset(
        name="digit-photos",
        summary="Real handwritten digits in noisy 320x240 pictures, as PNG.",
        samples=samples,
        metrics=metrics,
    )


def samples(split: str, seed: int) -> Iterator[Sample]:
    """Draw the pictures of *split* one at a time; the seed changes the noise, not the digits."""
    digits, answers = _digits()
    for index in _members(split, digits):
        picture = _picture(digits[index], index, seed)
        yield _png(picture), int(answers[index])


def metrics() -> Sequence[Metric]:
    """Give the share of digits whose class scored best, or among the best five."""
    return tuple(
        Metric(name=f"top{best}", count=_among(best), value=lambda sums: float(sums[0] / sums[1]))
        for best in (1, 5)
    )


def _among(best: int) -> Any:
    def count(scores: Any, answer: Any) -> tuple[float, float]:
        import numpy as np

        above = np.asarray(scores) > np.asarray(scores)[int(answer)]
        return float(np.count_nonzero(above) < best), 1.0

    return count


def _digits() -> tuple[NDArray[Any], NDArray[Any]]:
    """Read the digits, uint8 of shape (1797, 8, 8), and what they show, of shape (1797,)."""
    import importlib.util

    import numpy as np

    # Importing sklearn.datasets takes a second; the file that it reads can be had without.
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise DataError("digit-photos needs scikit-learn, which brings the digits; it is not here")
    path = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():
        raise DataError(f"digit-photos looks for scikit-learn's digits in {path}; it is not there")
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    return table[:, :64].reshape(-1, 8, 8), table[:, 64]


def _members(split: str, digits: NDArray[Any]) -> list[int]:
    """Return which digits belong to *split*, in its order.

    Digits are ordered by their digest, which no version of a random generator can change.
    """
    import hashlib

    if split not in SPLITS:
        return []
    order = sorted(range(len(digits)), key=lambda n: hashlib.sha256(digits[n].tobytes()).digest())
    names = list(SPLITS)
    start = sum(SPLITS[name] for name in names[: names.index(split)])
    return order[start : start + SPLITS[split]]


def _picture(digit: NDArray[Any], index: int, seed: int) -> NDArray[Any]:
    """Draw one digit in a colour of its own on noise: uint8 of shape (240, 320, 3)."""
    import numpy as np

    # The raw stream of a bit generator is fixed for good; that of numpy's distributions is not.
    stream = np.random.PCG64([seed, index])
    size = HEIGHT * WIDTH * 3
    noise = stream.random_raw(size // 8).astype("<u8").view(np.uint8) % NOISE
    picture = noise.reshape(HEIGHT, WIDTH, 3)
    ink = 64 + stream.random_raw(3) % 128
    shade = (digit[:, :, None] * ink // 16).astype(np.uint8)
    large = shade.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
    side = len(large)
    top, left = (HEIGHT - side) // 2, (WIDTH - side) // 2
    picture[top : top + side, left : left + side] += large
    return picture


def _png(picture: NDArray[Any]) -> bytes:
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
