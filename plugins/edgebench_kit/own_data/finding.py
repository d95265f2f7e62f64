"""What a path is understood as: by what lies there, listing names and reading no payload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs

from edgebench import DataError
from edgebench_kit.own_data.columns import LacksLabels
from edgebench_kit.own_data.items import Group, Groups, Source, show
from edgebench_kit.own_data.listings import (
    ARRAYS,
    OTHER_PICTURES,
    PICTURES,
    Listing,
    group_splits,
    list_directory,
)
from edgebench_kit.own_data.options import READING, DataOptions, refuse_options
from edgebench_kit.own_data.own import OwnData
from edgebench_kit.own_data.picture_folders import find_classes, find_masks, find_split_masks
from edgebench_kit.own_data.picture_tables import names_pictures, read_pictures
from edgebench_kit.own_data.saved_datasets import has_saved_splits, is_saved, read_saved
from edgebench_kit.own_data.table_items import is_unlabelled, read_texts
from edgebench_kit.own_data.tables import ENDINGS, Table

LABEL_TABLES = ("labels", "label", "metadata", "annotations")
"""What a table of labels beside pictures is called."""
FORMS = (
    "a folder for each class, a folder of pictures with labels.csv, images/ and masks/, "
    "a .csv, .tsv or .jsonl of texts and labels, .npz, or what datasets' save_to_disk wrote"
)


class Unlabelled(DataError):
    """Pictures or rows that are there but for their labels."""


def find_data(path: Path, options: DataOptions) -> OwnData:
    """Say what lies at a path: pictures with labels or masks, texts, or arrays.

    Raises:
        DataError: Nothing that is known; says what was found and what would do. Or an option is
            said that neither the data nor that for calibration has a use for.
    """
    calibration = None
    if options.calibration is not None:
        alone = attrs.evolve(options, calibration=None)
        given = _find(options.calibration, alone)
        calibration = OwnData(path=options.calibration, options=alone, source=given)
    source = _find(path, options)
    if calibration is not None and calibration.kind != source.kind:
        raise DataError(
            f"{options.calibration} holds {calibration.kind} and {path} {source.kind}; calibration "
            "data must be of the same kind"
        )
    uses = source.uses if calibration is None else source.uses | calibration.source.uses
    refuse_options(options, f"is not used for the {source.kind} in {path}", READING - uses)
    return OwnData(path=path, options=options, source=source, calibration=calibration)


def _find(path: Path, options: DataOptions) -> Source:
    try:
        if path.is_dir():
            return _find_in(list_directory(path), options)
        if path.exists():
            return _find_file(path, options)
    except OSError as error:
        raise DataError(
            f"{error.filename or path} cannot be looked at: {error.strerror or error}"
        ) from error
    raise DataError(f"{path} is not there; give {FORMS}")


def _find_file(path: Path, options: DataOptions) -> Source:
    ending = path.suffix.lower()
    if ending in ARRAYS:
        return Source(kind="arrays", read=lambda: Groups(by_split={}))
    if ending in (*ENDINGS, ".txt"):
        return _read_alone(Table(path=path, encoding=options.encoding), options)
    if ending in PICTURES + OTHER_PICTURES:
        raise DataError(f"{path} is one picture; give a folder of them: {FORMS}")
    if ending in (".zip", ".tar", ".gz", ".tgz", ".7z", ".xz", ".bz2"):
        raise DataError(f"{path} is packed; unpack it and give the folder")
    remedy = "; save it as .csv" if ending in (".xlsx", ".xls", ".ods") else ""
    raise DataError(f"{path} is of no form that is read{remedy}; give {FORMS}")


def _read_alone(table: Table, options: DataOptions) -> Source:
    """Say what a table is that was given itself.

    Raises:
        DataError: It names pictures: they are no part of what was given, so that nobody would
            notice that they are others the next time.
    """
    if not options.text and names_pictures(table):
        raise DataError(
            f"{table.path} names pictures; give the folder that holds it and them, or "
            "text=COLUMN if it is of texts"
        )
    return read_texts(table, options)


def _read_table(
    table: Table, root: Path, options: DataOptions, *, pictures: bool = False
) -> Source:
    if not options.text and (pictures or names_pictures(table)):
        return read_pictures(table, root, options)
    return read_texts(table, options)


def _find_in(listing: Listing, options: DataOptions) -> Source:
    """Say what a directory holds."""
    if is_saved(listing.path):
        return read_saved(listing.path, options)
    if has_saved_splits(listing.path):
        return _find_saved(listing, options)
    if parts := _find_splits(listing, options):
        return _join(listing.path, parts)
    masks, notes = find_split_masks(listing)
    if masks:
        return _join(listing.path, masks, notes)
    if source := _find_tables(listing, options) or find_masks(listing) or find_classes(listing):
        return source
    if listing.pictures:
        raise Unlabelled(
            f"{listing.path} holds {len(listing.pictures)} pictures and no labels; put those of "
            "each class into a folder of its name, or add labels.csv with the columns file and "
            "label"
        )
    if listing.arrays:
        return Source(kind="arrays", read=lambda: Groups(by_split={}))
    if len(listing.folders) == 1 and _holds_data(listing.folders[0]):
        raise DataError(f"{listing.path} holds one folder; give {listing.folders[0]} itself")
    raise DataError(f"{listing.path} holds {listing.describe()}; give {FORMS}")


def _holds_data(path: Path) -> bool:
    found = list_directory(path)
    return bool(found.pictures or found.tables or found.splits or len(found.folders) > 1)


def _find_splits(listing: Listing, options: DataOptions) -> dict[Path, Source | None]:
    """Return what the folders of splits hold, None for what has no labels; empty if there are none.

    Raises:
        DataError: Other folders with pictures lie beside them.
    """
    inside = [list_directory(one) for one in listing.splits]
    tables = _find_split_tables(listing) or _find_label_table(listing)
    if tables and not any(one.folders or one.tables for one in inside):
        return {}  # they say what lies in the folders
    others = [one for one in listing.folders if one not in listing.splits]
    if classes := [one for one in others if list_directory(one).pictures]:
        if any(one.folders for one in inside):
            raise DataError(
                f"{listing.path} holds {listing.splits[0].name}/, which is a split, and beside it "
                f"{classes[0].name}/ with pictures; put it into the folder of a split"
            )
        return {}  # a class may be called `train`
    found: dict[Path, Source | None] = {}
    for path in group_splits(listing.splits).values():
        try:
            found[path] = _find_in(list_directory(path), options)
        except Unlabelled:
            found[path] = None
    return found


def _find_saved(listing: Listing, options: DataOptions) -> Source:
    """Say what a saved dataset with splits holds."""
    saved = [one for one in listing.folders if is_saved(one)]
    named = group_splits(saved)
    if not named and len(saved) == 1:
        return read_saved(saved[0], options)
    if not named:
        raise DataError(
            f"{listing.path} holds the saved splits {_name(saved) or 'none'}, of which none is "
            "called train, validation or test; give one of them"
        )
    parts: dict[Path, Source | None] = {}
    for one in named.values():
        parts[one] = read_saved(one, options)
    return _join(listing.path, parts)


def _join(path: Path, parts: Mapping[Path, Source | None], notes: Sequence[str] = ()) -> Source:
    """Make one source of those of the splits; *notes* go before its own.

    Raises:
        DataError: They are of several kinds, or none has labels.
    """
    sources = {one: source for one, source in parts.items() if source is not None}
    if not sources:
        raise Unlabelled(f"{path}: {_name(parts)} hold no labels; give each class a folder in each")
    first = next(iter(sources.values()))
    for one, source in sources.items():
        if source.kind != first.kind or source.pairs != first.pairs:
            raise DataError(
                f"{one} holds {source.kind} and {next(iter(sources))} {first.kind}, or not pairs "
                "alike; splits must be of one kind"
            )
    left = [f"{one.name} has no labels and stays out" for one in parts if not parts[one]]
    uses = frozenset().union(*(source.uses for source in sources.values()))
    read = partial(_read_parts, path, sources, [*notes, *left])
    return attrs.evolve(first, read=read, uses=uses)


def _name(paths: Iterable[Path]) -> str:
    return " and ".join(show(one.name) for one in paths)


def _read_parts(path: Path, sources: Mapping[Path, Source], left: Sequence[str]) -> Groups:
    names = {one: split for split, one in group_splits(sources).items()}
    found: dict[str, Group] = {}
    notes = list(left)
    for one, source in sources.items():
        groups = source.read()
        group = [item for each in groups.by_split.values() for item in each]
        if is_unlabelled(group):
            notes.append(f"{show(one.name)} has no labels and stays out")
            continue
        if one.is_dir():
            group = [attrs.evolve(item, name=f"{one.name}/{item.name}") for item in group]
        found[names[one]] = group
        notes += [f"{show(one.name)}: {note}" for note in groups.notes]
    if not found:
        raise DataError(f"{path}: {_name(sources)} hold no labels")
    return Groups(by_split=found, notes=tuple(dict.fromkeys(notes)))


def _find_split_tables(listing: Listing) -> list[Path]:
    """Return the tables that are called like splits, where there is more than calibration."""
    found = group_splits(listing.tables)
    return list(found.values()) if set(found) - {"calibration"} else []


def _find_label_table(listing: Listing) -> Path | None:
    """Return the table of labels beside pictures."""
    named = [one for one in listing.tables if one.stem.casefold() in LABEL_TABLES]
    return named[0] if named else None


def _find_tables(listing: Listing, options: DataOptions) -> Source | None:
    """Say what the tables of a directory hold, those of splits or one; None if there is none.

    Raises:
        DataError: There are several, and which is meant cannot be told.
    """
    if not listing.tables:
        return None
    inside = (list_directory(one).pictures for one in listing.folders)
    pictures = bool(listing.pictures) or any(inside)
    if found := _find_split_tables(listing):
        parts: dict[Path, Source | None] = {}
        for path in found:
            parts[path] = _read_split_table(listing, path, options, pictures=pictures)
        return _join(listing.path, parts)
    named = _find_label_table(listing)
    if pictures and not named and len(listing.tables) != 1:
        return None  # tables beside pictures say something else
    if not named and len(listing.tables) > 1:
        raise DataError(
            f"{listing.path} holds {len(listing.tables)} tables, {listing.describe()}; give one of "
            "them, or call them train, val and test"
        )
    table = Table(path=named or listing.tables[0], encoding=options.encoding)
    if pictures and not listing.pictures and len(listing.folders) > 1:
        return _read_beside_classes(table, listing, options)
    return _read_table(table, listing.path, options, pictures=pictures)


def _read_beside_classes(table: Table, listing: Listing, options: DataOptions) -> Source | None:
    """Say what a table beside folders of pictures holds; None if the folders say more."""
    if not names_pictures(table):
        return None
    try:
        return read_pictures(table, listing.path, options)
    except LacksLabels:
        return None


def _read_split_table(
    listing: Listing, path: Path, options: DataOptions, *, pictures: bool
) -> Source | None:
    """Say what the table of a split holds; None where it has no column of labels."""
    table = Table(path=path, encoding=options.encoding)
    try:
        return _read_table(table, listing.path, options, pictures=pictures)
    except LacksLabels:
        return None
