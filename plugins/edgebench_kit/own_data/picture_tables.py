"""Pictures whose labels stand in a table beside them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path, PurePosixPath

import attrs

from edgebench import DataError, Unreadable
from edgebench_kit.own_data.class_names import simplify
from edgebench_kit.own_data.columns import FILES, Chosen, choose_label, list_columns
from edgebench_kit.own_data.items import Groups, Item, Source, name_file, show
from edgebench_kit.own_data.listings import LEFT_BEHIND, PICTURES
from edgebench_kit.own_data.options import DataOptions
from edgebench_kit.own_data.table_items import (
    group_rows,
    name_label,
    tell_columns,
    walk_cells,
)
from edgebench_kit.own_data.tables import Row, Table


@attrs.frozen(slots=False, eq=False)
class PictureFinder:
    """Finds the pictures below a directory by what a table calls them."""

    root: Path
    within: str = ""
    """The folder whose pictures go before others of the same name."""

    @cached_property
    def pictures(self) -> tuple[str, ...]:
        """All of them, as paths from the root with slashes; hidden ones are left out."""
        found = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(name for name in folders if not _is_hidden(name))
            inside = Path(folder).relative_to(self.root)
            pictures = (f for f in files if f.lower().endswith(PICTURES) and not _is_hidden(f))
            found += [(inside / name).as_posix() for name in sorted(pictures)]
        return tuple(found)

    @cached_property
    def _by_end(self) -> Mapping[str, str | None]:
        """The pictures by each end of their paths, with and without the ending; None for two."""
        found: dict[str, str | None] = {}
        for picture in self.pictures:
            parts = picture.split("/")
            for start in range(len(parts)):
                for end in _both(str(PurePosixPath(*parts[start:]))):
                    found[end] = picture if found.get(end, picture) == picture else None
        # The whole path is that picture, even if another ends so.
        return {**found, **{picture: picture for picture in self.pictures}}

    def find(self, name: str) -> Path | None:
        """Return the picture that a table calls so; None if there is none, or more than one.

        A name is the end of its path. Of a longer path its own ends are sought from the root on,
        as tables keep paths of where they were made; the longest that ends any path decides.
        """
        parts = _divide(name)
        if not parts or len(parts) > 64:
            return None
        if self.within and (picture := self._by_end.get("/".join([self.within, *parts]))):
            return self.root / picture
        end = self._find_end(parts)
        picture = self._by_end.get(end)
        whole = picture == end or end == "/".join(parts)
        return self.root / picture if picture and whole else None

    def _find_end(self, parts: Sequence[str]) -> str:
        """Return the longest end of a name that ends any path; empty if none does."""
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((end for end in ends if end in self._by_end), "")

    def is_twice(self, name: str) -> bool:
        """Say whether several pictures have a name that is none for that reason."""
        end = self._find_end(_divide(name))
        return self.find(name) is None and self._by_end.get(end, end) is None


def _divide(name: str) -> list[str]:
    return [part for part in name.strip().replace("\\", "/").split("/") if part not in ("", ".")]


def _both(path: str) -> tuple[str, str]:
    return path, path[: -len(PurePosixPath(path).suffix)]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in LEFT_BEHIND


def names_pictures(table: Table) -> bool:
    """Say whether a table's first rows hold names of picture files."""
    rows = table.peek(header=False)
    cells = (cell.strip().lower() for _, cell in walk_cells(rows))
    return any(cell.endswith(PICTURES) and "://" not in cell for cell in cells)


def labels_bare_names(table: Table, root: Path, options: DataOptions) -> bool:
    """Say whether a table labels pictures below a directory that it names without endings.

    A table of classes may hold numbers that are such names too, but has a row for each class: more
    pictures must be named than there are labels, and by half of the rows.
    """
    finder = PictureFinder(root)
    try:
        chosen = _choose_columns(table, finder, options)
    except DataError:
        return False
    rows = [row for row in table.read_rows(header=chosen.header) if isinstance(row, Row)]
    found = [one for row in rows if isinstance(one := _read_row(row, chosen, finder), Item)]
    labels = {one.label for one in found} - {None}
    return 2 * len(found) >= len(rows) and len({one.payload for one in found}) > len(labels) > 0


def read_pictures(table: Table, root: Path, options: DataOptions, within: str = "") -> Source:
    """Say which columns of a table name the pictures below a directory, and their labels.

    A table of one split names those in the folder *within* before others; of any other table the
    folders of splits say where its pictures belong.

    Raises:
        DataError: None does; says which columns there are.
    """
    finder = PictureFinder(root, within)
    chosen = _choose_columns(table, finder, options)
    return Source(
        kind="pictures",
        read=partial(_read_rows, table, chosen, finder),
        uses=frozenset(("label", "encoding")),
        **tell_columns(table.first, chosen),
    )


def _choose_columns(table: Table, finder: PictureFinder, options: DataOptions) -> Chosen:
    rows = table.peek(header=False)
    first = [finder.find(str(cell)) for cell in table.first]
    header = not any(first)
    counts = Counter(place for place, cell in walk_cells(rows) if finder.find(cell))
    if not counts:
        twice = next((cell for _, cell in walk_cells(rows) if finder.is_twice(cell)), None)
        if twice is not None:
            raise DataError(
                f"{table.path}: {show(twice)} is there twice below {finder.root}; name pictures "
                "with their folders"
            )
        raise DataError(
            f"{table.path}: no column names pictures below {finder.root}, one each, with or "
            f"without their endings; there are {list_columns(table.first)}"
        )
    best = max(counts.values())
    places = [place for place, count in counts.items() if count == best]
    file = min(places, key=lambda place: (_rank(table.first[place]), place))
    return choose_label(str(table.path), table.first, file, options.label, header=header,
                        keys=table.has_keys)  # fmt: skip


def _rank(name: str) -> int:
    simple = name.strip().casefold().replace(" ", "_")
    return FILES.index(simple) if simple in FILES else len(FILES)


def _read_rows(table: Table, chosen: Chosen, finder: PictureFinder) -> Groups:
    read = partial(_read_row, chosen=chosen, finder=finder)
    groups = group_rows(table, chosen, read, None if finder.within else finder.root)
    items = groups.items
    named = {one.payload for one in items}
    unnamed = tuple(one for one in finder.pictures if finder.root / one not in named)
    return attrs.evolve(groups, notes=(*groups.notes, *_note_folders(items)), unnamed=unnamed)


def _note_folders(items: Sequence[Item]) -> list[str]:
    """Say how many pictures lie in a folder that is called like another label than theirs."""
    labels = {one.label: simplify(one.label) for one in items}
    names, differing = set(labels.values()), []
    for one in items:
        if isinstance(one.payload, Path):
            folder = simplify(one.payload.parent.name)
            if folder in names and folder != labels[one.label]:
                differing.append(one)
    if not differing:
        return []
    first = differing[0]
    said = "1 label differs" if len(differing) == 1 else f"{len(differing)} labels differ"
    return [f"{said} from the folders' names, as {show(first.label)} of {show(first.name)}"]


def _read_row(row: Row, chosen: Chosen, finder: PictureFinder) -> Item | Unreadable:
    cell, label = row.cells[chosen.inputs[0]], name_label(row.cells[chosen.label])
    path = finder.find(cell) if isinstance(cell, str) else None
    if path is None:
        twice = isinstance(cell, str) and finder.is_twice(cell)
        why = "there are several pictures" if twice else "there is no picture"
        return Unreadable(name=row.name, reason=f"{why} {show(str(cell))!r}")
    return Item(name=name_file(path, finder.root), label=label or None, payload=path)
