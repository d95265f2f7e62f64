"""ImageNet's pictures, from the directory in which their owner keeps them.

ILSVRC 2012 (Russakovsky et al., IJCV 2015). An answer is a class number, 0 to 999: the place of the
class's WordNet id among all in sorted order, as published weights have it. The ids of the ILSVRC
development kit, 1 to 1000, are in another order.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import attrs

from edgebench import DataError, Dataset, Metric, hookimpl
from edgebench.metrics.classification import top
from edgebench_kit.vision.picture_directories import (
    Pictures,
    find_folders,
    find_pictures,
    has_pictures,
    make_missing_error,
    read_text,
)

CLASSES = 1000
WORDNET = re.compile("n[0-9]{8}")
NUMBER = re.compile("[0-9]{1,4}")
PLACES = ("val", "validation", "ILSVRC/Data/CLS-LOC/val", "Data/CLS-LOC/val", "")
"""Where the pictures lie below the directory that is given, the last meaning in itself."""
TRAINING_PLACES = ("train", "ILSVRC/Data/CLS-LOC/train", "Data/CLS-LOC/train")
"""Where those to train on lie below it, in a folder for each class."""
TRAINING = 5000
"""The most pictures to train on, of each class equally many: all 1.28 million would be copied."""
SYNSETS = ("LOC_synset_mapping.txt", "synsets.txt", "imagenet_class_index.json")
"""Files that say which WordNet ids there are; one of them is enough."""
SOLUTION, KIT_IDS = "LOC_val_solution.csv", "map_clsloc.txt"
GROUND_TRUTH = "*validation_ground_truth.txt"
NO_LABELS = (GROUND_TRUTH, "*_blacklist.txt")
"""What lies in a development kit and would be taken for a list of names and labels."""
LABEL_FILES = f"val.txt (lines of a name and a class number) or {SOLUTION}"


@hookimpl
def edgebench_datasets() -> Iterable[Dataset]:
    """Offer ImageNet to those who have it."""
    yield Dataset(
        name="imagenet",
        summary="Photos of a thousand kinds of things: ImageNet's validation set.",
        from_directory=from_directory,
        layout=(
            f"val/ with the pictures in a folder for each class, or beside {LABEL_FILES}; and, for "
            "operators that train, train/ with a folder for each class"
        ),
        metrics=metrics,
    )


def metrics() -> Sequence[Metric]:
    """Give the share of pictures whose class scored best, or among the best five."""
    return top(1), top(5)


def from_directory(path: Path) -> Dataset:
    """Return the dataset with the pictures in *path* or its `val`.

    Raises:
        DataError: There are none, or what says which class they show is missing or wrong.
    """
    place = _place(path.absolute())
    beside = _beside(path.absolute(), place)
    folders = _class_folders(place)
    labels = _by_folder(folders, beside) if folders else _by_file(place, beside)
    training = _training(path.absolute(), place, beside)
    root = path.absolute() if training else place
    pictures = Pictures(
        root=root, labels=lambda: labels, answer=int, training=training, most=TRAINING
    )
    (dataset,) = edgebench_datasets()
    return attrs.evolve(dataset, samples=pictures.read_split)


def _place(path: Path) -> Path:
    """Return the directory in which the pictures, or folders of them, lie."""
    places = [path / name for name in PLACES]
    for place in places:
        if has_pictures(place) or _class_folders(place):
            return place
    nearest = next((place for place in places if place.is_dir()), path)
    raise make_missing_error("imagenet", "pictures in val/ or in class folders", nearest)


def _class_folders(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    folders = find_folders(place)
    filled = [folder for folder in folders if has_pictures(folder)]
    # An empty folder of a class still tells where the others come in the order.
    empty = [one for one in folders if WORDNET.fullmatch(one.name) and one not in filled]
    return sorted(filled + empty) if filled else []


def _training(
    path: Path, place: Path, beside: Sequence[Path]
) -> Sequence[Callable[[], dict[Path, int]]]:
    """Return what lists the pictures of each class that may be trained on; nothing if none may."""
    for name in TRAINING_PLACES:
        if (path / name) != place and (folders := _class_folders(path / name)):
            numbers = _folder_numbers(folders, beside)
            return [partial(_label_folder, folder, numbers[folder.name]) for folder in folders]
    return ()


def _label_folder(folder: Path, number: int) -> dict[Path, int]:
    return dict.fromkeys(find_pictures(folder), number)


def _beside(path: Path, place: Path) -> list[Path]:
    """List the directories in which files about the pictures may lie, the nearest first."""
    above = [one for one in (place, *place.parents) if one.is_relative_to(path)]
    kits = [*path.glob("*devkit*/data"), *path.glob("ILSVRC/devkit/data")]
    return [*above, *sorted(kits)]


def _found(pattern: str, beside: Sequence[Path], but: Sequence[str] = ()) -> Path | None:
    """Return the only file to match *pattern*, none of *but*, of the nearest directory with one.

    Raises:
        DataError: There are several.
    """
    for place in beside:
        files = sorted(
            one for one in place.glob(pattern) if one.is_file() and not any(map(one.match, but))
        )
        if len(files) > 1:
            names = " and ".join(one.name for one in files[:2])
            raise DataError(f"imagenet: both {names} in {place} may hold the labels; leave one")
        if files:
            return files[0]
    return None


def _by_folder(folders: Sequence[Path], beside: Sequence[Path]) -> dict[Path, int]:
    """Label pictures by the folder in which they lie."""
    numbers = _folder_numbers(folders, beside)
    return {one: numbers[folder.name] for folder in folders for one in find_pictures(folder)}


def _folder_numbers(folders: Sequence[Path], beside: Sequence[Path]) -> Mapping[str, int]:
    """Return the class numbers of folders, by their names."""
    names = [folder.name for folder in folders]
    numbers: Mapping[str, int]
    if all(map(NUMBER.fullmatch, names)):
        numbers = {name: _number(name, str(folders[0].parent)) for name in names}
    elif strange := [name for name in names if not WORDNET.fullmatch(name)]:
        # A name that is a number is not what is wrong, if there are others.
        first = next((name for name in strange if not NUMBER.fullmatch(name)), strange[0])
        raise DataError(
            f"imagenet: the folder {first!r} in {folders[0].parent} is named for no class: "
            f"all must be WordNet ids, as n01440764, or all class numbers, 0 to 999"
        )
    elif len(names) == CLASSES:
        numbers = {name: number for number, name in enumerate(sorted(names))}
    else:
        numbers = _synsets(beside, f"{len(names)} class folders named by WordNet ids")
    if unknown := [name for name in names if name not in numbers]:
        raise DataError(f"imagenet: the class folder {unknown[0]} is not among the known synsets")
    return numbers


def _by_file(place: Path, beside: Sequence[Path]) -> dict[Path, int]:
    """Label pictures by a file that names them."""
    named, source = _labels(beside, place)
    pictures = find_pictures(place)
    without = [one for one in pictures if one.stem not in named]
    if without:
        raise DataError(
            f"imagenet: {len(without)} of {len(pictures)} pictures in {place} have no label in "
            f"{source}, as {without[0].name}"
        )
    return {one: named[one.stem] for one in pictures}


def _labels(beside: Sequence[Path], place: Path) -> tuple[Mapping[str, int], Path]:
    """Return the class numbers of pictures, named without their ending, and the file that has them.

    Raises:
        DataError: There is no such file, or what it says is not clear.
    """
    if path := _found(SOLUTION, beside):
        numbers = _synsets(beside, f"the labels in {path}")
        return {name: _class(label, numbers, path) for name, label in _solution(path)}, path
    if path := _found("val.txt", beside) or _found("*_val*.txt", beside, but=NO_LABELS):
        rows = _rows(path)
        spelt = any(WORDNET.fullmatch(label) for _, label in rows)
        numbers = _synsets(beside, f"the labels in {path}") if spelt else {}
        return {name: _class(label, numbers, path) for name, label in rows}, path
    if path := _found(GROUND_TRUTH, beside):
        return _ground_truth(path, beside), path
    raise make_missing_error("imagenet", f"labels of its pictures: {LABEL_FILES}", place)


def _solution(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the names and WordNet ids of Kaggle's answers: `ImageId,PredictionString`."""
    for row in list(csv.reader(read_text("imagenet", path).splitlines()))[1:]:
        if len(row) != 2 or not row[1].split():
            raise DataError(f"imagenet: {path} has the row {row}, not a name and what it shows")
        yield row[0], row[1].split()[0]


