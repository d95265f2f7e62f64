"""Whether the inputs that a user gave (`--data`, `--input-data`) fit what is to be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgebench.cases.case import Case
from edgebench.cases.expand import find_model
from edgebench.cases.inputs import open_directory
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.errors import ChainError, UnknownName
from edgebench.parts.subjects import Dataset, Model


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
