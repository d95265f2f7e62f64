"""A user's own data as the requests of a model that is a file, its classes by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from edgebench import DataError, Dataset, Metric, Sample, Unreadable
from edgebench_kit.own_data.class_names import read_class_names
from edgebench_kit.own_data.datasets import make_dataset
from edgebench_kit.own_data.own import OwnData
from edgebench_kit.own_files.class_labels import read_labels
from edgebench_kit.own_files.picture_requests import PictureRequest
from edgebench_kit.own_files.requests import Prepared, Request
from edgebench_kit.own_files.sources import LABELS, Source

UNNAMED = "LABEL_"
"""What classes without names are called, before their number, as transformers does."""
REMEDY = "say how a request becomes its input: preprocess=imagenet, preprocess=DIR with {}, or {}"
RECIPES = REMEDY.format("preprocessor_config.json", "preprocess=FILE.json")
TOKENIZERS = REMEDY.format("tokenizer.json", "preprocess=FILE.json").replace("imagenet, ", "", 1)
TRIED = 3
"""As many samples are made into inputs when the data is looked at."""
FITTING = {"pictures": "pictures", "masks": "pictures", "texts": "texts"}
"""What a request is made of, by the kind of data."""


def name_classes(file: Path, source: Source, count: int | None, given: Path | None) -> list[str]:
    """Return what the classes of a file are called, by their numbers where nothing names them.

    The names are those of a `config.json` where the source lies, or beside the file; *given* is a
    file of names that goes before them, and must not contradict their order. *count* is how many
    there are, None where unknown.

    Raises:
        DataError: There are as many names as there are not classes, or those given are in another
            order.
    """
    places = [path.parent for path in (source.pictures, source.texts) if path]
    for place in dict.fromkeys((*places, file.parent)):
        names = _read_fitting(place, count) if given else read_labels(place)
        if given and names:
            read_class_names(given, names, str(place / LABELS))
        if names and count not in (None, len(names)):
            raise DataError(
                f"{place / LABELS} names {len(names)} classes, and {file} has {count}; "
                "classes=FILE gives names, one a line"
            )
        if names:
            return list(names)
    return [f"{UNNAMED}{number}" for number in range(count or 0)]


def _read_fitting(place: Path, count: int | None) -> tuple[str, ...]:
    """Return the names that are noted, none where they are not of so many classes."""
    try:
        names = read_labels(place)
    except DataError:
        return ()  # other names are given, whatever is wrong with these
    return names if count in (None, len(names)) else ()


def open_own_data(
    data: OwnData,
    prepared: Prepared,
    classes: Sequence[str],
    source: Source,
    *,
    file: Path,
    metrics: Callable[[], Sequence[Metric]],
) -> Dataset:
    """Make the dataset of data that is no arrays for a model that is a file.

    Raises:
        DataError: Nothing says how such a request becomes an input, or it becomes another kind of.
    """
    request, wanted = prepared.request, FITTING.get(data.kind)
    if wanted is None:
        raise DataError(f"{data.path} holds {data.kind}, which are no requests of {file}")
    if request is None or request.kind != wanted:
        why = prepared.lacking or f"{file} takes tensors"
        if request is not None:
            why = f"{file} takes {request.kind}"
        remedy = RECIPES if wanted == "pictures" else TOKENIZERS
        raise DataError(f"{data.path} holds {data.kind}, and {why}; {remedy}")
    dataset = make_dataset(data, classes, metrics=metrics)
    if data.kind == "masks" and isinstance(request, PictureRequest) and request.recipe.moves:
        dataset = _place_masks(dataset, request)
    told = add_line(dataset, f"{request.describe()}, {source.told}")
    return attrs.evolve(told, look=lambda: _look_and_try(told, request))


def _look_and_try(dataset: Dataset, request: Request) -> Sequence[str]:
    """Return what was understood, once some samples were made into inputs.

    Raises:
        DataError: What is made of one does not fit the model.
    """
    said = dataset.look() if dataset.look else ()
    samples = dataset.samples("test", 0) if dataset.samples else ()
    for payload, _ in islice((one for one in samples if not isinstance(one, Unreadable)), TRIED):
        request.preprocess(request.decode(payload))
    return said


def add_line(dataset: Dataset, line: str) -> Dataset:
    """Return a dataset that says one line more of what was understood."""
    look = dataset.look
    return attrs.evolve(dataset, look=lambda: [*(look() if look else ()), line])


def _place_masks(dataset: Dataset, request: PictureRequest) -> Dataset:
    """Return a dataset whose masks are cut and padded as its pictures are."""

    def samples(split: str, seed: int) -> Iterator[Sample | Unreadable]:
        for one in dataset.samples(split, seed) if dataset.samples else ():
            yield one if isinstance(one, Unreadable) else (one[0], _place(one[1]))

    def _place(mask: Any) -> Any:
        return request.recipe.place_mask(mask)

    return attrs.evolve(dataset, samples=samples)
