"""What a user gives for a run, looked at before anything is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from edgebench.case import Case
from edgebench.components import Dataset
from edgebench.errors import ChainError, UnknownName
from edgebench.inputs import opened
from edgebench.plugins import Plugins

__all__ = ["check_data", "check_used"]


def check_data(data: Mapping[str, Path], plugins: Plugins) -> None:
    """Look whether each directory that was given holds the dataset that it was given for.

    Raises:
        EdgebenchError: No dataset is called so, or the directory is not what it must be.
    """
    known = [line.name for line in plugins.listed(Dataset)]
    for name, directory in data.items():
        if name not in known:
            raise UnknownName.among("dataset", name, known)
        if plugins.why_not(Dataset, name) is None:
            opened(plugins.get(Dataset, name), directory)


def check_used(data: Mapping[str, Path], input_data: Path | None, cases: Sequence[Case]) -> None:
    """Refuse data that nothing asked for: an option is never ignored in silence.

    Raises:
        ChainError: No case uses it.
    """
    used = {case.dataset for case in cases if case.data is not None}
    if unused := sorted(set(data) - used):
        raise ChainError(
            f"--data {unused[0]}: no model that is to be run is measured on {unused[0]}"
        )
    if input_data is not None and input_data not in {case.data for case in cases}:
        raise ChainError("--input-data gives the inputs of a model that is a file; none is to run")
