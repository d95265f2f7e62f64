"""Real handwritten digits, each drawn large in the middle of a noisy picture.

The digits are the 1797 of scikit-learn (UCI, Alpaydin and Kaynak, 1998), 8x8 pixels of 0 to 16.
The noise makes a payload weigh what a photo weighs, several times a tensor inside a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from edgebench import Dataset, Metric, Sample, hookimpl
from edgebench.metrics.classification import top
from edgebench_kit.vision import digit_pictures
from edgebench_kit.vision.digit_pictures import HEIGHT, INKS, WIDTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENLARGED = 24
"""The pixels to the side of one of the digit's."""
NOISE = 64
"""The noise is uniform below this; six bits a byte are what makes a picture weigh 170 kB."""


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
    digits, answers = digit_pictures.read_digits("digit-photos")
    for index in digit_pictures.select_digits(split, digits):
        picture = _picture(digits[index], index, seed)
        yield digit_pictures.encode_png(picture), int(answers[index])


def metrics() -> Sequence[Metric]:
    """Give the share of digits whose class scored best, or among the best five."""
    return top(1), top(5)


def _picture(digit: NDArray[Any], index: int, seed: int) -> NDArray[Any]:
    """Draw one digit in a colour of its own on noise: uint8 of shape (240, 320, 3)."""
    import numpy as np

    stream = np.random.PCG64([seed, index])
    picture = digit_pictures.draw_noise(stream, NOISE)
    ink = 64 + stream.random_raw(3) % 128
    shade = (digit[:, :, None] * ink // INKS).astype(np.uint8)
    large = shade.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
    side = len(large)
    top, left = (HEIGHT - side) // 2, (WIDTH - side) // 2
    picture[top : top + side, left : left + side] += large
    return picture
