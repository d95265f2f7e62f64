"""COCO's photos with one of PASCAL VOC's classes for each pixel, as the owner keeps them.

The validation set of 2017 (Lin et al., ECCV 2014), its outlines drawn as torchvision's reference
script for segmentation draws them: where two things overlap the pixel is 255 and does not count.
Pictures in which nothing of the 20 classes is to be seen are background throughout, and count, as
in torchvision's validation; only its training leaves them out. Torchvision's published figures are
of pictures scaled to 520 pixels, ours of pictures of the size that they have.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import DataError, Dataset, Metric, hookimpl
from edgebench.metrics.segmentation import mean_iou
from edgebench_kit.vision.picture_directories import (
    Pictures,
    find_pictures,
    make_missing_error,
    read_mask,
    read_text,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

CATEGORIES = (0, 5, 2, 16, 9, 44, 6, 3, 17, 62, 21, 67, 18, 19, 4, 1, 64, 20, 63, 7, 72)
"""The category of each class of PASCAL VOC, the background first."""
CLASSES = len(CATEGORIES)
FINER = 5
"""Outlines are drawn on a grid so many times finer than the pixels."""
PICTURES, MASKS, INSTANCES = "val2017", "masks", "annotations/instances_val2017.json"
TRAINING_PICTURES, TRAINING_INSTANCES = "train2017", "annotations/instances_train2017.json"
TRAINING = 500
"""The most photos to train on: a trainer may hold them in memory (3 MB each, of 520x520 pixels)."""


@hookimpl
def edgebench_datasets() -> Iterable[Dataset]:
    """Offer COCO to those who have it."""
    yield Dataset(
        name="coco",
        summary="Photos with a class of VOC's 21 for each pixel: COCO's validation set of 2017.",
        from_directory=from_directory,
        layout=(
            f"{PICTURES}/ with {INSTANCES}, or with PNGs of class numbers in {MASKS}/; and, for "
            f"operators that train, {TRAINING_PICTURES}/ with {TRAINING_INSTANCES}"
        ),
        metrics=metrics,
    )


def metrics() -> Sequence[Metric]:
    """Give the mean intersection over union of the classes."""
    return (mean_iou(CLASSES),)


def from_directory(path: Path) -> Dataset:
    """Return the dataset with the pictures in `val2017`, labelled by instances or by masks.

    Raises:
        DataError: The pictures, or both the instances and the masks, are not there.
    """
    found = find_pictures(path / PICTURES) if (path / PICTURES).is_dir() else []
    if not found:
        nearest = path / PICTURES if (path / PICTURES).is_dir() else path
        raise make_missing_error("coco", f"pictures in {PICTURES}/", nearest)
    if (path / INSTANCES).is_file():
        labels = partial(_outlined, path / INSTANCES, found)
        training = _training(path)
        pictures = Pictures(root=path, labels=labels, answer=draw, training=training, most=TRAINING)
    elif masked := _masked(path / MASKS, found):
        answer = partial(read_mask, classes=CLASSES)
        pictures = Pictures(root=path, labels=lambda: masked, answer=answer)
    else:
        raise make_missing_error(
            "coco", f"{INSTANCES} or masks named as the pictures in {MASKS}/", path
        )
    (dataset,) = edgebench_datasets()
    return attrs.evolve(dataset, samples=pictures.read_split)


def _training(path: Path) -> Sequence[Callable[[], dict[Path, Outlined]]]:
    """Return what lists the photos to train on that show something; nothing if there are none."""
    instances, directory = path / TRAINING_INSTANCES, path / TRAINING_PICTURES
    if not instances.is_file() or not directory.is_dir():
        return ()

    def label() -> dict[Path, Outlined]:
        found = _outlined(instances, find_pictures(directory))
        return {picture: one for picture, one in found.items() if one.things}

    return (label,)


def _masked(masks: Path, pictures: Sequence[Path]) -> dict[Path, Path]:
    places = {picture: masks / f"{picture.stem}.png" for picture in pictures}
    return {picture: mask for picture, mask in places.items() if mask.is_file()}


@attrs.frozen(kw_only=True)
class Outlined:
    """The things of VOC's classes in a picture."""

    height: int
    width: int
    things: Sequence[tuple[int, Any]]
    """The class of each, and its `segmentation` in COCO's form."""