def _rows(path: Path) -> list[tuple[str, str]]:
    """Return names without their endings, and labels, of lines of a name and a label."""
    rows = []
    for number, line in enumerate(read_text("imagenet", path).splitlines(), 1):
        parts = line.split()
        if parts and len(parts) != 2:
            raise DataError(f"imagenet: line {number} of {path} is not a name and a label")
        if parts:
            rows.append((PurePosixPath(parts[0]).stem, parts[1]))
    return rows


def _ground_truth(path: Path, beside: Sequence[Path]) -> dict[str, int]:
    """Read the development kit's list: a line for each picture, in the order of their names."""
    kit = _found(KIT_IDS, beside)
    if kit is None:
        raise DataError(
            f"imagenet: the numbers in {path} are ILSVRC ids, 1 to 1000, which are not class "
            f"numbers; put the kit's {KIT_IDS} beside it (its meta.mat is not read), or "
            f"{LABEL_FILES}"
        )
    words = [line.split() for line in read_text("imagenet", kit).splitlines() if line.strip()]
    wordnet = {parts[1]: parts[0] for parts in words if len(parts) > 1}
    numbers = _in_order(wordnet.values(), kit)
    classes = {identifier: numbers[name] for identifier, name in wordnet.items()}
    lines = read_text("imagenet", path).split()
    if strange := [one for one in lines if one not in classes]:
        raise DataError(f"imagenet: {path} has {strange[0]!r}, which is no ILSVRC id of {kit}")
    return {f"ILSVRC2012_val_{n:08}": classes[one] for n, one in enumerate(lines, 1)}


