"""Which table beside pictures is of their labels, by what it is called or what it names."""

from __future__ import annotations

from pathlib import Path

from edgebench_kit.own_data.items import Source, Unlabelled, show
from edgebench_kit.own_data.listings import Listing
from edgebench_kit.own_data.options import DataOptions
from edgebench_kit.own_data.picture_folders import find_masks
from edgebench_kit.own_data.picture_tables import (
    labels_bare_names,
    names_pictures,
    read_pictures,
)
from edgebench_kit.own_data.tables import Table

LABEL_TABLES = ("labels", "label", "metadata", "annotations")
"""What a table of labels beside pictures is called."""


def find_label_table(listing: Listing) -> Path | None:
    """Return the table of labels beside pictures."""
    named = [one for one in listing.tables if one.stem.casefold() in LABEL_TABLES]
    return named[0] if named else None


def labels_folders(listing: Listing, options: DataOptions) -> bool:
    """Say whether the one table of a directory, or that of labels, is of what its folders hold."""
    if find_label_table(listing):
        return True
    if len(listing.tables) != 1:
        return False
    table = Table(path=listing.tables[0], encoding=options.encoding)
    return names_pictures(table) or labels_bare_names(table, listing.path, options)


def read_beside_classes(table: Table, listing: Listing, options: DataOptions) -> Source | None:
    """Say what a table beside folders of pictures holds; None if the folders say more."""
    if not names_pictures(table) and (
        find_masks(listing) or not labels_bare_names(table, listing.path, options)
    ):
        return None
    try:
        return read_pictures(table, listing.path, options)
    except Unlabelled:
        return None


def note_unused(listing: Listing, kind: str) -> tuple[str, ...]:
    """Say that the table of labels is not what labels pictures of a kind."""
    table = find_label_table(listing)
    if table is None:
        return ()
    why = "the masks are" if kind == "masks" else "it labels no pictures here, one each"
    return (f"{show(table.name)} is not used: {why}",)
