"""What the requests of a case are made of: its dataset, what stands in for it, or a user's own."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgebench.artifacts import remembered_digest
from edgebench.case import Case, digest
from edgebench.chain import structure
from edgebench.components import Dataset, Model
from edgebench.errors import ChainError, DataError, Missing
from edgebench.plugins import Plugins

__all__ = [
    "chosen",
    "content_digest",
    "dataset_of",
    "described",
    "listing_digest",
    "model_options",
    "no_accuracy",
]


def model_options(case: Case, plugins: Plugins) -> Any:
    """Return the options of a case's model, as an instance of its options class."""
    return structure(plugins.get(Model, case.model).options, case.options, case.model)


def dataset_of(case: Case, plugins: Plugins) -> Dataset | None:
    """Return the dataset that a case's requests come from; None where they are to be drawn.

    Raises:
        DataError: What the user gave for it is not what it must be.
    """
    model = plugins.get(Model, case.model)
    if model.inputs is not None and case.weights.path is not None:
        return _of_file(model, case.weights.path, model_options(case, plugins), case.data)
    if not case.dataset:
        return None
    dataset = plugins.get(Dataset, case.dataset)
    if case.data is not None:
        return opened(dataset, case.data)
    if dataset.samples is None:
        raise DataError(_not_given(dataset))
    return dataset


@functools.lru_cache(maxsize=16)
def _of_file(model: Model, file: Path, options: Any, data: Path | None) -> Dataset | None:
    return model.inputs(file, options, data) if model.inputs else None


@functools.lru_cache(maxsize=16)
def opened(dataset: Dataset, directory: Path) -> Dataset:
    """Return the dataset of a directory in which its owner ships it.

    Raises:
        DataError: There is no such directory, it is not what it must be, or none is taken.
    """
    if dataset.from_directory is None:
        raise DataError(f"{dataset.name} is made here and takes no directory; leave --data out")
    if not directory.is_dir():
        raise DataError(
            f"--data {dataset.name}: {directory} is no directory; "
            f"it must be one with {dataset.layout}"
        )
    found = dataset.from_directory(directory)
    if found.samples is None:
        raise DataError(f"{dataset.name} made nothing of the directory {directory}")
    return found


def chosen(
    model: Model, variant: str, plugins: Plugins, data: Mapping[str, Path]
) -> tuple[str, Path | None]:
    """Return the dataset that a variant is measured on, and the directory where it is one.

    What the user gave comes first, then its own; where that has to be given and was not, what
    stands in for it.
    """
    for name in model.datasets_of(variant):
        if name in data:
            return name, data[name]
    own, stand_in = model.dataset_of(variant), model.variant(variant).stand_in
    return (stand_in, None) if stand_in and _must_be_given(own, plugins) else (own, None)


def _must_be_given(name: str, plugins: Plugins) -> bool:
    try:
        return plugins.get(Dataset, name).samples is None
    except Missing:
        # What it stands on is not installed: whether or not it is given, it cannot be read.
        return True


def why_no_inputs(case: Case, plugins: Plugins) -> str | None:
    """Return why a case has nothing to be measured on, or None."""
    if not case.dataset or case.data is not None:
        return None
    dataset = plugins.get(Dataset, case.dataset)
    return _not_given(dataset) if dataset.samples is None else None


def _not_given(dataset: Dataset) -> str:
    name = dataset.name
    return f"{name} has to be given: --data {name}=DIR, with {dataset.layout or 'its files'}"


def no_accuracy(case: Case, plugins: Plugins) -> str:
    """Return why a case has no accuracy; empty if it has one."""
    if case.weights.kind == "random":
        return "random weights"
    dataset = dataset_of(case, plugins)
    if dataset is None:
        return "no labelled inputs"
    if own := _stood_in_for(case, plugins):
        return f"inputs of {case.dataset} stand in for {own}; give --data {own}=DIR"
    if not dataset.metrics():
        return f"{case.dataset} has no metric" if case.dataset else "no labelled inputs"
    return ""


def _stood_in_for(case: Case, plugins: Plugins) -> str:
    """Return the dataset whose place a case's takes; empty if that is one of its model's."""
    model = plugins.get(Model, case.model)
    if not case.dataset or case.dataset in model.datasets_of(case.variant):
        return ""
    return model.dataset_of(case.variant)


def described(case: Case, plugins: Plugins) -> str:
    """Say in words what a case's requests are made of."""
    dataset = dataset_of(case, plugins)
    if dataset is None:
        return "random inputs"
    notes = ["synthetic"] if dataset.synthetic else []
    if own := _stood_in_for(case, plugins):
        notes.append(f"stands in for {own}")
    return dataset.name + (f" ({', '.join(notes)})" if notes else "")


def content_digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files of a directory with their names.

    Raises:
        ChainError: It is not there.
        DataError: A file of it cannot be read.
    """
    if not path.exists():
        raise ChainError(f"no file or directory is called {str(path)!r}")
    return _digest_of(path) if path.is_file() else digest([
        [str(file.relative_to(path)), _digest_of(file)] for file in _files(path)
    ])  # fmt: skip


def listing_digest(path: Path) -> str:
    """Return a digest of the names, sizes and times of change of all files of a directory.

    A dataset may hold gigabytes; what changes a file without changing these is not noticed.
    """
    if path.is_file():
        return content_digest(path)
    return digest([[str(file.relative_to(path)), *_stamp(file)] for file in _files(path)])


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:
        # A link to nothing: whoever reads the directory says so.
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _files(directory: Path) -> Iterator[Path]:
    """Yield every file below a directory in order, those behind links to directories too."""
    seen: set[tuple[int, int]] = set()
    for where, below, names in os.walk(directory, followlinks=True):
        here = Path(where).stat()
        if (here.st_dev, here.st_ino) in seen:
            below.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        below.sort()
        yield from (Path(where, name) for name in sorted(names))


def _digest_of(path: Path) -> str:
    try:
        return remembered_digest(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
