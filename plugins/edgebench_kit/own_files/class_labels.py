"""The names of a model's classes, as transformers notes them in `config.json`."""

from __future__ import annotations

from pathlib import Path

from edgebench_kit.checkpoints.configurations import check_classes, list_classes
from edgebench_kit.checkpoints.json_files import read_table
from edgebench_kit.own_files.sources import LABELS


def read_labels(directory: Path) -> tuple[str, ...]:
    """Return the names of classes in the model's order, none where nothing is noted.

    Raises:
        DataError: `config.json` cannot be read, leaves a class without a name, contradicts itself,
            or is of a model whose samples have several classes or none.
    """
    path = directory / LABELS
    if not path.is_file():
        return ()
    document = read_table(path)
    if not document.get("id2label"):
        return ()
    check_classes(document, path)
    return list_classes(document)
