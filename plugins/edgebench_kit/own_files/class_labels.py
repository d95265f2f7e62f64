"""The names of a model's classes, as transformers notes them in `config.json`."""

from __future__ import annotations

from pathlib import Path

from edgebench import DataError
from edgebench_kit.own_files.sources import LABELS
from edgebench_kit.vision.recipes import read_document


def read_labels(directory: Path) -> tuple[str, ...]:
    """Return the names of classes in the model's order, none where nothing is noted.

    Raises:
        DataError: `config.json` cannot be read, or leaves a class without a name.
    """
    path = directory / LABELS
    if not path.is_file():
        return ()
    document = read_document(path)
    noted = document.get("id2label") if isinstance(document, dict) else None
    if not noted:
        return ()
    if not isinstance(noted, dict) or not all(str(key).isdecimal() for key in noted):
        raise DataError(f"{path}: 'id2label' is names by the number of their class")
    names = {int(key): str(name) for key, name in noted.items()}
    if set(names) != set(range(len(names))):
        lost = min(set(range(len(names))) - set(names))
        raise DataError(f"{path}: 'id2label' has {len(names)} names and none of class {lost}")
    return tuple(names[number] for number in range(len(names)))
