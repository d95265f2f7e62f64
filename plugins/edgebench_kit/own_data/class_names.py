"""Which class of a model a label of the data is: by name, never by a guessed order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def match_classes(
    found: Sequence[str], model_classes: Sequence[str], where: str
) -> Mapping[str, int]:
    """Return the class number of each label that was found in *where*.

    A label is a class by its exact name, else by its name without regard to case, spaces, hyphens
    and underscores; whole numbers are class numbers where all are in range.

    Raises:
        DataError: A label is no class of the model: says which, and the nearest; or the model's
            classes have no names that say anything and the labels are names.
    """
    raise NotImplementedError
