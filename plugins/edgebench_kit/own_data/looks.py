"""What is checked of data before anything long begins, and how it is told in two lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgebench import DataError, Unreadable
from edgebench_kit.own_data.class_names import SILENT, list_names, note_shared, simplify
from edgebench_kit.own_data.divisions import Division
from edgebench_kit.own_data.items import Groups, Item, Source, show
from edgebench_kit.own_data.listings import order_naturally
from edgebench_kit.own_data.readings import IGNORED, draw_evenly, read_item
from edgebench_kit.vision.decoding import read_upright_shape

DECODED = 1000
"""Of pictures so many are decoded when data is looked over; of the rest their share is taken."""
MOST_UNREADABLE = 0.01
"""The share at which what cannot be read is no longer an accident."""
SHOWN = 6
"""Classes that are shown with their numbers."""


@attrs.frozen(kw_only=True, eq=False)
class Looked:
    """What a look over the items showed."""

    unreadable: tuple[Unreadable, ...]
    decoded: int
    """Of how many items it is known whether they can be read."""
    values: frozenset[int] = frozenset()
    """Those that pixels of masks have."""


def look_at_items(
    path: Path, kind: str, groups: Groups, numbers: Mapping[str, int], classes: int
) -> Looked:
    """See whether items can be read: all texts, and pictures and masks up to a thousand.

    Raises:
        DataError: Too much cannot be read, or masks hold nothing but 0 and 255.
    """
    items, known = groups.items, groups.unreadable
    drawn = draw_evenly(items, DECODED if kind in ("pictures", "masks") else len(items))
    found: list[Unreadable] = []
    values: set[int] = set()
    for item in drawn:
        try:
            _, answer = read_item(kind, item, numbers, classes)
        except DataError as error:
            found.append(Unreadable(name=item.name, reason=str(error)))
        else:
            if kind == "masks":
                values.update(_list_values(answer))
    _tolerate(path, known, found, len(items), len(drawn))
    if values and values <= {0, IGNORED} and IGNORED in values:
        raise DataError(
            f"{path}: the masks hold 0 and 255 alone, and 255 says that a pixel does not count; "
            "write class numbers, as 1 in place of 255"
        )
    return Looked(
        unreadable=(*known, *found), decoded=len(drawn), values=frozenset(values - {IGNORED})
    )


def _list_values(mask: Any) -> list[int]:
    import numpy as np

    return np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist()


def _tolerate(
    path: Path, known: Sequence[Unreadable], found: Sequence[Unreadable], items: int, drawn: int
) -> None:
    """Refuse data of which too much cannot be read, going by what was drawn."""
    whole = items + len(known)
    lost = len(known) + (len(found) * items / drawn if drawn else 0)
    if not (known or found) or lost < MOST_UNREADABLE * whole:
        return
    first = (*known, *found)[0]
    share = f"{len(known) + len(found)} of {len(known) + drawn}"
    looked = " looked at" if drawn < items else ""
    raise DataError(
        f"{path}: {share}{looked} cannot be read, as {show(first.name, 80)} ({first.reason}); mend "
        f"or remove them, less than {MOST_UNREADABLE:.0%} is tolerated"
    )


def refuse_one_class(path: Path, kind: str, numbers: Mapping[str, int]) -> None:
    """Refuse data of one class, given the class number of each label.

    Raises:
        DataError: All labels are the same, but for how they are written.
    """
    if kind in ("pictures", "texts", "tokens") and len(set(numbers.values())) == 1:
        labels = list_names(list(numbers))
        raise DataError(
            f"{path}: all labels are {labels!r}; with one class no accuracy says anything, two are "
            "needed"
        )


def describe_data(
    path: Path, source: Source, groups: Groups, looked: Looked, numbers: Mapping[str, int]
) -> str:
    """Say what was understood: classes, counts, columns, the first item."""
    name = show(path.resolve().name) or str(path)
    items = groups.items
    things = {"texts": "pair" if source.pairs else "text", "tokens": "text"}
    counted = _count(len(items), things.get(source.kind, "picture"))
    columns = f", {source.told}" if source.told else ""
    first = items[0]
    if source.kind == "masks":
        values = f"{min(looked.values)} to {max(looked.values)}" if looked.values else "255 alone"
        return f"{name}: {counted} with masks of {values}; first: {_show_picture(first)}"
    if not source.labelled:
        shown = _show_picture(first) if source.kind == "pictures" else repr(show(first.text))
        return f"{name}: {counted} without answers; first: {shown}"
    labels = [one.label for one in items] if source.kind != "tokens" else _join(items)
    tally = _tally(labels, numbers)
    classes = sorted(tally, key=order_naturally)
    shown = ", ".join(f"{show(one)} {tally[one]:,}" for one in classes[:SHOWN])
    more = ", ..." if len(classes) > SHOWN else ""
    each = " by word" if source.kind == "tokens" else ""
    if source.kind == "pictures":
        told = f"{_show_picture(first)}, {show(first.label)}"
    else:
        label = first.label if source.kind == "texts" else " ".join(first.label)
        told = f"{show(first.name)}, {show(first.text)!r}, {show(label)}"
    return (
        f"{name}: {counted} in {_count(len(classes), 'class')}{each} ({shown}{more}){columns}; "
        f"first: {told}"
    )


def _tally(labels: Sequence[str], numbers: Mapping[str, int]) -> Counter[str]:
    """Count the labels of each class, by the one of them that is first in the alphabet."""
    written: dict[int, str] = {}
    for label in sorted(set(labels)):
        written.setdefault(numbers[label], label)
    return Counter(written[numbers[label]] for label in labels)


def _join(items: Sequence[Item]) -> list[str]:
    return [label for item in items for label in item.label]


def _count(number: int, thing: str) -> str:
    ending = "" if number == 1 else "es" if thing.endswith("s") else "s"
    return f"{number:,} {thing}{ending}"


def _show_picture(item: Item) -> str:
    try:
        height, width = read_upright_shape(item.read())
    except DataError as error:
        return f"{show(item.name)}, which cannot be read ({error})"
    return f"{show(item.name)}, {width}x{height} pixels"


def describe_division(division: Division, looked: Looked, notes: Sequence[str], items: int) -> str:
    """Say how many samples each split has and why, and what was left out."""
    counts = ", ".join(
        f"{split} {len(division.splits[split]):,}"
        for split in ("test", "calibration", "validation", "training")
    )
    told = [f"{counts} ({division.how})"]
    if division.dropped:
        told.append(f"{_count(division.dropped, 'duplicate')} dropped")
    return "; ".join([*told, *describe_left(looked, items), *notes])


def describe_left(looked: Looked, items: int) -> list[str]:
    """Say how many of so many items cannot be read, and one of them."""
    if not looked.unreadable:
        return []
    first = looked.unreadable[0]
    among = f" of {looked.decoded:,} looked at" if looked.decoded < items else ""
    return [
        f"{len(looked.unreadable)}{among} cannot be read, as {show(first.name)} ({first.reason})"
    ]


def note_groups(groups: Groups) -> list[str]:
    """Say what is left out of groups, or taken for something."""
    if not (unnamed := groups.unnamed):
        return list(groups.notes)
    one = len(unnamed) == 1
    counted, stay = ("1 picture has", "stays") if one else (f"{len(unnamed)} pictures have", "stay")
    return [f"{counted} no label in a table, as {show(unnamed[0])}, and {stay} out", *groups.notes]


def note_classes(kind: str, numbers: Mapping[str, int], names: Sequence[str]) -> list[str]:
    """Say what labels were taken for that are numbers or differ in writing, and what has none."""
    notes = note_shared(numbers)
    called = {simplify(name) for name in names}
    taken = [one for one in numbers if one.isdecimal() and simplify(one) not in called]
    # Whoever numbered the labels may have had another order, which nothing shows but this.
    spoken = [one for one in taken if names and not SILENT.fullmatch(names[numbers[one]].strip())]
    if spoken:
        some = ", ".join(f"{one} is {show(names[numbers[one]])}" for one in spoken[:SHOWN])
        notes.append(f"labels are taken for class numbers: {some}{', ...' * (len(spoken) > SHOWN)}")
    in_text_order = sorted(taken, key=numbers.__getitem__) == sorted(taken)
    if kind == "pictures" and taken and not spoken and not in_text_order:
        # As torchvision's ImageFolder numbers its classes, whatever they are called.
        notes.append(
            "labels are taken for class numbers; where the model learned folders in the order of "
            f"text ({list_names(sorted(taken), 3)}), classes=FILE says so"
        )
    if numbers and (lone := [n for n in range(len(names)) if n not in set(numbers.values())]):
        named = list_names([names[number] for number in lone], 3)
        have = "has" if len(lone) == 1 else "have"
        notes.append(f"{len(lone)} of the model's {len(names)} classes {have} no sample ({named})")
    return notes
