"""What is done to a picture before a network reads it, as a record: with numpy and Pillow alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

import attrs

from edgebench import DataError
from edgebench_kit.files.documents import read_document
from edgebench_kit.vision import geometry
from edgebench_kit.vision.inputs import MEANS, SPREADS
from edgebench_kit.vision.processor_files import is_processor, read_processor
from edgebench_kit.vision.recipe_fields import (
    MOST,
    is_byte,
    is_finite,
    is_one_of,
    is_resize,
    is_size,
    to_float,
    to_numbers,
    to_resize,
    to_size,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Layout = Literal["nchw", "nhwc"]
Channels = Literal["rgb", "bgr", "grey"]
Size = tuple[int, int]
"""Height and width, in pixels."""

PICTURES, WHOLE = "preprocessor_config.json", "processor_config.json"
"""What transformers writes of pictures beside a model, and of all that its requests need."""
NESTED = "image_processor"
"""Under which key it notes pictures in the second."""


def find_processor(directory: Path) -> Path | None:
    """Return the file in a directory that says what is done to pictures; None if there is none.

    As in transformers, what stands in the file of all goes before that of pictures alone.
    """
    whole, alone = directory / WHOLE, directory / PICTURES
    if whole.is_file() and _is_nested(whole):
        return whole
    return alone if alone.is_file() else None


def _is_nested(path: Path) -> bool:
    """Say whether a file has a part that says what is done to pictures, or is no JSON."""
    try:
        document = read_document(path)
    except DataError:
        return True  # whoever reads it for its recipe says what is wrong with it
    return isinstance(document, dict) and isinstance(document.get(NESTED), dict)


def read_nested(path: Path) -> tuple[Any, str]:
    """Return what a file says of pictures, and where: in some of transformers it is a part.

    Raises:
        DataError: It cannot be read.
    """
    document = read_document(path)
    nested = document.get(NESTED) if isinstance(document, dict) else None
    return (nested, f"{path}: {NESTED}") if isinstance(nested, dict) else (document, str(path))


@attrs.frozen(kw_only=True)
class Recipe:
    """How a decoded picture becomes a network's input, in the order of the fields.

    As JSON it has the fields' names as keys, each of which may be left out.
    """

    resize: int | Size | None = attrs.field(default=None, converter=to_resize, validator=is_resize)
    """One number: the shorter side, its proportions kept; `[height, width]`: both, whatever they
    were; None: as it is."""
    within: Size | None = attrs.field(default=None, converter=to_size, validator=is_size)
    """In place of `resize`, the largest size of these proportions that fits into these sides."""
    interpolation: str = attrs.field(
        default="bilinear", validator=is_one_of(*geometry.INTERPOLATIONS)
    )
    """How the pixels of a resized picture are found, in Pillow's words."""
    crop: Size | None = attrs.field(default=None, converter=to_size, validator=is_size)
    """Its middle of this size; black is put around what is smaller."""
    crop_rounds: str = attrs.field(default="down", validator=is_one_of("down", "nearest"))
    """Where the middle lies if half a pixel is left over: as transformers or as torchvision has
    it."""
    pad: Size | None = attrs.field(default=None, converter=to_size, validator=is_size)
    """What is put around it until it is of this size."""
    pad_value: int = attrs.field(default=0, validator=is_byte)
    """What of, 0 to 255."""
    pad_at: str = attrs.field(default="centre", validator=is_one_of("centre", "corner"))
    """Where the picture lies then: in the middle, or at the top left."""
    channels: Channels = attrs.field(default="rgb", validator=is_one_of(*get_args(Channels)))
    """The order of its colours, or `grey` for one channel of brightness."""
    scale: float = attrs.field(default=1 / 255, converter=to_float, validator=is_finite)
    """What a pixel, 0 to 255, is multiplied with."""
    offset: float = attrs.field(default=0.0, converter=to_float, validator=is_finite)
    """What is added then."""
    mean: tuple[float, ...] = attrs.field(
        default=(0.0, 0.0, 0.0), converter=to_numbers, validator=is_finite
    )
    """What is taken away then, by channel."""
    std: tuple[float, ...] = attrs.field(
        default=(1.0, 1.0, 1.0), converter=to_numbers, validator=is_finite
    )
    """What is divided by then, by channel."""
    layout: Layout | None = attrs.field(default=None, validator=is_one_of(None, *get_args(Layout)))
    """Where the channels are; None: as the input has them, `nchw` where nothing tells."""

    def __attrs_post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            DataError: It does.
        """
        if self.resize is not None and self.within is not None:
            raise DataError("resize and within are two sizes for one picture; leave one out")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != 3 and (self.channels != "grey" or len(values) != 1):
                raise DataError(f"{name} is one number or one for each channel, not {values!r}")
            if self.channels == "grey" and len(set(values)) > 1:
                raise DataError(f"{name} is one number where channels is grey, not {values!r}")
        if abs(least := min(self.std, key=abs)) < 1 / MOST:
            raise DataError(f"std is divided by, and one of its numbers is {least:g}: too little")

    @classmethod
    def imagenet(cls, size: Size = (224, 224)) -> Recipe:
        """Return what torchvision's weights of ImageNet are used with.

        The shorter side becomes 256 for 224, others in proportion, and the middle is cut out.
        """
        return cls(
            resize=round(max(size) * 256 / 224),
            crop=size,
            crop_rounds="nearest",
            mean=MEANS,
            std=SPREADS,
        )

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Recipe:
        """Read a `preprocessor_config.json` of transformers, or what `to_document` wrote.

        Raises:
            DataError: Something in it is not understood, which is named.
        """
        if not isinstance(document, Mapping):
            raise DataError("it is no table of keys and values")
        if is_processor(document):
            return cls(**read_processor(document))
        known = attrs.fields_dict(cls)
        if strange := sorted(set(document) - set(known)):
            raise DataError(f"{strange[0]!r} is no key of a recipe; those are {', '.join(known)}")
        return cls(**document)

    @classmethod
    def read_file(cls, path: Path) -> Recipe:
        """Read a file of either form.

        Raises:
            DataError: It cannot be read, or something in it is not understood.
        """
        document, where = read_nested(path)
        try:
            return cls.read(document)
        except DataError as error:
            raise DataError(f"{where}: {error}") from error

    def to_document(self) -> dict[str, Any]:
        """Return all that differs from what is usual, as values that JSON has."""
        found = attrs.asdict(self, filter=lambda field, value: value != field.default)
        return {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}

    @property
    def size(self) -> Size | None:
        """The height and width of what a network gets, where it is the same for all pictures."""
        return self.pad or self.crop or (self.resize if isinstance(self.resize, tuple) else None)

    @property
    def depth(self) -> int:
        """The number of channels."""
        return 1 if self.channels == "grey" else 3

    def shape(self) -> tuple[int | None, ...]:
        """Return the shape of what `apply` returns, None for what depends on the picture."""
        height, width = self.size or (None, None)
        last = self.layout == "nhwc"
        return (1, height, width, self.depth) if last else (1, self.depth, height, width)

    def arrange(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Do all but the arithmetic: return the pixels that are left, uint8.

        The shape is that of `apply`; *picture* is uint8 of shape (height, width, 3), in RGB.

        Raises:
            DataError: The picture is larger than what it is to be padded to.
        """
        import numpy as np

        pixels = geometry.turn_grey(picture) if self.channels == "grey" else picture
        pixels = self._move(pixels, self.interpolation, around=0, padding=self.pad_value)
        if self.channels == "bgr":
            pixels = pixels[..., ::-1]
        placed = pixels if self.layout == "nhwc" else pixels.transpose(2, 0, 1)
        return np.ascontiguousarray(placed[None])

    @property
    def moves(self) -> bool:
        """Whether something is cut off or put around, so that a mask has to go the same way."""
        return self.crop is not None or self.pad is not None

    def place_mask(self, mask: NDArray[Any]) -> NDArray[Any]:
        """Do to a mask, uint8 of shape (height, width), what is done to where pixels lie.

        What is put around it is 255, which counts for nothing.

        Raises:
            DataError: As `arrange`.
        """
        return self._move(mask[..., None], "nearest", around=255, padding=255)[..., 0]

    def _move(
        self, pixels: NDArray[Any], interpolation: str, *, around: int, padding: int
    ) -> NDArray[Any]:
        size = None
        if self.within is not None:
            size = geometry.fit_within(pixels, self.within)
        elif self.resize is not None:
            size = geometry.choose_size(pixels, self.resize)
        if size is not None:
            pixels = geometry.resize(pixels, size, interpolation)
        if self.crop is not None:
            nearest = self.crop_rounds == "nearest"
            pixels = geometry.crop(pixels, self.crop, around, nearest=nearest)
        if self.pad is not None:
            pixels = geometry.pad(pixels, self.pad, padding, middle=self.pad_at == "centre")
        return pixels

    def apply(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Make a batch of one of a picture, float32.

        *picture* is uint8 of shape (height, width, 3), in RGB; the result is of shape
        (1, channels, height, width), or (1, height, width, channels) for the layout `nhwc`.

        Raises:
            DataError: The picture is larger than what it is to be padded to.
        """
        import numpy as np

        # A product of doubles, as transformers has it.
        values = (self.arrange(picture) * self.scale).astype(np.float32)
        if self.offset:
            values += np.float32(self.offset)
        shape = (1, 1, 1, -1) if self.layout == "nhwc" else (1, -1, 1, 1)
        mean, std = (
            np.asarray(one[: self.depth], np.float32).reshape(shape)
            for one in (self.mean, self.std)
        )
        return np.asarray((values - mean) / std)
