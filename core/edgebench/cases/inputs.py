"""Which dataset the requests of a case come from: its own, what stands in for it, or a user's.

And what follows from that: whether what the user gave (`--data`, `--calibration`) fits what is to
be measured, and the metrics of a case. What a split of that dataset holds is
kept by `store.splits`, and made into tensors of a model by `prepare.data`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgebench.cases.case import CALIBRATION, Case
from edgebench.cases.chain import structure, write_differing
from edgebench.cases.expand import Subject, find_model, is_there
from edgebench.cases.study import Study
from edgebench.catalogue.blame import blame
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.datasets import Dataset, Metric, Sample, Unreadable
from edgebench.parts.errors import ChainError, DataError, Missing, OptionError, UnknownName
from edgebench.parts.subjects import Look, Model


def look_at(case: Case, plugins: Plugins) -> Look:
    """Return what shows of a case's model and inputs at once, where they are a user's own.

    Raises:
        DataError: Something that was given is not what it must be.
        CaseFailed: A part failed to look.
    """
    model, file = plugins.get(Model, case.model), case.weights.path
    with blame(plugins, Model, model.name):
        given = model.inputs is not None or case.data is not None
        dataset = find_dataset(case, plugins) if given else None
        found = Look()
        if model.look is not None and file is not None:
            found = model.look(case.variant, file, read_model_options(case, plugins))
        lines = dataset.look() if dataset and dataset.look else ()
        return attrs.evolve(found, understood=lines)


def why_too_many(case: Case, most: int | None) -> str | None:
    """Return why a request cannot hold as many samples as a case asks for, or None."""
    if most is None or case.batch <= most:
        return None
    return f"{case.subject} takes {most} sample{'s' * (most != 1)} a request, not {case.batch}"


def read_model_options(case: Case, plugins: Plugins) -> Any:
    """Return the options of a case's model, as an instance of its options class."""
    model, said = plugins.get(Model, case.model), case.options
    # What was said of the data of a dataset is none of its model's.
    said += () if case.dataset else case.data_options
    return structure(model.options, said, case.model)


def find_dataset(case: Case, plugins: Plugins) -> Dataset | None:
    """Return the dataset that a case's requests come from; None where they are to be drawn.

    Raises:
        DataError: What the user gave for it is not what it must be.
    """
    model = plugins.get(Model, case.model)
    if model.inputs is not None and case.weights.path is not None:
        said = (*case.options, *case.data_options)
        return _read_file(model, case.weights.path, said, case.data)
    if not case.dataset:
        return None
    dataset = plugins.get(Dataset, case.dataset)
    if case.data is not None:
        found = open_directory(dataset, case.data)
        if case.calibration is None:
            return found
        return _calibrate(found, open_directory(dataset, case.calibration))
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
    if not (is_there(directory) and directory.is_dir()):
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


def forget_data() -> None:
    """Have what lies at a path read anew: whoever plans in the same process may have changed it."""
    _read_file.cache_clear()
    open_directory.cache_clear()


def _calibrate(dataset: Dataset, other: Dataset) -> Dataset:
    """Return a dataset that takes what it calibrates with from another directory of its owner's."""

    def samples(split: str, seed: int) -> Iterable[Sample | Unreadable]:
        chosen = other if split == "calibration" else dataset
        return chosen.samples(split, seed) if chosen.samples else ()

    return attrs.evolve(dataset, samples=samples)


def _metric_names(dataset: Dataset) -> list[str]:
    return [metric.name for metric in dataset.metrics()]


def choose_dataset(
    model: Model, variant: str, plugins: Plugins, data: Mapping[str, Path], own: Path | None = None
) -> tuple[str, Path | None]:
    """Return the dataset that a variant is measured on, and the directory where it is one.

    What the user gave by a name comes first, then what was given without one (*own*) where one
    dataset alone may be meant, then the variant's own; where that has to be given and was not,
    what stands in for it.

    Raises:
        ChainError: Several may be meant.
    """
    for name in model.datasets_of(variant):
        if name in data:
            return name, data[name]
    if own is not None and (takers := _list_takers(model, variant, plugins)):
        if len(takers) > 1:
            wanted = " or ".join(f"{name}={own}" for name in takers)
            raise ChainError(f"--data {own}: say what it is for {model.name}: --data {wanted}")
        return takers[0], own
    usual, stand_in = model.dataset_of(variant), model.variant(variant).stand_in
    return (stand_in, None) if stand_in and _must_be_given(usual, plugins) else (usual, None)


def _list_takers(model: Model, variant: str, plugins: Plugins) -> list[str]:
    """Return the datasets of a variant that are read from a user's directory."""
    names = [one for one in model.datasets_of(variant) if plugins.why_not(Dataset, one) is None]
    return [one for one in names if plugins.get(Dataset, one).from_directory is not None]


def choose_data(subject: Subject, study: Study, plugins: Plugins) -> Subject:
    """Return a subject with what it is measured on: its dataset, or what the user gave.

    Raises:
        EdgebenchError: What was given, or said of it, is not for such a model.
    """
    model, own = find_model(subject.model, plugins), study.input_data
    said = study.data_options
    if study.calibration:
        if CALIBRATION in dict(said):
            raise OptionError("--calibration: the brackets of --data say it too; leave one out")
        said += ((CALIBRATION, str(study.calibration)),)
    if model.from_file is not None and model.inputs is None and (own or said):
        raise ChainError(f"--data: the model {model.name} takes no inputs with its files")
    if model.inputs is None:
        dataset, data = choose_dataset(model, subject.variant, plugins, study.data, own)
        if said and data and (study.calibration is None or study.data_options):
            raise ChainError(f"--data {data}: {dataset} takes no options; leave the brackets out")
        return attrs.evolve(subject, dataset=dataset, data=data, data_options=said if data else ())
    if study.calibration and CALIBRATION not in attrs.fields_dict(model.options):
        raise ChainError(f"--calibration: the model {model.name} takes none with its files")
    if twice := dict(said).keys() & dict(subject.options).keys():
        raise OptionError(f"{min(twice)} is said of the model and of its data; leave one out")
    options = structure(model.options, said, f"--data for {model.name}")
    return attrs.evolve(subject, data=own, data_options=write_differing(options))


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


def check_used(study: Study, cases: Sequence[Case], plugins: Plugins) -> None:
    """Refuse data that nothing asked for: an option is never ignored in silence.

    Raises:
        ChainError: No case uses it.
    """
    data, input_data, calibration = study.data, study.input_data, study.calibration
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
        raise ChainError(
            f"--data {input_data}: no model that is to be run takes data of your own: files and "
            "checkpoints do, and models whose dataset is given as a directory"
        )
    if calibration is not None and not any(case.calibration for case in cases):
        raise ChainError(
            f"--calibration {calibration}: no model that is to be run is measured on data of your "
            "own; give --data too"
        )
