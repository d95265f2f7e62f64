"""What a path is understood as: by what lies there, listing names and reading no payload."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs

from edgebench import DataError
from edgebench_kit.own_data.divisions import pick_calibration
from edgebench_kit.own_data.items import Groups, Source, Unlabelled, leave_labels
from edgebench_kit.own_data.label_tables import (
    find_label_table,
    labels_folders,
    note_unused,
    read_beside_classes,
)
from edgebench_kit.own_data.listings import (
    ARRAYS,
    OTHER_PICTURES,
    PICTURES,
    SPLIT_NAMES,
    Listing,
    group_splits,
    holds_arrays,
    list_directory,
)
from edgebench_kit.own_data.options import READING, DataOptions, refuse_options
from edgebench_kit.own_data.own import OwnData
from edgebench_kit.own_data.picture_folders import (
    find_classes,
    find_masks,
    find_pictures,
    find_split_masks,
    refuse_boxes,
)
from edgebench_kit.own_data.picture_tables import names_pictures, read_pictures
from edgebench_kit.own_data.saved_datasets import (
    has_saved_splits,
    is_saved,
    list_saved_splits,
    read_saved,
)
from edgebench_kit.own_data.split_groups import (
    add_notes,
    check_calibration,
    join_parts,
    name_all,
    note_rest,
)
from edgebench_kit.own_data.table_items import read_texts
from edgebench_kit.own_data.tables import ENDINGS, Table

FORMS = (
    "a folder for each class, a folder of pictures with labels.csv, images/ and masks/, "
    "a .csv, .tsv or .jsonl of texts and labels, .npz, or what datasets' save_to_disk wrote"
)


def find_data(path: Path, options: DataOptions, *, labelled: bool = True) -> OwnData:
    """Say what lies at a path: pictures with labels or masks, texts, or arrays.

    Where it need not be *labelled*, labels and masks are left out, and pictures may have none.

    Raises:
        DataError: Nothing that is known; says what was found and what would do. Or an option is
            said that neither the data nor that for calibration has a use for.
    """
    calibration = None
    if options.calibration is not None:
        alone = attrs.evolve(options, calibration=None)
        given = _find(options.calibration, alone, labelled=labelled)
        picked = attrs.evolve(given, read=partial(_pick, given))
        calibration = OwnData(path=options.calibration, options=alone, source=picked)
    source = _find(path, options, labelled=labelled)
    if calibration is not None:
        check_calibration(path, source, calibration.path, calibration.source)
    uses = source.uses if calibration is None else source.uses | calibration.source.uses
    refuse_options(options, f"is not used for the {source.kind} in {path}", READING - uses)
    return OwnData(path=path, options=options, source=source, calibration=calibration)


def _pick(source: Source) -> Groups:
    return pick_calibration(source.read())


def _find(path: Path, options: DataOptions, *, labelled: bool) -> Source:
    try:
        if path.is_dir():
            found = _find_in(list_directory(path), options, labelled=labelled)
        elif path.is_file():
            found = _find_file(path, options)
        elif path.exists():
            raise DataError(f"{path} is a pipe or a device; give {FORMS}")
        else:
            raise DataError(f"{path} is not there; give {FORMS}")
        return found if labelled else leave_labels(found)
    except OSError as error:
        raise DataError(
            f"{error.filename or path} cannot be looked at: {error.strerror or error}"
        ) from error


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
    table: Table, root: Path, options: DataOptions, within: str = "", *, pictures: bool = False
) -> Source:
    """Say what a table holds; one of a split names the pictures *within* a folder first."""
    if not options.text and (pictures or names_pictures(table)):
        return read_pictures(table, root, options, within)
    return read_texts(table, options)


def _find_in(listing: Listing, options: DataOptions, *, labelled: bool) -> Source:
    """Say what a directory holds."""
    if is_saved(listing.path):
        return read_saved(listing.path, options)
    if has_saved_splits(listing.path):
        return _find_saved(listing, options)
    refuse_boxes(listing, FORMS)
    if listing.splits and (parts := _find_splits(listing, options, labelled=labelled)):
        others = (one for one in listing.folders if one not in parts and _holds_data(one))
        rest = (*others, *listing.pictures, *listing.tables)
        return add_notes(join_parts(listing.path, parts), note_rest(rest))
    masks, notes = find_split_masks(listing)
    if masks:
        notes += note_unused(listing, "masks")
        return add_notes(join_parts(listing.path, masks), tuple(notes))
    if holds_arrays(listing):
        return Source(kind="arrays", read=lambda: Groups(by_split={}))
    if source := _find_whole(listing, options, labelled=labelled):
        return source
    if listing.pictures:
        raise Unlabelled(
            f"{listing.path} holds {len(listing.pictures)} pictures and no labels; put those of "
            "each class into a folder of its name, or add labels.csv with the columns file and "
            "label"
        )
    if len(listing.folders) == 1 and _holds_data(listing.folders[0]):
        raise DataError(f"{listing.path} holds one folder; give {listing.folders[0]} itself")
    raise DataError(f"{listing.path} holds {listing.describe()}; give {FORMS}")


def _find_whole(listing: Listing, options: DataOptions, *, labelled: bool) -> Source | None:
    """Say what a directory without splits holds; None if there are no labels, and must be."""
    tables = None
    try:
        tables = _find_tables(listing, options)
    except Unlabelled:
        if labelled or not listing.pictures:
            raise
    if tables:
        return tables
    if source := find_masks(listing) or find_classes(listing):
        return add_notes(source, note_unused(listing, source.kind)) if labelled else source
    return None if labelled or not listing.pictures else find_pictures(listing)


def _holds_data(path: Path) -> bool:
    found = list_directory(path)
    return bool(found.pictures or found.tables or found.splits or len(found.folders) > 1)


def _find_splits(
    listing: Listing, options: DataOptions, *, labelled: bool
) -> dict[Path, Source | Unlabelled]:
    """Return what the folders of splits hold; empty if there are none.

    Raises:
        DataError: Other folders with pictures lie beside them.
    """
    inside = [list_directory(one) for one in listing.splits]
    if not any(one.folders or one.tables for one in inside) and _has_labels(listing, options):
        return {}  # a table says what lies in the folders
    others = [one for one in listing.folders if one not in listing.splits]
    if classes := [one for one in others if list_directory(one).pictures]:
        if any(one.folders for one in inside):
            raise DataError(
                f"{listing.path} holds {listing.splits[0].name}/, which is a split, and beside it "
                f"{classes[0].name}/ with pictures; put it into the folder of a split"
            )
        return {}  # a class may be called `train`
    return {
        path: _find_part(partial(_find_in, list_directory(path), options, labelled=labelled))
        for path in group_splits(listing.splits).values()
    }


def _has_labels(listing: Listing, options: DataOptions) -> bool:
    """Say whether the tables of a directory are of what lies in its folders."""
    return bool(_find_split_tables(listing)) or labels_folders(listing, options)


def _find_part(find: Callable[[], Source]) -> Source | Unlabelled:
    """Return what a split is found to be, or how it lacks labels."""
    try:
        return find()
    except Unlabelled as error:
        return error


def _find_saved(listing: Listing, options: DataOptions) -> Source:
    """Say what a saved dataset with splits holds."""
    saved = list_saved_splits(listing.path)
    named = group_splits(saved)
    if not named and len(saved) > 1:
        raise DataError(
            f"{listing.path} holds the saved splits {name_all(saved)}, of which none is "
            "called train, validation or test; give one of them"
        )
    taken = list(named.values()) or saved
    rest = note_rest([one for one in listing.folders if is_saved(one) and one not in taken])
    if not named:
        return add_notes(read_saved(saved[0], options), rest)
    parts = {one: _find_part(partial(read_saved, one, options)) for one in taken}
    return add_notes(join_parts(listing.path, parts), rest)


def _find_split_tables(listing: Listing) -> list[Path]:
    """Return the tables that are called like splits, where there is more than calibration."""
    found = group_splits(listing.tables)
    return list(found.values()) if set(found) - {"calibration"} else []


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
        parts = {
            path: _find_part(partial(_read_split_table, listing, path, options, pictures))
            for path in found
        }
        rest = [one for one in listing.tables if one not in found]
        return add_notes(join_parts(listing.path, parts), note_rest(rest))
    named = find_label_table(listing)
    if pictures and not named and len(listing.tables) != 1:
        return None  # tables beside pictures say something else
    if not named and len(listing.tables) > 1:
        raise DataError(
            f"{listing.path} holds {len(listing.tables)} tables, {listing.describe()}; give one of "
            "them, or call them train, val and test"
        )
    table = Table(path=named or listing.tables[0], encoding=options.encoding)
    if pictures and not listing.pictures and _may_be_classes(listing):
        return read_beside_classes(table, listing, options)
    return _read_table(table, listing.path, options, pictures=pictures)


def _may_be_classes(listing: Listing) -> bool:
    """Say whether folders of pictures may be classes: there are several, not of splits alone."""
    others = [one for one in listing.folders if one not in listing.splits]
    pictures = any(list_directory(one).pictures for one in others)
    return len(listing.folders) > 1 and (pictures or not listing.splits)


def _read_split_table(listing: Listing, path: Path, options: DataOptions, pictures: bool) -> Source:
    """Say what the table of a split holds, its pictures in a folder of that split first."""
    split = SPLIT_NAMES[path.stem.casefold()]
    within = (one.name for one in listing.splits if SPLIT_NAMES[one.name.casefold()] == split)
    table = Table(path=path, encoding=options.encoding)
    first = next(within, path.stem)
    return _read_table(table, listing.path, options, first, pictures=pictures)
