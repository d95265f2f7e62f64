"""What the rows of tables are: texts with labels, or names of picture files with labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import isnan
from pathlib import Path
from typing import Any

import attrs

from edgebench import Unreadable
from edgebench_kit.own_data.columns import Chosen, choose_texts, choose_words, find_splits
from edgebench_kit.own_data.items import Group, Groups, Item, Source, Unlabelled, show
from edgebench_kit.own_data.options import READING, DataOptions
from edgebench_kit.own_data.split_groups import group_by_columns, group_by_folders
from edgebench_kit.own_data.tables import Row, Table
from edgebench_kit.text.sentences import pack_sentences

FLOAT = re.compile(r"[+-]?[0-9]+\.0+")
"""A whole number as tables write it in which another is missing."""
BEGINNING = 100
"""Characters of a text that are kept to be shown."""


def read_texts(table: Table, options: DataOptions) -> Source:
    """Say which columns of a table are read for texts and labels.

    Raises:
        DataError: It has no such columns; says which it has.
    """
    columns, where = table.first, str(table.path)
    words = None if options.text else choose_words(columns, options.label)
    if words and any(isinstance(row.cells[words.inputs[0]], list) for row in table.peek()):
        return _make_source("tokens", table, words, _read_words)
    chosen = choose_texts(where, columns, options.text, options.label, keys=table.has_keys)
    return _make_source("texts", table, chosen, _read_row)


def _make_source(
    kind: str, table: Table, chosen: Chosen, read: Callable[[Row, Chosen], Item | Unreadable]
) -> Source:
    return Source(
        kind=kind,
        read=partial(group_rows, table, chosen, lambda row: read(row, chosen)),
        uses=READING,
        pairs=len(chosen.inputs) == 2,
        **tell_columns(table.first, chosen),
    )


def tell_columns(columns: Sequence[str], chosen: Chosen) -> dict[str, Any]:
    """Return what a source tells of the columns that are read."""
    told = {"told": describe_columns(columns, chosen)}
    if not chosen.header:
        return told
    return {**told, "columns": tuple(columns), "label": columns[chosen.label]}


def describe_columns(columns: Sequence[str], chosen: Chosen) -> str:
    """Say which columns are read."""
    if not chosen.header:
        inputs = " and ".join(str(place + 1) for place in chosen.inputs)
        return f"from column {inputs}, labels from column {chosen.label + 1}, no header"
    inputs = " and ".join(repr(show(columns[place])) for place in chosen.inputs)
    return f"from {inputs}, labels from {show(columns[chosen.label])!r}"


def group_rows(
    table: Table, chosen: Chosen, read: Callable[[Row], Item | Unreadable], root: Path | None = None
) -> Groups:
    """Make the items of the rows of a table, by the splits that a column says.

    Where none does and *root* is given, the folders of splits below it say it.

    Raises:
        Unlabelled: No row has a label.
        DataError: The table cannot be read, or of the pictures some are in folders of splits.
    """
    rows = list(table.read_rows(header=chosen.header))
    columns = {
        table.first[place]: [
            None if isinstance(row, Unreadable) else name_label(row.cells[place]) or ""
            for row in rows
        ]
        for place in find_splits(table.first, chosen)
    }
    items = [row if isinstance(row, Unreadable) else read(row) for row in rows]
    groups = group_by_columns(items, columns)
    return settle_labels(table.path, group_by_folders(groups, root) if root else groups)


def settle_labels(path: Path, groups: Groups) -> Groups:
    """Leave out splits without labels, and let other items without one be unreadable.

    Labels are written as whole numbers where all are such with nothing behind the point.

    Raises:
        Unlabelled: None has a label.
    """
    bare = [split for split, group in groups.by_split.items() if _is_bare(group)]
    if bare and len(bare) == len(groups.by_split):
        raise Unlabelled(
            f"{path}: none of {len(groups.items)} rows has a label, as {groups.items[0].name}; say "
            "label=COLUMN if they stand elsewhere"
        )
    labels = {one.label for one in groups.items if one.label is not None}
    whole = bool(labels) and all(isinstance(one, str) and FLOAT.fullmatch(one) for one in labels)
    by_split = {
        split: [_settle(one, whole=whole) for one in group]
        for split, group in groups.by_split.items()
        if split not in bare
    }
    left = (f"{split} has no labels and stays out" for split in bare)
    return attrs.evolve(groups, by_split=by_split, notes=(*groups.notes, *left))


def _is_bare(group: Group) -> bool:
    labels = [one.label for one in group if isinstance(one, Item)]
    return bool(labels) and all(one is None for one in labels)


def _settle(one: Item | Unreadable, *, whole: bool) -> Item | Unreadable:
    if isinstance(one, Unreadable):
        return one
    if one.label is None:
        return Unreadable(name=one.name, reason="it has no label")
    return attrs.evolve(one, label=one.label.partition(".")[0]) if whole else one


def name_label(value: Any) -> str | None:
    """Return a cell as the name of a class: empty where there is none, None where it is no name.

    A number that is none (NaN) is how some writers of JSON say that there is none.
    """
    if value is None or (isinstance(value, float) and isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value).strip()
    return None


def _read_row(row: Row, chosen: Chosen) -> Item | Unreadable:
    texts = [row.cells[place] for place in chosen.inputs]
    label = name_label(row.cells[chosen.label])
    return make_text(row.name, texts, label)


def make_text(name: str, texts: Sequence[Any], label: str | None) -> Item | Unreadable:
    """Make the item of one text or two; or say why it is none."""
    for text in texts:
        if text is None or (isinstance(text, str) and not text.strip()):
            return Unreadable(name=name, reason="it has no text")
        if not isinstance(text, str):
            return Unreadable(name=name, reason=f"its text is {type(text).__name__}, not a text")
    if label is None:
        return Unreadable(name=name, reason="its label is neither a text nor a number")
    try:
        payload = pack_sentences(*texts)
    except UnicodeEncodeError:
        return Unreadable(name=name, reason="its text holds half of a character")
    text = " / ".join(texts)[:BEGINNING]
    return Item(name=name, label=label or None, payload=payload, text=text)


def _read_words(row: Row, chosen: Chosen) -> Item | Unreadable:
    """Make the item of a list of words, which travel with single spaces between, and their tags."""
    words, tags = row.cells[chosen.inputs[0]], row.cells[chosen.label]
    return make_words(row.name, words, tags)


def make_words(name: str, words: Any, tags: Any) -> Item | Unreadable:
    """Make the item of a list of words with a label each; or say why it is none."""
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return Unreadable(name=name, reason="its words are no list of texts")
    if not isinstance(tags, list) or len(tags) != len(words):
        count = len(tags) if isinstance(tags, list) else "no"
        return Unreadable(name=name, reason=f"it has {len(words)} words and {count} labels")
    if any(word.split() != [word] for word in words):
        return Unreadable(name=name, reason="one of its words is empty or holds a space")
    labels = tuple(map(name_label, tags))
    made = make_text(name, [" ".join(words)], "words")
    if isinstance(made, Unreadable):
        return made
    return attrs.evolve(made, label=labels if all(labels) else None)


def walk_cells(rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    """Yield the place and the text of every cell that is a text."""
    for row in rows:
        yield from ((place, cell) for place, cell in enumerate(row.cells) if isinstance(cell, str))
