"""The classes of a model as transformers notes them in `config.json`, their names in order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgebench import DataError

DEFAULT_CLASSES = 2
"""How many classes transformers has where a configuration does not say it."""


def check_classes(found: Mapping[str, Any], path: Path) -> None:
    """See that a configuration is of classes of which each sample has one, and names them well.

    Raises:
        DataError: It is not, or its names and numbers contradict each other.
    """
    problem = found.get("problem_type")
    if problem not in (None, "single_label_classification"):
        raise DataError(
            f"{path} says problem_type {problem!r}: accuracy is of classes of which a sample has "
            "one"
        )
    names = found.get("id2label")
    if names is not None and not isinstance(names, dict):
        raise DataError(f"{path}: id2label is of names by number, not {type(names).__name__}")
    if names is not None and set(names) != {str(number) for number in range(len(names))}:
        raise DataError(
            f"{path}: the {len(names)} numbers of id2label are not 0 to {len(names) - 1}"
        )
    count = found.get("num_labels", DEFAULT_CLASSES) if names is None else len(names)
    if not isinstance(count, int) or isinstance(count, bool) or not 2 <= count <= 10**6:
        raise DataError(f"{path} is of {count!r} classes: a classifier has 2 to 1,000,000")
    _check_order(found, path)


def _check_order(found: Mapping[str, Any], path: Path) -> None:
    """Raise where names and numbers of classes contradict each other."""
    numbers = found.get("label2id")
    names = list_classes(found)
    if not isinstance(numbers, dict) or found.get("id2label") is None:
        return
    for number, name in enumerate(names):
        said = numbers.get(name, number)
        # Of several classes of one name label2id can hold one.
        if said != number and names.count(name) == 1:
            raise DataError(
                f"{path}: id2label calls class {number} {name!r}, and label2id says that {name!r} "
                f"is {said}; make the two agree"
            )


def list_classes(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes of a configuration, in the order of their numbers."""
    names = settings.get("id2label")
    if names is None:
        count = settings.get("num_labels", DEFAULT_CLASSES)
        return tuple(f"LABEL_{number}" for number in range(count))
    return tuple(str(names[str(number)]) for number in range(len(names)))
