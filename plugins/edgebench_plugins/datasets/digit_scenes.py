"""Several real handwritten digits among clutter, and for each pixel whose stroke it is on.

The digits are those of `digit-photos`. What lies around them, lines, rectangles and discs of the
same shades under noise, is there to be told apart from strokes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from edgebench import Dataset, Metric, Sample, hookimpl
from edgebench.metrics.segmentation import mean_iou
from edgebench_kit.vision import digit_pictures
from edgebench_kit.vision.digit_pictures import HEIGHT, INKS, WIDTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = 11
"""The background, and the ten digits."""
SPLITS = {"training": 1300, "calibration": 128, "validation": 150, "test": 1000}
NOISE = 64
"""The noise is uniform below this; six bits a byte are what makes a picture weigh 200 kB."""
STROKE = 5
"""The ink, of 16, from which a pixel belongs to a stroke."""
SCALES = range(11, 17)
"""The pixels to the side of one of a digit's, in whole numbers."""
TRIES, MOST = 40, 7
"""How often a place for a digit is looked for, and how many digits there are at most."""
CLUTTER = 5
"""How many pieces of each kind of clutter there are at most."""


@hookimpl
def edgebench_datasets() -> Iterable[Dataset]:
    """Offer the scenes."""
    yield Dataset(
        name="digit-scenes",
        summary="Real handwritten digits among clutter, 320x240, with a class for each pixel.",
        samples=samples,
        metrics=metrics,
    )


def samples(split: str, seed: int) -> Iterator[Sample]:
    """Draw the scenes of *split* one at a time, each of digits that no other split has.

    The answer is uint8 of shape (240, 320): 0 for the background, d + 1 on a digit d.
    """
    import numpy as np

    digits, shown = digit_pictures.read_digits("digit-scenes")
    mine = digit_pictures.select_digits(split, digits)
    for index in range(SPLITS.get(split, 0)):
        stream = _Stream(np.random.PCG64([seed, list(SPLITS).index(split), index]))
        picture, answer = _scene(stream, digits[mine], shown[mine])
        yield digit_pictures.encode_png(picture), answer


def metrics() -> Sequence[Metric]:
    """Give the mean over the classes of intersection over union."""
    return (mean_iou(CLASSES),)


class _Stream:
    """Whole numbers from the raw stream of a bit generator, which is fixed for good."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def below(self, bound: int) -> int:
        return int(self.raw.random_raw()) % bound

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low)

    def shade(self, low: int, high: int) -> list[int]:
        return [self.between(low, high) for _ in range(3)]


def _scene(
    stream: _Stream, digits: NDArray[Any], shown: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Draw clutter, digits that do not touch, and noise; give the picture and its classes."""
    import numpy as np

    picture = np.empty((HEIGHT, WIDTH, 3), np.int32)
    picture[:] = stream.shade(0, 48)
    for draw in (_rectangle, _disc, _line):
        for _ in range(stream.below(CLUTTER + 1)):
            draw(stream, picture)
    answer = np.zeros((HEIGHT, WIDTH), np.uint8)
    for top, left, scale in _places(stream):
        index = stream.below(len(digits))
        strokes = _draw(digits[index], scale, picture[top:, left:], stream.shade(80, 192))
        side = len(strokes)
        answer[top : top + side, left : left + side][strokes] = shown[index] + 1
    return digit_pictures.draw_noise(stream.raw, NOISE) + picture.astype(np.uint8), answer


def _places(stream: _Stream) -> list[tuple[int, int, int]]:
    """Find places (top, left, scale) for digits: squares within the picture that do not meet."""
    places: list[tuple[int, int, int]] = []
    for _ in range(TRIES):
        scale = SCALES[stream.below(len(SCALES))]
        side = 8 * scale
        top, left = stream.below(HEIGHT - side + 1), stream.below(WIDTH - side + 1)
        # A digit is as high as its square, and three quarters as wide.
        apart = (
            abs(top - y + 4 * (scale - s)) >= 4 * (scale + s)
            or abs(left - x + 4 * (scale - s)) >= 3 * (scale + s)
            for y, x, s in places
        )
        if len(places) < MOST and all(apart):
            places.append((top, left, scale))
    return places


def _draw(digit: NDArray[Any], scale: int, into: NDArray[Any], shade: list[int]) -> NDArray[Any]:
    """Draw one digit enlarged bilinearly, and return where its strokes are, (side, side).

    In whole numbers, so that it is the same everywhere: ink counts up to 16 * (2 * scale)**2.
    """
    import numpy as np

    side, full = 8 * scale, 4 * scale**2
    # The weights of the two pixels next to each of the enlarged ones, in parts of 2 * scale.
    at = np.arange(side)[:, None] * 2 + 1 - scale
    weights = np.maximum(2 * scale - np.abs(at - 2 * scale * np.arange(8)), 0)
    ink = weights @ digit.astype(np.int64) @ weights.T
    under = into[:side, :side]
    under += (ink[:, :, None] * (np.array(shade) - under) // (INKS * full)).astype(under.dtype)
    strokes: NDArray[Any] = ink >= STROKE * full
    return strokes


def _rectangle(stream: _Stream, picture: NDArray[Any]) -> None:
    """Draw a frame, or a filled rectangle."""
    height, width = stream.between(10, 70), stream.between(10, 90)
    top, left = stream.below(HEIGHT - height), stream.below(WIDTH - width)
    edge, shade = stream.between(2, 8), stream.shade(16, 144)
    part = picture[top : top + height, left : left + width]
    if stream.below(2):
        part[:] = shade
    else:
        part[:edge] = part[-edge:] = part[:, :edge] = part[:, -edge:] = shade


def _disc(stream: _Stream, picture: NDArray[Any]) -> None:
    import numpy as np

    radius, shade = stream.between(4, 26), stream.shade(16, 144)
    y, x = stream.between(radius, HEIGHT - radius), stream.between(radius, WIDTH - radius)
    away = np.arange(-radius, radius) ** 2
    part = picture[y - radius : y + radius, x - radius : x + radius]
    part[away[:, None] + away < radius**2] = shade


def _line(stream: _Stream, picture: NDArray[Any]) -> None:
    """Draw a line from one side of the picture to the opposite one."""
    import numpy as np

    upright = stream.below(2) == 1
    length, across = (HEIGHT, WIDTH) if upright else (WIDTH, HEIGHT)
    start, end, width = stream.below(across), stream.below(across), stream.between(2, 12)
    middle = start + (end - start) * np.arange(length) // length
    on = np.abs(2 * (np.arange(across)[:, None] - middle)) < width
    picture[on.T if upright else on] = stream.shade(16, 144)
