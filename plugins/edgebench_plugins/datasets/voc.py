"""PASCAL VOC's photos with a class for each pixel, from the directory in which they are shipped.

The validation set of the segmentation challenge (Everingham et al., IJCV 2010): 20 classes after 0,
the background; 255 marks the outlines of things and what is hard to tell, and does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import attrs

from edgebench import Dataset, Metric, hookimpl
from edgebench.metrics.segmentation import mean_iou
from edgebench_kit.vision.picture_directories import (
    Pictures,
    make_missing_error,
    read_mask,
    read_text,
)

CLASSES = 21
YEARS = ("", "VOC2012", "VOCdevkit/VOC2012", "VOC20*", "VOCdevkit/VOC20*")
"""Where the folder of a year lies below the directory that is given."""
NAMES, TRAINING_NAMES = "ImageSets/Segmentation/val.txt", "ImageSets/Segmentation/train.txt"
PICTURES, MASKS = "JPEGImages", "SegmentationClass"
TRAINING = 500
"""The most photos to train on: a trainer may hold them in memory (3 MB each, of 520x520 pixels)."""


@hookimpl
def edgebench_datasets() -> Iterable[Dataset]:
    """Offer PASCAL VOC to those who have it."""
    yield Dataset(
        name="voc",
        summary="Photos with a class of 21 for each pixel: PASCAL VOC's validation set.",
        from_directory=from_directory,
        layout=(
            f"VOCdevkit/VOC2012 or the year's folder, with {PICTURES}, {MASKS} and {NAMES}; and, "
            f"for operators that train, {TRAINING_NAMES}"
        ),
        metrics=metrics,
    )


def metrics() -> Sequence[Metric]:
    """Give the mean intersection over union of the classes."""
    return (mean_iou(CLASSES),)


def from_directory(path: Path) -> Dataset:
    """Return the dataset with the pictures of a year that are listed for validation.

    Raises:
        DataError: The directory is not laid out so, or none of those pictures is there.
    """
    root = _year(path)
    labels = _label(root, NAMES)
    if not any(picture.is_file() and mask.is_file() for picture, mask in labels.items()):
        found = f"none of the {len(labels)} names with a picture and a mask"
        raise make_missing_error("voc", f"the pictures that {NAMES} names", root, found)
    pictures = Pictures(
        root=root,
        labels=lambda: labels,
        answer=partial(read_mask, classes=CLASSES),
        training=[partial(_label, root, TRAINING_NAMES)] * (root / TRAINING_NAMES).is_file(),
        most=TRAINING,
    )
    (dataset,) = edgebench_datasets()
    return attrs.evolve(dataset, samples=pictures.read_split)


def _label(root: Path, names: str) -> dict[Path, Path]:
    """Return the mask of each picture that a list names."""
    listed = read_text("voc", root / names).split()
    return {root / PICTURES / f"{one}.jpg": root / MASKS / f"{one}.png" for one in listed}


def _year(path: Path) -> Path:
    """Return the folder of a year; of several, that of 2012, or else the last."""
    for pattern in YEARS:
        years = sorted(path.glob(pattern)) if pattern else [path]
        for year in reversed(years):
            if (year / PICTURES).is_dir():
                lacking = [name for name in (NAMES, MASKS) if not (year / name).exists()]
                if lacking:
                    raise make_missing_error("voc", lacking[0], year)
                return year
    raise make_missing_error("voc", f"VOCdevkit/VOC2012 or {PICTURES}, {MASKS} and {NAMES}", path)
