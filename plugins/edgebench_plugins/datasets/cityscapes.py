"""Cityscapes' street scenes with a class for each pixel, from the directory they are shipped in.

The finely annotated validation set (Cordts et al., CVPR 2016): 500 scenes of 2048x1024 pixels, the
19 classes that are evaluated; everything else is 255 and does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Dataset, Metric, hookimpl
from edgebench.metrics.segmentation import mean_iou
from edgebench_kit.vision.picture_directories import (
    Pictures,
    find_folders,
    find_pictures,
    make_missing_error,
    read_mask,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = 19
EVALUATED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The label ids that are evaluated, in the order of their train ids, 0 to 18."""
TRAINING = 200
"""The most scenes to train on, of each city equally many: a trainer may hold them in memory (25 MB
each, of 2048x1024 pixels)."""
SCENE = "_leftImg8bit"
TRAIN_IDS, LABEL_IDS = "_gtFine_labelTrainIds.png", "_gtFine_labelIds.png"


@hookimpl
def edgebench_datasets() -> Iterable[Dataset]:
    """Offer Cityscapes to those who have it."""
    yield Dataset(
        name="cityscapes",
        summary="Street scenes with a class of 19 for each pixel: Cityscapes' validation set.",
        from_directory=from_directory,
        layout=f"leftImg8bit/val/CITY/*{SCENE}.png with gtFine/val/CITY/*{LABEL_IDS}; and, for "
        "operators that train, train/ beside each val/",
        metrics=metrics,
    )


def metrics() -> Sequence[Metric]:
    """Give the mean intersection over union of the classes."""
    return (mean_iou(CLASSES),)


def from_directory(path: Path) -> Dataset:
    """Return the dataset with the scenes of the cities that are for validation.

    Raises:
        DataError: There are none, or the masks of some are not there.
    """
    scenes, masks = (_part(path, part) for part in ("leftImg8bit", "gtFine"))
    labels = {
        scene: mask for city in find_folders(scenes) for scene, mask in _label(city, masks).items()
    }
    if not labels:
        raise make_missing_error("cityscapes", f"CITY/*{SCENE}.png", scenes)
    training = _training(scenes.parent / "train", masks.parent / "train")
    pictures = Pictures(
        root=path, labels=lambda: labels, answer=read_answer, training=training, most=TRAINING
    )
    (dataset,) = edgebench_datasets()
    return attrs.evolve(dataset, samples=pictures.read_split)


def _label(city: Path, masks: Path) -> dict[Path, Path]:
    """Return the mask of each scene of a city.

    Raises:
        DataError: There is none for one.
    """
    return {
        scene: _mask(masks / city.name / scene.stem.removesuffix(SCENE))
        for scene in find_pictures(city)
        if scene.stem.endswith(SCENE)
    }


def _training(scenes: Path, masks: Path) -> Sequence[Callable[[], dict[Path, Path]]]:
    """Return what lists the scenes of each city to train on; nothing if there are none."""
    if not scenes.is_dir() or not masks.is_dir():
        return ()
    return [partial(_label, city, masks) for city in find_folders(scenes)]


def _part(path: Path, part: str) -> Path:
    """Return the folder of the validation set, also where an archive was unpacked into its own."""
    for place in (path / part, path / f"{part}_trainvaltest" / part):
        if (place / "val").is_dir():
            return place / "val"
    raise make_missing_error("cityscapes", f"{part}/val", path)


def _mask(scene: Path) -> Path:
    """Return the mask of a scene, in train ids where there is one.

    Raises:
        DataError: There is none.
    """
    for ending in (TRAIN_IDS, LABEL_IDS):
        if (mask := scene.with_name(scene.name + ending)).is_file():
            return mask
    raise make_missing_error("cityscapes", f"{scene.name}{LABEL_IDS}", scene.parent)


def read_answer(mask: Path) -> NDArray[Any]:
    """Read a mask as train ids, uint8 of shape (height, width)."""
    return read_mask(mask, CLASSES, None if mask.name.endswith(TRAIN_IDS) else _train_ids())


def _train_ids() -> NDArray[Any]:
    """Return the train id of each label id, shape (256,)."""
    import numpy as np

    numbers = np.full(256, 255, np.uint8)
    numbers[list(EVALUATED)] = range(CLASSES)
    return numbers
