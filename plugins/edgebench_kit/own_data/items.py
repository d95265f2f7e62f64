"""What data consists of before it is split: items with labels, a group for each split it has."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgebench import DataError, Unreadable

WHOLE = ""
"""The group of what has no splits."""


class Unlabelled(DataError):
    """Pictures or rows that are there but for their labels."""


@attrs.frozen(kw_only=True, eq=False)
class Item:
    """One input with its label, not read yet."""

    name: str
    """What the user would look for: a file, a line."""
    label: Any
    """The name of a class; the path of a mask; a sequence of such names, one for each word. None
    where a table has none, until it is settled what becomes of it."""
    payload: bytes | Path | Callable[[], bytes]
    """The bytes that travel, the file that they are, or what reads them."""
    text: str = ""
    """How it begins, to be shown."""

    def read(self) -> bytes:
        """Return the payload.

        Raises:
            DataError: It cannot be read.
        """
        if isinstance(self.payload, bytes):
            return self.payload
        if not isinstance(self.payload, Path):
            return self.payload()
        try:
            return self.payload.read_bytes()
        except OSError as error:
            raise DataError(f"the file cannot be read: {error.strerror or error}") from error

    def digest(self) -> bytes:
        """Return the SHA-256 of the payload.

        Raises:
            DataError: It cannot be read.
        """
        return hashlib.sha256(self.read()).digest()


Group = Sequence[Item | Unreadable]


@attrs.frozen(kw_only=True, eq=False)
class Groups:
    """All items: by the split whose folder or file they are in, or in one group for all."""

    by_split: Mapping[str, Group]
    notes: tuple[str, ...] = ()
    """What the user should know of what was left out or taken for something."""
    how: str = ""
    """By what they are grouped, if not by folders or files that are called like splits."""
    unnamed: tuple[str, ...] = ()
    """Pictures that no row with a label names."""

    @property
    def items(self) -> list[Item]:
        """The items of all groups."""
        return [one for group in self.by_split.values() for one in group if isinstance(one, Item)]

    @property
    def unreadable(self) -> list[Unreadable]:
        """What of all groups is known not to be readable."""
        whole = [one for group in self.by_split.values() for one in group]
        return [one for one in whole if isinstance(one, Unreadable)]


@attrs.frozen(kw_only=True, eq=False)
class Source:
    """What a path, or the folder or file of a split in it, was found to be."""

    kind: str
    read: Callable[[], Groups]
    """Make the items, of the group `WHOLE` alone for the folder or file of a split."""
    uses: frozenset[str] = frozenset()
    """Which of the options `READING` say something of how it is read."""
    pairs: bool = False
    told: str = ""
    """Which columns are read, to be shown."""
    columns: tuple[str, ...] = ()
    """All of the table, where there is one with a header."""
    label: str = ""
    """That of the labels."""
    labelled: bool = True
    """Whether what is read has labels."""

    @property
    def things(self) -> str:
        """What must be alike of all that is put together."""
        return "pairs of texts" if self.pairs else self.kind


def leave_labels(source: Source) -> Source:
    """Return the source of the same inputs without labels; pictures are left of masks."""

    def read() -> Groups:
        groups = source.read()
        return attrs.evolve(
            groups,
            by_split={
                split: [
                    attrs.evolve(one, label="") if isinstance(one, Item) else one for one in group
                ]
                for split, group in groups.by_split.items()
            },
        )

    kind = "pictures" if source.kind == "masks" else source.kind
    return attrs.evolve(source, kind=kind, read=read, told="", labelled=False)


def show(text: str, most: int = 40) -> str:
    """Return a text of the user's in one line that any terminal can print, cut where it is long."""
    plain = text[: 4 * most].encode(errors="replace").decode()
    line = " ".join("".join(one if one.isprintable() else " " for one in plain).split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def name_file(path: Path, root: Path) -> str:
    """Return how a file below a directory is called to people, whatever bytes its name has."""
    return show(path.relative_to(root).as_posix(), 200)
