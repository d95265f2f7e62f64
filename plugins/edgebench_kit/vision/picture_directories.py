"""Datasets that are directories of pictures: found, checked and split.

A payload is a picture file's own bytes, as they lie in the directory.
"""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import DataError, Sample, Unreadable
from edgebench_kit.vision.decoding import explain_damage, read_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEPTH, GREYS = 24, {2: 85, 4: 17}
"""Where a PNG file says its bits, and what Pillow multiplies greys of so many with."""
SUFFIXES = (".jpg", ".jpeg", ".png")
CALIBRATION, VALIDATION = 256, 1000
"""The most pictures that these splits get."""
PART = 10
"""And they get at most one picture of this many."""
SPARE = 8
"""So many more pictures are drawn of each group than it is to give."""


@attrs.frozen(kw_only=True)
class Pictures:
    """The pictures of a directory and their answers, split by content and read one at a time."""

    root: Path
    labels: Callable[[], Mapping[Path, Any]]
    """Say for each picture below `root` what its answer is read from; called when samples are."""
    answer: Callable[[Any], Any]
    """From such a label to the answer: a number, or a mask of the picture's height and width. A
    `DataError` says why there is none."""
    training: Sequence[Callable[[], Mapping[Path, Any]]] = ()
    """What says the same of pictures to train on, a group of them at a time: those of a class, or
    of a city. Each is called when the training split is read, and none of them is held."""
    most: int = 0
    """The most pictures that the training split gets, as many of each group as may be."""

    def read_split(
        self,
        split: str,
        seed: int,
    ) -> Iterator[Sample | Unreadable]:
        """Read the pictures of a split one at a time; only the training split draws by the seed.

        All others are put in the order of their SHA-256, which no listing of a directory can
        change: the first are for calibration, the next for validation, the rest is the test split.
        Files of equal content stay together. The training split has pictures of its own, drawn from
        each of its groups in turn, without those that stand in another split too.
        """
        if split == "training":
            yield from self._read_training(seed)
        for path in self._splits.get(split, ()):
            yield self._read_sample(path, self._labels[path])

    def _read_training(self, seed: int) -> Iterator[Sample | Unreadable]:
        if not self.training:
            return
        # Some stand elsewhere too, and others are drawn in their place.
        share = -(-self.most // len(self.training)) + SPARE
        drawn = [_draw(group(), share, seed) for group in self.training]
        turns = (one for turn in zip_longest(*drawn) for one in turn if one)
        apart = (one for one in turns if _digest_file(one[0]) not in self._digests)
        for path, label in islice(apart, self.most):
            yield self._read_sample(path, label)

    @cached_property
    def _labels(self) -> Mapping[Path, Any]:
        return self.labels()

    @cached_property
    def _digests(self) -> frozenset[bytes]:
        return frozenset(map(_digest_file, self._labels))

    @cached_property
    def _splits(self) -> Mapping[str, list[Path]]:
        equal: dict[bytes, list[Path]] = {}
        for path in sorted(self._labels):
            equal.setdefault(_digest_file(path), []).append(path)
        # Copies of a picture go to one split, or what an operator saw would be scored.
        order = [equal[digest] for digest in sorted(equal)]
        low = min(CALIBRATION, len(order) // PART)
        high = low + min(VALIDATION, len(order) // PART)
        parts = {"calibration": order[:low], "validation": order[low:high], "test": order[high:]}
        return {split: [path for same in part for path in same] for split, part in parts.items()}

    def _read_sample(self, path: Path, label: Any) -> Sample | Unreadable:
        try:
            return self._read_picture(path, label)
        except DataError as error:
            return Unreadable(name=path.relative_to(self.root).as_posix(), reason=str(error))

    def _read_picture(self, path: Path, label: Any) -> Sample:
        with explain_damage("the file"):
            payload = path.read_bytes()
        picture, answer = read_shape(payload), self.answer(label)
        mask = getattr(answer, "shape", picture)
        if mask != picture:
            own, other = ("x".join(map(str, reversed(shape))) for shape in (mask, picture))
            raise DataError(f"its mask has {own} pixels and the picture {other}")
        return payload, answer


def _draw(group: Mapping[Path, Any], most: int, seed: int) -> list[tuple[Path, Any]]:
    """Draw some pictures of a group, the same wherever its directory lies."""
    import hashlib

    def place(one: tuple[Path, Any]) -> bytes:
        name = f"{seed}/{one[0].parent.name}/{one[0].name}"
        return hashlib.sha256(name.encode(errors="surrogateescape")).digest()

    return heapq.nsmallest(most, group.items(), key=place)


def _digest_file(path: Path) -> bytes:
    """Return the SHA-256 of a file, of its name if it cannot be read: it has to be in a split."""
    import hashlib

    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return hashlib.sha256(path.name.encode()).digest()


def _order_naturally(name: str) -> tuple[list[str | int], str]:
    """Order names as people do, numbers by their size."""
    parts = re.split("([0-9]+)", name)
    return [int(one) if n % 2 else one for n, one in enumerate(parts)], name


def _list_visible(directory: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what lies in a directory, without what other systems leave behind hidden."""
    try:
        with os.scandir(directory) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"the directory {directory} cannot be read: {error.strerror}") from error


def _is_picture(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(SUFFIXES) and entry.is_file()


def _sort_paths(directory: Path, entries: Iterable[os.DirEntry[str]]) -> list[Path]:
    return [
        directory / name for name in sorted((one.name for one in entries), key=_order_naturally)
    ]


def find_pictures(directory: Path) -> list[Path]:
    """List the picture files that lie in a directory, not deeper, in natural order.

    Raises:
        DataError: It is not there, or may not be read.
    """
    return _sort_paths(directory, filter(_is_picture, _list_visible(directory)))


def has_pictures(directory: Path) -> bool:
    """Say whether a picture file lies in a directory."""
    return directory.is_dir() and any(map(_is_picture, _list_visible(directory)))


def find_folders(directory: Path) -> list[Path]:
    """List the folders that lie in a directory, in natural order.

    Raises:
        DataError: It is not there, or may not be read.
    """
    return _sort_paths(directory, (one for one in _list_visible(directory) if one.is_dir()))


def describe_contents(path: Path) -> str:
    """Say in one phrase what is in a directory, or that it is none."""
    if not path.is_dir():
        return "a file" if path.exists() else "no such directory"
    entries = _sort_paths(path, _list_visible(path))
    if not entries:
        return "an empty directory"
    names = ", ".join(f"{one.name}/" if one.is_dir() else one.name for one in entries[:4])
    return names + (f" and {len(entries) - 4} more" if len(entries) > 4 else "")


def make_missing_error(dataset: str, wanted: str, path: Path, found: str = "") -> DataError:
    """Make the error of a directory in which *wanted* was looked for; say what was found."""
    return DataError(
        f"{dataset} looks for {wanted} in {path}; found {found or describe_contents(path)}"
    )


def read_text(dataset: str, path: Path) -> str:
    """Read a text file that belongs to a dataset.

    Raises:
        DataError: It cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{dataset}: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{dataset}: {path} is not a text file in UTF-8") from error


def _read_depth(path: Path) -> int:
    """Return how many bits a value of a PNG file has."""
    with path.open("rb") as file:
        return file.read(DEPTH + 1)[DEPTH]


def read_mask(path: Path, classes: int, numbers: NDArray[Any] | None = None) -> NDArray[Any]:
    """Read a PNG whose pixels are class numbers, of a palette or grey, to uint8 (height, width).

    *numbers*, of shape (256,), says which class each value of the file stands for.

    Raises:
        DataError: It does not decode, or holds what is neither below *classes* nor 255, ignored.
    """
    import numpy as np
    from PIL import Image

    name = f"its mask {path.name}"
    with explain_damage(name), Image.open(path, formats=("PNG",)) as image:
        mode, mask = image.mode, np.array(image)
    if mode not in ("P", "L", "1"):
        raise DataError(f"{name} holds colours ({mode}), not class numbers")
    if mode != "P":
        # Pillow spreads what has fewer bits over all 256 values of grey.
        mask = mask.astype(np.uint8) // GREYS.get(_read_depth(path), 1)
    mask = mask if numbers is None else numbers[mask]
    if (strange := mask[(mask >= classes) & (mask != 255)]).size:
        raise DataError(f"{name} holds {strange[0]}, which is none of {classes} classes nor 255")
    return mask
