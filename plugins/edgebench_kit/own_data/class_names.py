"""Which class of a model a label of the data is: by name, never by a guessed order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from edgebench import DataError
from edgebench_kit.own_data.text_files import decode_text, read_file

SILENT = re.compile(r"(label|class)[ _-]*[0-9]+|[0-9]+", re.IGNORECASE)
"""Names of classes that say nothing but a number, as LABEL_0."""
NUMBER = re.compile(r"[0-9]{1,9}")
MEASURE = re.compile(r"[+-]?[0-9.,]+(e[+-]?[0-9]+)?", re.IGNORECASE)
"""A number of any kind, in which no sign separates."""
SEPARATOR = re.compile(r"(?<=[^\W_])(-+|\s+-\s+)(?=[^\W_])|[\s_]+")
"""What separates words: a hyphen only between two, since -1 is not 1 and A- is not A."""


def match_classes(
    found: Sequence[str], model_classes: Sequence[str], where: str
) -> Mapping[str, int]:
    """Return the class number of each label that was found in *where*.

    A label is a class by its exact name, else by its name without regard to case and to what
    separates words: spaces, hyphens, underscores; whole numbers that are no names are class numbers
    where all are in range. Without *model_classes*, numbers are class numbers.

    Raises:
        DataError: A label is no class of the model: says which, and the nearest; or the model's
            classes have no names that say anything and the labels are names.
    """
    counts = Counter(model_classes)
    exact = {name: number for number, name in enumerate(model_classes) if counts[name] == 1}
    alike: dict[str, set[int]] = {}
    for number, name in enumerate(model_classes):
        alike.setdefault(simplify(name), set()).add(number)
    numbers: dict[str, int] = {}
    for label in found:
        same = alike.get(simplify(label), set())
        if label in exact:
            numbers[label] = exact[label]
        elif len(same) == 1:
            numbers[label] = next(iter(same))
    if all(label in numbers for label in found):
        return numbers
    if all(NUMBER.fullmatch(label) for label in found):
        _refuse_named(found, numbers, model_classes, where)
        return _take_numbers(found, len(model_classes), where)
    if all(SILENT.fullmatch(name.strip()) for name in model_classes):
        raise DataError(_say_silent(found, model_classes, where))
    strange = next(label for label in found if label not in numbers)
    if several := alike.get(simplify(strange)):
        raise DataError(
            f"{where}: the label {_quote(strange)} may be any of {len(several)} classes of the "
            "model; call each by its own name in the data, and in a file for classes=FILE"
        )
    raise DataError(
        f"{where}: the label {_quote(strange)} is none of the model's {len(model_classes)} classes "
        f"({list_names(model_classes)}){_suggest(strange, model_classes)} rename it, or give "
        "classes=FILE with the model's classes in their order, one a line, as the data calls them"
    )


def _refuse_named(
    found: Sequence[str], numbers: Mapping[str, int], model_classes: Sequence[str], where: str
) -> None:
    """Refuse numbers of which some are names of classes with other numbers.

    They may be either, and what they are taken for decides what is right. So they may where each
    class is called by a number of its own, as `1 star`.

    Raises:
        DataError: There are such.
    """
    if strange := next((label for label, number in numbers.items() if number != int(label)), None):
        nameless = next(label for label in found if label not in numbers)
        raise DataError(
            f"{where}: the label {strange} is the name of the model's class {numbers[strange]}, "
            f"and {nameless} is the name of none of its {len(model_classes)}: whether labels are "
            "names or numbers cannot be told; give classes=FILE with the model's classes in their "
            "order, one a line, as the data calls them"
        )
    called = _find_numbers(model_classes)
    if strange := next((one for one in found if called.get(int(one), int(one)) != int(one)), None):
        place = called[int(strange)]
        raise DataError(
            f"{where}: the label {strange} may be the model's class {place}, "
            f"{_quote(model_classes[place])}, or its class of that number; give classes=FILE with "
            "the model's classes in their order, one a line, as the data calls them"
        )


def _find_numbers(model_classes: Sequence[str]) -> Mapping[int, int]:
    """Return the class of each number in the names of classes, if all have one, each another."""
    numbers = [re.findall(r"[0-9]+", name) for name in model_classes]
    if not all(len(each) == 1 and NUMBER.fullmatch(each[0]) for each in numbers):
        return {}
    found = {int(number): place for place, (number,) in enumerate(numbers)}
    return found if len(found) == len(numbers) else {}


def _take_numbers(found: Sequence[str], count: int, where: str) -> Mapping[str, int]:
    numbers = {label: int(label) for label in found}
    low, high = min(numbers.values()), max(numbers.values())
    if not count or high < count:
        return numbers
    if low == 1 and high == count:
        raise DataError(
            f"{where}: the labels are the numbers 1 to {high} and the model's classes 0 to "
            f"{count - 1}; subtract 1 from each"
        )
    raise DataError(
        f"{where}: the label {high} is a number beyond the model's classes, 0 to {count - 1}"
    )


def _say_silent(found: Sequence[str], model_classes: Sequence[str], where: str) -> str:
    calls = (
        f"the model calls its {len(model_classes)} classes {list_names(model_classes)}"
        if model_classes
        else "the model does not say what its classes are called"
    )
    return (
        f"{where}: the labels are {list_names(found)}, and {calls}: which is which cannot be "
        "told; give classes=FILE with the names in the model's order, one a line"
    )


def _suggest(label: str, names: Sequence[str]) -> str:
    simple = {simplify(name): name for name in names}
    near = get_close_matches(simplify(label), simple, n=1, cutoff=0.6)
    return f"; did you mean {_quote(simple[near[0]])}?" if near else ";"


def simplify(name: str) -> str:
    """Return a name without regard to case and to what separates words; a number as it is."""
    plain = name.strip()
    return plain if MEASURE.fullmatch(plain) else SEPARATOR.sub(" ", plain).strip().casefold()


def note_shared(numbers: Mapping[str, int]) -> list[str]:
    """Say which labels are written differently and are one class, by their class numbers."""
    written: dict[int, list[str]] = {}
    for label, number in numbers.items():
        written.setdefault(number, []).append(label)
    shared = [list_names(labels, 3) for labels in written.values() if len(labels) > 1]
    more = f", and {len(shared) - 2} more such" if len(shared) > 2 else ""
    return [f"labels are taken for one class: {'; '.join(shared[:2])}{more}"] if shared else []


def _quote(name: str) -> str:
    return repr(name if len(name) <= 40 else f"{name[:37]}...")


def list_names(names: Sequence[str], most: int = 6) -> str:
    """Name the first classes of several."""
    shown = ", ".join(_quote(name)[1:-1] for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def read_class_names(
    path: Path, model_classes: Sequence[str], noted: str = "the model"
) -> tuple[str, ...]:
    """Read the names of a model's classes in its order, one a line.

    *noted* is what messages call what the model's own names are taken from.

    Raises:
        DataError: There are not as many as the model has, one is empty, or a class of the model
            is at another place than the model has it.
    """
    lines = [line.strip() for line in decode_text(path, read_file(path)).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    names = tuple(lines)
    if model_classes and len(names) != len(model_classes):
        raise DataError(
            f"classes={path} names {len(names)} classes and {noted} has {len(model_classes)}"
        )
    places = _place_names(model_classes)
    for number, name in enumerate(names):
        if not name:
            raise DataError(f"classes={path}: line {number + 1} is empty; name each class")
        if (place := _find_elsewhere(name, number, places)) is not None:
            raise DataError(
                f"classes={path} has {_quote(name)} as class {number}, and {noted} has it as "
                f"class {place}: the order must be the model's"
            )
    return names


def _place_names(model_classes: Sequence[str]) -> dict[str, set[int]]:
    """Return the numbers of classes by their names, and by those without what does not matter."""
    places: dict[str, set[int]] = {}
    exact = set(model_classes)
    for number, name in enumerate(model_classes):
        for one in {name, *({simplify(name)} - exact)}:
            places.setdefault(one, set()).add(number)
    return places


def _find_elsewhere(name: str, number: int, places: Mapping[str, set[int]]) -> int | None:
    """Return the class that a model calls so, or nearly so, if it is not the one of that number."""
    found = places.get(name) or places.get(simplify(name), set())
    return None if SILENT.fullmatch(name) or not found or number in found else min(found)
