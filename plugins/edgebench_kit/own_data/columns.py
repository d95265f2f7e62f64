"""Which columns of a table hold texts or files and which the labels: by what they are called."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from edgebench import DataError
from edgebench_kit.own_data.items import Unlabelled

TEXTS = (
    *("text", "sentence", "review", "content", "comment", "tweet", "message", "body", "document"),
    *("utterance", "phrase", "question", "query", "headline", "title", "description", "sms"),
    *("review_text", "review_body", "tweet_text", "full_text", "input", "string"),
)
PAIRS = (
    *(("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2")),
    *(("text1", "text2"), ("text_a", "text_b"), ("sentence_a", "sentence_b"), ("sent1", "sent2")),
    *(("#1_string", "#2_string"), ("question", "sentence"), ("question", "passage")),
    *(("question", "context"), ("query", "passage"), ("query", "document"), ("s1", "s2")),
)
FILES = (
    *("file_name", "filename", "file", "path", "filepath", "file_path", "image", "img", "picture"),
    *("image_path", "img_path", "image_name", "image_file", "image_id", "photo", "name", "id"),
)
SURE_LABELS = (
    # Names go before the numbers that stand for them, which another model counts otherwise.
    *("label_name", "label_text", "label", "labels", "class_name", "classname", "class"),
)
LABELS = (
    *SURE_LABELS,
    *("category", "target", "sentiment"),
    *("gold_label", "quality", "is_duplicate", "intent", "emotion", "topic", "species", "breed"),
    *("tag", "rating", "stars", "score", "polarity", "y", "fine_label", "coarse_label"),
    "output",
)
WORDS, WORD_LABELS = ("tokens", "words"), ("ner_tags", "tags", "pos_tags", "labels")
"""The names that columns usually have, those that count before others first."""
NUMBERS = ("", "id", "idx", "index", "unnamed:_0", "#1_id", "#2_id", "pairid", "guid")
"""Columns that only number the rows."""
SPLITS = ("split", "subset", "partition")
"""Columns that say of which split a row is, where they hold names of splits."""


@attrs.frozen(kw_only=True)
class Chosen:
    """The columns of a table that are read, by their places in it."""

    inputs: tuple[int, ...]
    """That of the texts or of the files, or the two of pairs of texts."""
    label: int
    header: bool = True


def choose_texts(
    where: str, columns: Sequence[str], text: str = "", label: str = "", *, keys: bool = False
) -> Chosen:
    """Choose the columns of the texts, one or two, and of the labels: as said, or by known names.

    Where two columns are left and one is known, the other is the other. Where columns are *keys*,
    as those of JSON are, no line can be a header.

    Raises:
        DataError: They are not there; says which columns there are.
    """
    if numbered := _take_numbers(columns, text, label):
        return numbered
    inputs = _take_texts(where, columns, text) if text else None
    place = _place(where, columns, label, "label") if label else None
    if inputs is None:
        inputs = _find_pair(columns) or _find(columns, TEXTS, without=place)
    if place is None:
        found = _find(columns, LABELS, without=inputs)
        place = found[0] if found else None
    rest = [n for n, name in enumerate(map(simplify, columns)) if name not in NUMBERS + SPLITS]
    if len(rest) == 2 and not inputs and place in rest:
        inputs = tuple(one for one in rest if one != place)
    if len(rest) == 2 and place is None and inputs and len(inputs) == 1:
        place = next(one for one in rest if one != inputs[0])
    if not inputs or place is None:
        raise _lack(where, columns, texts=not inputs, labels=place is None, keys=keys)
    _refuse_twins(where, columns, [*(() if text else inputs), *(() if label else (place,))])
    return Chosen(inputs=inputs, label=place)


def _refuse_twins(where: str, columns: Sequence[str], places: Sequence[int]) -> None:
    """Refuse to choose one of several columns of one name.

    Raises:
        DataError: One of those at *places* has another of its name.
    """
    names = [simplify(name) for name in columns]
    for place in places:
        if (count := names.count(names[place])) > 1:
            raise DataError(
                f"{where} has {count} columns called {columns[place]!r}, but for case; give each "
                "its own name, or say which: text=COLUMN, label=COLUMN"
            )


def _lack(
    where: str, columns: Sequence[str], *, texts: bool, labels: bool, keys: bool
) -> DataError:
    lacked = " nor ".join(["texts"] * texts + ["labels"] * labels)
    # Of three columns and more, two may be the texts of a pair.
    several = len([one for one in map(simplify, columns) if one not in NUMBERS]) > 2
    text = 'text=COLUMN (of pairs text="FIRST SECOND")' if several else "text=COLUMN"
    options = ", ".join([text] * texts + ["label=COLUMN"] * labels)
    numbers = "" if keys else " (with numbers from 1 where the first line is no header)"
    kind = Unlabelled if labels and not texts else DataError
    return kind(
        f"{where}: no column is known to hold {lacked}; there are {list_columns(columns)}; say "
        f"{options}{numbers}"
    )


def list_columns(columns: Sequence[str]) -> str:
    """Name the columns of a table as a user would look for them, the first dozen."""
    shown = ", ".join(repr(name if len(name) < 40 else f"{name[:37]}...") for name in columns[:12])
    return shown + (f" and {len(columns) - 12} more" if len(columns) > 12 else "")


def simplify(name: str) -> str:
    """Return the name of a column without regard to case and to what separates words."""
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _find(
    columns: Sequence[str], known: Sequence[str], without: int | Sequence[int] | None = None
) -> tuple[int, ...] | None:
    """Return the place of the column with the first of the known names, as one."""
    taken = {without} if isinstance(without, int) else set(without or ())
    names = [None if n in taken else simplify(name) for n, name in enumerate(columns)]
    return next(((names.index(one),) for one in known if one in names), None)


def _find_pair(columns: Sequence[str]) -> tuple[int, ...] | None:
    names = [simplify(name) for name in columns]
    return next(
        ((names.index(one), names.index(two)) for one, two in PAIRS if {one, two} <= set(names)),
        None,
    )


def _take_texts(where: str, columns: Sequence[str], text: str) -> tuple[int, ...]:
    """Return the place of the column that is asked for, or of the two."""
    if text in columns:
        return (_place(where, columns, text, "text"),)
    words = text.split(" ")
    for cut in range(1, len(words)):
        pair = " ".join(words[:cut]), " ".join(words[cut:])
        if set(pair) <= set(columns):
            return tuple(_place(where, columns, one, "text") for one in pair)
    missing = next((word for word in words if word not in columns), text)
    return (_place(where, columns, missing, "text"),)


def _place(where: str, columns: Sequence[str], name: str, option: str) -> int:
    if (count := list(columns).count(name)) == 1:
        return list(columns).index(name)
    near = [one for one in columns if simplify(one) == simplify(name)]
    if not count and len(near) == 1:
        return list(columns).index(near[0])
    if count:
        raise DataError(f"{where} has {count} columns called {name!r}; give each its own name")
    kind = Unlabelled if option == "label" else DataError
    raise kind(f"{where} has no column {name!r} ({option}=); there are {list_columns(columns)}")


def _take_numbers(columns: Sequence[str], text: str, label: str) -> Chosen | None:
    """Return the columns that are asked for by their numbers, of a table without a header."""
    words = [*text.split(), *label.split()]
    if not (text and label) or set(words) & set(columns) or not all(w.isdecimal() for w in words):
        return None
    places = [int(word) - 1 for word in words]
    if not all(0 <= place < len(columns) for place in places) or len(places) > 3:
        return None
    return Chosen(inputs=tuple(places[:-1]), label=places[-1], header=False)


def choose_words(columns: Sequence[str], label: str = "") -> Chosen | None:
    """Choose the columns of lists of words and of their labels; None where none are called so."""
    inputs = _find(columns, WORDS)
    found = _find(columns, (simplify(label),) if label else WORD_LABELS, without=inputs)
    return Chosen(inputs=inputs, label=found[0]) if inputs and found else None


def choose_label(
    where: str, columns: Sequence[str], file: int, label: str, *, header: bool, keys: bool = False
) -> Chosen:
    """Choose the column of labels beside that of the files; *keys* as of `choose_texts`.

    Raises:
        DataError: It is not there; says which columns there are.
    """
    if label and not header and label.isdecimal() and 0 < int(label) <= len(columns):
        return Chosen(inputs=(file,), label=int(label) - 1, header=False)
    if label:
        return Chosen(inputs=(file,), label=_place(where, columns, label, "label"), header=header)
    found = _find(columns, LABELS, without=file) if header else None
    names = [simplify(name) for name in columns]
    known = NUMBERS + SPLITS if header else ()
    rest = [n for n in range(len(columns)) if n != file and names[n] not in known]
    if found is None and len(rest) != 1:
        raise _lack(where, columns, texts=False, labels=True, keys=keys)
    place = found[0] if found else rest[0]
    if header:
        _refuse_twins(where, columns, (place,))
    return Chosen(inputs=(file,), label=place, header=header)


def find_splits(columns: Sequence[str], chosen: Chosen) -> tuple[int, ...]:
    """Return the places of the columns that may say of which split a row is."""
    taken = (*chosen.inputs, chosen.label)
    return tuple(
        place
        for place, name in enumerate(map(simplify, columns))
        if chosen.header and name in SPLITS and place not in taken
    )
