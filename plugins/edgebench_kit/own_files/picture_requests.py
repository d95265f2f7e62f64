"""Requests that are picture files, made into the one input of a model that is a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs

from edgebench import DataError, Tensors, TensorSpec
from edgebench_kit.own_files.sources import Source
from edgebench_kit.vision.decoding import decode_upright
from edgebench_kit.vision.processor_files import is_processor
from edgebench_kit.vision.recipes import Layout, Recipe, Size, read_nested

CHANNELS = (1, 3)
FLOATS = ("float16", "float32", "float64")
PIXELS = "uint8"


@attrs.frozen(kw_only=True)
class PictureRequest:
    """How the bytes of a picture file become an input."""

    input: str
    dtype: str
    shape: tuple[int | None, ...]
    """That of the input for one picture; None for what each picture decides."""
    recipe: Recipe
    kind: Literal["pictures"] = "pictures"

    def to_document(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return {
            "kind": self.kind,
            "input": self.input,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "recipe": self.recipe.to_document(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PictureRequest:
        """Read what `to_document` wrote."""
        return cls(
            input=document["input"],
            dtype=document["dtype"],
            shape=tuple(document["shape"]),
            recipe=Recipe.read(document["recipe"]),
        )

    def decode(self, payload: bytes) -> Any:
        """Decode a picture file to uint8 of shape (height, width, 3).

        Raises:
            DataError: It is none.
        """
        return decode_upright(payload)

    def preprocess(self, picture: Any) -> Tensors:
        """Make the input of a picture.

        Raises:
            DataError: The recipe leaves it in another size than the input takes.
        """
        made = (
            self.recipe.arrange(picture)
            if self.dtype == PIXELS
            else self.recipe.apply(picture).astype(self.dtype, copy=False)
        )
        if any(
            size not in (None, there) for size, there in zip(self.shape, made.shape, strict=True)
        ):
            raise DataError(
                f"the input {self.input!r} takes {_write(self.shape)}, and the recipe makes "
                f"{_write(made.shape)} of a picture of {picture.shape[0]}x{picture.shape[1]} "
                "pixels; let it resize or crop"
            )
        return {self.input: made}

    def describe(self) -> str:
        """Say in a phrase what becomes of a picture."""
        recipe, layout = self.recipe, "x".join(map(_name, self.shape[1:]))
        values = _describe_values(recipe, self.dtype)
        steps = [f"resized to {_size(recipe.resize)}"] if recipe.resize else []
        steps += [f"resized to fit within {_size(recipe.within)}"] if recipe.within else []
        steps += [f"cropped to {_size(recipe.crop)}"] if recipe.crop else []
        steps += [f"padded to {_size(recipe.pad)}"] if recipe.pad else []
        return (
            f"a request is a picture file, {', '.join(steps) or 'not resized'}, "
            f"{recipe.channels.upper()}, {values}, as {self.input!r} of {layout}"
        )


def _describe_values(recipe: Recipe, dtype: str) -> str:
    """Say what becomes of the values of pixels, so that a forgotten mean is seen."""
    if dtype == PIXELS:
        return "pixels as they are, 0 to 255"
    ends = sorted((recipe.offset, 255 * recipe.scale + recipe.offset))
    mean, std = (
        "/".join(f"{one:g}" for one in (values[:1] if len(set(values)) == 1 else values))
        for values in (recipe.mean, recipe.std)
    )
    scaled = f"pixels of {ends[0]:g} to {ends[1]:g}"
    plain = (mean, std) == ("0", "1")
    return scaled if plain else f"{scaled}, normalised by mean {mean} and std {std}"


def find_picture_input(specs: Sequence[TensorSpec]) -> TensorSpec | None:
    """Return the one input, if it could be a picture: four dimensions of floats or bytes."""
    if len(specs) != 1 or len(specs[0].shape) != 4:
        return None
    return specs[0] if specs[0].dtype in (*FLOATS, PIXELS) else None


def find_picture_size(specs: Sequence[TensorSpec]) -> Size | None:
    """Return the height and width of the one input, if it shows that it is a picture."""
    spec = find_picture_input(specs)
    if spec is None or not {spec.shape[1], spec.shape[3]} & {*CHANNELS}:
        return None
    return _read_size(spec, _find_layout(spec, None))


def propose_picture_sizes(spec: TensorSpec, source: Source) -> dict[int, int]:
    """Return by axis the sizes of open dimensions of an input that a recipe gives.

    Raises:
        DataError: The recipe cannot be read.
    """
    layout = _find_layout(spec, None)
    recipe = source.read_recipe(_read_size(spec, layout))
    if recipe is None:
        return {}
    shape = attrs.evolve(recipe, layout=recipe.layout or layout).shape()
    return {
        axis: size
        for axis, (there, size) in enumerate(zip(spec.shape, shape, strict=True))
        if axis and isinstance(there, str) and size is not None
    }


def fit_recipe(spec: TensorSpec, source: Source, file: object) -> PictureRequest:
    """Return how pictures become an input, by the recipe of a source.

    *file* is what to call the model by. Every dimension of *spec* but the batch is a number.

    Raises:
        DataError: The recipe cannot be read, or makes something else than the input takes.
    """
    size = _read_size(spec, _find_layout(spec, None))
    recipe = source.read_recipe(size)
    if recipe is None:
        raise DataError(f"{source.where} says nothing of pictures, which {file} takes")
    layout = _find_layout(spec, recipe.layout)
    recipe = attrs.evolve(recipe, layout=recipe.layout or layout)
    takes = (None, *(one if isinstance(one, int) else None for one in spec.shape[1:]))
    makes = (None, *recipe.shape()[1:])
    if any(None not in pair and pair[0] != pair[1] for pair in zip(takes, makes, strict=True)):
        hint = "; channels=grey in a recipe of your own makes one" if takes[1] == 1 else ""
        raise DataError(
            f"{source.where} makes {_write(makes)} of a picture, and the input {spec.name!r} of "
            f"{file} takes {_write(takes)}{hint}"
        )
    if spec.dtype == PIXELS and _says_arithmetic(source, recipe):
        raise DataError(
            f"{source.where} computes with the values of pixels, and the input {spec.name!r} of "
            f"{file} takes them as they are (uint8); leave scale, offset, mean and std out"
        )
    return PictureRequest(input=spec.name, dtype=spec.dtype, shape=takes, recipe=recipe)


def _says_arithmetic(source: Source, recipe: Recipe) -> bool:
    """Say whether a recipe of our own computes; that of a processor is left out for bytes."""
    if source.pictures is None or is_processor(read_nested(source.pictures)[0]):
        return False
    names, plain = ("scale", "offset", "mean", "std"), Recipe()
    return any(getattr(recipe, name) != getattr(plain, name) for name in names)


def _find_layout(spec: TensorSpec, said: Layout | None) -> Layout:
    """Return where an input has its channels, as far as its shape tells; else as said, or first."""
    _, first, _, last = spec.shape
    if first in CHANNELS or last not in CHANNELS:
        found: Layout = "nchw"
        return found if first in CHANNELS or said is None else said
    return "nhwc"


def _read_size(spec: TensorSpec, layout: Layout) -> Size | None:
    height, width = spec.shape[1:3] if layout == "nhwc" else spec.shape[2:]
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def _write(shape: Sequence[int | str | None]) -> str:
    return f"({', '.join(['N', *map(_name, shape[1:])])})"


def _name(size: int | str | None) -> str:
    return "any" if size is None else str(size)


def _size(size: int | Size | None) -> str:
    return f"{size[0]}x{size[1]}" if isinstance(size, tuple) else f"a shorter side of {size}"