def _outlined(instances: Path, pictures: Sequence[Path]) -> dict[Path, Outlined]:
    """Read what is to be seen in the pictures; in some there is nothing.

    Raises:
        DataError: The file is not what it should be, or is about other pictures.
    """
    try:
        given = json.loads(read_text("coco", instances))
        sizes = {one["file_name"]: one for one in given["images"]}
        things: dict[int, list[tuple[int, Any]]] = defaultdict(list)
        for one in given["annotations"]:
            if one["category_id"] in CATEGORIES:
                thing = CATEGORIES.index(one["category_id"]), one["segmentation"]
                things[one["image_id"]].append(thing)
        labels = {
            picture: Outlined(height=one["height"], width=one["width"], things=things[one["id"]])
            for picture in pictures
            if (one := sizes.get(picture.name))
        }
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"coco: {instances} does not hold images and annotations: {error!r}"
        ) from error
    if not any(one.things for one in labels.values()):
        found = "none in them" if labels else f"annotations of {len(sizes)} other pictures"
        wanted = f"things of VOC's classes in any of {len(pictures)} pictures"
        raise make_missing_error("coco", wanted, instances, found)
    return labels


def draw(outlined: Outlined) -> NDArray[Any]:
    """Draw the things of a picture as class numbers, uint8 of shape (height, width).

    Raises:
        DataError: A segmentation is in no known form.
    """
    import numpy as np

    shape = outlined.height, outlined.width
    mask, seen = np.zeros(shape, np.uint8), np.zeros(shape, bool)
    for number, segmentation in outlined.things:
        try:
            thing = _covered(segmentation, *shape)
        except (ValueError, LookupError, TypeError, OverflowError) as error:
            raise DataError(f"a segmentation of it cannot be drawn: {error}") from error
        mask[thing] = np.where(seen[thing], 255, number)
        seen |= thing
    return mask


def _covered(segmentation: Any, height: int, width: int) -> NDArray[Any]:
    """Return where a thing is: bool of shape (height, width)."""
    import numpy as np

    if not isinstance(segmentation, list):
        return _from_runs(segmentation, height, width)
    covered = np.zeros((height, width), bool)
    for corners in segmentation:
        covered |= _polygon(np.asarray(corners, float).reshape(-1, 2), height, width)
    return covered


def _from_runs(segmentation: Mapping[str, Any], height: int, width: int) -> NDArray[Any]:
    """Draw run lengths, column by column, beginning with what is not covered."""
    import numpy as np

    if list(segmentation["size"]) != [height, width]:
        raise ValueError(f"its runs are for {segmentation['size']}, not {[height, width]}")
    given = segmentation["counts"]
    runs = np.array(list(_unpacked(given)) if isinstance(given, str) else given, int)
    if (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"its runs do not add up to {height}x{width} pixels")
    covered: NDArray[Any] = (np.arange(len(runs)) % 2 == 1).repeat(runs)
    return covered.reshape(width, height).T


def _unpacked(text: str) -> Iterator[int]:
    """Decode run lengths that COCO's tools wrote as text: five bits a character, low ones first.

    From the fourth on, a number is the difference to the one before the last.
    """
    runs: list[int] = []
    value = shift = 0
    for code in (ord(letter) - 48 for letter in text):
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            value -= (1 << shift) if code & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    yield from runs


def _polygon(corners: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Fill a polygon, corners (n, 2) as x and y, exactly as COCO's own tools do.

    Its outline is followed on a finer grid. Wherever it passes the middle of a column of pixels,
    the column changes there from outside to inside or back (rleFrPoly of cocoapi).
    """
    import numpy as np

    if len(corners) < 3:
        raise ValueError(f"an outline of {len(corners)} corners encloses nothing")
    finer = (FINER * corners + 0.5).astype(int)
    sides = [_side(*one, *two) for one, two in pairwise([*finer, finer[0]])]
    x, y = np.concatenate(sides, axis=1)
    column, row = np.minimum(x[1:], x[:-1]), np.minimum(y[1:], y[:-1])
    half = FINER // 2
    passing = (x[1:] != x[:-1]) & ((column - half) % FINER == 0)
    column, row = (column[passing] - half) // FINER, -((half - row[passing]) // FINER)
    there = (column >= 0) & (column < width)
    places = column[there] * height + row[there].clip(0, height)
    turns = np.bincount(places, minlength=height * width + 1)[: height * width]
    covered: NDArray[Any] = turns.cumsum() % 2 == 1
    return covered.reshape(width, height).T


def _side(x: int, y: int, to_x: int, to_y: int) -> NDArray[Any]:
    """Return the points of the finer grid on one side of a polygon, shape (2, points)."""
    import numpy as np

    if abs(to_x - x) < abs(to_y - y):
        return _side(y, x, to_y, to_x)[::-1]
    low, start, end = (x, y, to_y) if x <= to_x else (to_x, to_y, y)
    steps = np.arange(abs(to_x - x) + 1)
    slope = (end - start) / max(1, len(steps) - 1)
    points = np.stack([low + steps, (start + slope * steps + 0.5).astype(int)])
    return points if x <= to_x else points[:, ::-1]
