"""Which dataset the requests of a case come from: its own, what stands in for it, or a user's.

And what follows from that: whether what the user gave (`--data`, `--input-data`) fits what is to be
measured, and the metrics of a case. What a split of that dataset holds is
kept by `store.splits`, and made into tensors of a model by `prepare.data`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgebench.cases.case import Case
from edgebench.cases.chain import structure
from edgebench.cases.expand import find_model
from edgebench.catalogue.blame import blame
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.errors import ChainError, DataError, Missing, UnknownName
from edgebench.parts.subjects import Dataset, Look, Metric, Model


def look_at(case: Case, plugins: Plugins) -> Look:
    """Return what shows of a case's model and inputs at once, where they are a user's own.

    Raises:
        DataError: Something that was given is not what it must be.
        CaseFailed: A part failed to look.
    """
    model, file = plugins.get(Model, case.model), case.weights.path
    with blame(plugins, Model, model.name):
        if model.inputs is not None:
            find_dataset(case, plugins)
        if model.look is None or file is None:
            return Look()
        return model.look(case.variant, file, read_model_options(case, plugins))


def why_too_many(case: Case, most: int | None) -> str | None:
    """Return why a request cannot hold as many samples as a case asks for, or None."""
    if most is None or case.batch <= most:
        return None
    return f"{case.subject} takes {most} sample{'s' * (most != 1)} a request, not {case.batch}"


def read_model_options(case: Case, plugins: Plugins) -> Any:
    """Return the options of a case's model, as an instance of its options class."""
    return structure(plugins.get(Model, case.model).options, case.options, case.model)


def find_dataset(case: Case, plugins: Plugins) -> Dataset | None:
    """Return the dataset that a case's requests come from; None where they are to be drawn.

    Raises:
        DataError: What the user gave for it is not what it must be.
    """
    model = plugins.get(Model, case.model)
    if model.inputs is not None and case.weights.path is not None:
        return _read_file(model, case.weights.path, case.options, case.data)
    if not case.dataset:
        return None
    dataset = plugins.get(Dataset, case.dataset)
    if case.data is not None:
        return open_directory(dataset, case.data)
    if dataset.samples is None:
        raise DataError(_say_not_given(dataset))
    return dataset


# By the options as they were written: an author's own class may not be hashable.
@functools.lru_cache(maxsize=16)
def _read_file(
    model: Model, file: Path, said: tuple[tuple[str, str], ...], data: Path | None
) -> Dataset | None:
    options = structure(model.options, said, model.name)
    return model.inputs(file, options, data) if model.inputs else None


@functools.lru_cache(maxsize=16)
def open_directory(dataset: Dataset, directory: Path) -> Dataset:
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
    if _metric_names(found) != _metric_names(dataset):
        raise DataError(
            f"{dataset.name} has other metrics in the directory {directory} "
            f"({', '.join(_metric_names(found)) or 'none'}) than it offers "
            f"({', '.join(_metric_names(dataset)) or 'none'}); its author must make them the same"
        )
    return found


def _metric_names(dataset: Dataset) -> list[str]:
    return [metric.name for metric in dataset.metrics()]


def choose_dataset(
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


def choose_data(model: Model, directory: Path | None, own: Path | None) -> Path | None:
    """Return what the user gave for a model's inputs.

    Args:
        model: What is to be measured.
        directory: The directory that was given for its dataset, if any.
        own: What was given as inputs of models that are files, if anything.

    Raises:
        ChainError: It is a file that takes none, and some are given.
    """
    if model.from_file is not None and model.inputs is not None:
        return own
    if model.from_file is not None and own is not None:
        raise ChainError(
            f"--input-data: the model {model.name} takes no inputs with its files; leave it out"
        )
    return directory


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
    return _say_not_given(dataset) if dataset.samples is None else None


def _say_not_given(dataset: Dataset) -> str:
    name = dataset.name
    return f"{name} has to be given: --data {name}=DIR, with {dataset.layout or 'its files'}"


def find_metrics(case: Case, plugins: Plugins) -> Sequence[Metric]:
    """Return the metrics of a case's dataset, the one that decides first; none if it has none.

    Those of the record that a plugin offers: a host that scores need not have the directory that
    the user gave. Only a model that is a file says by its file and options what it is judged by.
    """
    if plugins.get(Model, case.model).inputs is not None and case.weights.path is not None:
        dataset = find_dataset(case, plugins)
        return dataset.metrics() if dataset else ()
    return plugins.get(Dataset, case.dataset).metrics() if case.dataset else ()


def check_data(data: Mapping[str, Path], plugins: Plugins) -> None:
    """Look whether each directory that was given holds the dataset that it was given for.

    Raises:
        EdgebenchError: No dataset is called so, or the directory is not what it must be.
    """
    known = [line.name for line in plugins.listed(Dataset)] if data else []
    for name, directory in data.items():
        if name not in known:
            raise UnknownName.among("dataset", name, known)
        if plugins.why_not(Dataset, name) is None:
            open_directory(plugins.get(Dataset, name), directory)


def check_used(
    data: Mapping[str, Path], input_data: Path | None, cases: Sequence[Case], plugins: Plugins
) -> None:
    """Refuse data that nothing asked for: an option is never ignored in silence.

    Raises:
        ChainError: No case uses it.
    """
    used = {case.dataset for case in cases if case.data is not None}
    for name in sorted(set(data) - used):
        for case in cases:
            model = find_model(case.model, plugins)
            if case.dataset in data and name in model.datasets_of(case.variant):
                raise ChainError(
                    f"--data {name}: {case.model}:{case.variant} is measured on {case.dataset}, "
                    "which is given too; give one of the two"
                )
        raise ChainError(f"--data {name}: no model that is to be run is measured on {name}")
    if input_data is not None and input_data not in {case.data for case in cases}:
        raise ChainError("--input-data gives the inputs of a model that is a file; none is to run")
