"""What lies in a directory, as people see it: folders, pictures and tables, nothing hidden."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from edgebench import DataError
from edgebench_kit.own_data.tables import ENDINGS

PICTURES = (".jpg", ".jpeg", ".png")
OTHER_PICTURES = (
    *(".jfif", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".ppm"),
    *(".pgm", ".jp2", ".svg", ".dcm"),
)
"""Endings of pictures that are not read."""
ARRAYS = (".npz", ".npy")
LEFT_BEHIND = ("thumbs.db", "desktop.ini", "ehthumbs.db", "__macosx", "icon\r", "$recycle.bin")
"""What systems leave behind that is not hidden by a dot."""
SPLIT_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("train", "training"), "training"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("calib", "calibration"), "calibration"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""The split that a folder or a file is, by its name."""


@attrs.frozen(kw_only=True)
class Listing:
    """The visible contents of one directory, in natural order."""

    path: Path
    folders: tuple[Path, ...]
    pictures: tuple[Path, ...]
    unread: tuple[Path, ...]
    """Pictures of other formats, and links that lead nowhere."""
    tables: tuple[Path, ...]
    arrays: tuple[Path, ...]
    others: tuple[Path, ...]

    @property
    def splits(self) -> tuple[Path, ...]:
        """The folders that are called like splits."""
        return tuple(one for one in self.folders if one.name.casefold() in SPLIT_NAMES)

    def describe(self) -> str:
        """Say in one phrase what is there."""
        files = (*self.pictures, *self.unread, *self.tables, *self.arrays, *self.others)
        names = [f"{one.name}/" for one in self.folders] + [one.name for one in files]
        if not names:
            return "nothing"
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        return ", ".join(names[:4]) + more


def list_directory(path: Path) -> Listing:
    """List what lies in a directory, without what is hidden or left behind by systems.

    Raises:
        DataError: It cannot be read.
    """
    kinds: dict[str, list[str]] = {
        kind: [] for kind in ("folders", "pictures", "unread", "tables", "arrays", "others")
    }
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.name.casefold() not in LEFT_BEHIND:
                    kinds[_sort(entry)].append(entry.name)
    except OSError as error:
        raise DataError(f"the directory {path} cannot be read: {error.strerror}") from error
    ordered = {
        kind: tuple(path / name for name in sorted(names, key=order_naturally))
        for kind, names in kinds.items()
    }
    return Listing(path=path, **ordered)


def _sort(entry: os.DirEntry[str]) -> str:
    """Say what an entry of a directory is; links are what they lead to."""
    if entry.is_dir():
        return "others" if entry.is_symlink() and _leads_back(Path(entry.path)) else "folders"
    ending = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 (a path each would be slow)
    if ending in PICTURES:
        return "pictures" if entry.is_file() else "unread"
    if ending in OTHER_PICTURES:
        return "unread"
    if ending in ENDINGS:
        return "tables"
    return "arrays" if ending in ARRAYS else "others"


def _leads_back(path: Path) -> bool:
    """Say whether a link leads to a directory that it lies in, which has no end."""
    return path.parent.resolve().is_relative_to(path.resolve())


def holds_arrays(listing: Listing) -> bool:
    """Say whether arrays are what is meant: there are more of them than of all else that is read.

    One may lie beside pictures, as their mean does, and one table beside many arrays.
    """
    inside = (list_directory(one) for one in listing.folders) if listing.arrays else ()
    others = sum(len(one.pictures) + len(one.tables) for one in (listing, *inside))
    return len(listing.arrays) > others


def order_naturally(name: str) -> tuple[list[str | int], str]:
    """Order names as people do, numbers by their size."""
    parts = re.split("([0-9]+)", name)
    return [int(one) if n % 2 else one for n, one in enumerate(parts)], name


def group_splits(paths: Iterable[Path]) -> dict[str, Path]:
    """Return the paths that are called like splits, by the split.

    Raises:
        DataError: Two are called like the same.
    """
    found: dict[str, Path] = {}
    for path in paths:
        name = path.name if path.is_dir() else path.stem
        if split := SPLIT_NAMES.get(name.casefold()):
            if other := found.get(split):
                raise DataError(
                    f"{other} and {path} are both called like the {split} split; leave one"
                )
            found[split] = path
    return found
