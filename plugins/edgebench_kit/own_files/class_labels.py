"""The names of a model's classes, as transformers notes them in `config.json`."""

from __future__ import annotations

from pathlib import Path

from edgebench_kit.files.documents import read_document
from edgebench_kit.own_data.noted_classes import check_classes, list_classes
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
    document = read_document(path)
    if not isinstance(document, dict) or not document.get("id2label"):
        return ()
    check_classes(document, path)
    return list_classes(document)