def _synsets(beside: Sequence[Path], why: str) -> Mapping[str, int]:
    """Return the class numbers of WordNet ids.

    Raises:
        DataError: No file says which there are, or one says something else.
    """
    for name in SYNSETS:
        if path := _found(name, beside):
            return _indexed(path) if path.suffix == ".json" else _in_order(_words(path), path)
    raise DataError(
        f"imagenet: {why} have no class numbers without the list of all {CLASSES}; put "
        f"{', '.join(SYNSETS[:2])} or {SYNSETS[2]} into {beside[0]}"
    )


def _words(path: Path) -> list[str]:
    return [line.split()[0] for line in read_text("imagenet", path).splitlines() if line.strip()]


def _indexed(path: Path) -> dict[str, int]:
    """Read Keras's index: `{"0": ["n01440764", "tench"], ...}`."""
    try:
        index = json.loads(read_text("imagenet", path))
        return {str(entry[0]): _number(key, str(path)) for key, entry in index.items()}
    except (ValueError, AttributeError, LookupError, TypeError) as error:
        raise DataError(f"imagenet: {path} is not an index of classes: {error}") from error


def _in_order(names: Iterable[str], path: Path) -> dict[str, int]:
    known = sorted({name for name in names if WORDNET.fullmatch(name)})
    if len(known) != CLASSES:
        raise DataError(f"imagenet: {path} must list {CLASSES} WordNet ids, and has {len(known)}")
    return {name: number for number, name in enumerate(known)}


def _class(label: str, numbers: Mapping[str, int], path: Path) -> int:
    if not WORDNET.fullmatch(label):
        return _number(label, str(path))
    if label not in numbers:
        raise DataError(f"imagenet: {path} has the class {label}, which is not among the synsets")
    return numbers[label]


def _number(text: str, where: str) -> int:
    """Read a class number.

    Raises:
        DataError: It is none; if it is 1000, ids of the development kit were probably meant.
    """
    if not NUMBER.fullmatch(text) or int(text) >= CLASSES:
        raise DataError(
            f"imagenet: {where} has the label {text!r}; class numbers are 0 to 999, the places "
            f"among the sorted WordNet ids, not ILSVRC ids from 1 to 1000"
        )
    return int(text)
