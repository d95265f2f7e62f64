"""Groups of items by the splits that folders, files or columns of a table say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs

from edgebench import DataError, Unreadable
from edgebench_kit.own_data.columns import LABELS, SURE_LABELS, simplify
from edgebench_kit.own_data.items import WHOLE, Group, Groups, Item, Source, Unlabelled, show
from edgebench_kit.own_data.listings import SPLIT_NAMES, group_splits

SHOWN = 3
"""Of what stays out, as many are named."""


def group_by_columns(items: Group, columns: Mapping[str, Sequence[str | None]]) -> Groups:
    """Group the items of a table by the first of the columns that holds names of splits alone.

    The cells are those of the items, None for one that has no row.
    """
    notes = []
    for name, cells in columns.items():
        splits = [None if one is None else SPLIT_NAMES.get(one.casefold(), WHOLE) for one in cells]
        if any(splits) and WHOLE not in splits:
            return _group(items, splits, how=f"the column {show(name)!r}")
        if any(splits):
            strange = cells[splits.index(WHOLE)] or ""
            notes.append(
                f"the column {show(name)!r} is not used for splits, of which {show(strange)!r} is "
                "none"
            )
    return Groups(by_split={WHOLE: items}, notes=tuple(notes))


def group_by_folders(groups: Groups, root: Path) -> Groups:
    """Group pictures by the folders of splits below a directory, if they lie in such.

    Nothing is grouped that a column has grouped. A folder that is called like a label is a class.

    Raises:
        DataError: Some lie in such folders and others do not.
    """
    if set(groups.by_split) != {WHOLE}:
        return groups
    items = groups.by_split[WHOLE]
    labels = {str(one.label).casefold() for one in items if isinstance(one, Item)}
    splits = [_find_split(one, root, labels) if isinstance(one, Item) else None for one in items]
    if not any(splits):
        return groups
    if WHOLE in splits:
        inside = items[next(place for place, split in enumerate(splits) if split)]
        outside = items[splits.index(WHOLE)]
        raise DataError(
            f"{root}: {inside.name} lies in the folder of a split, and {splits.count(WHOLE)} "
            f"pictures lie in none, as {outside.name}; move them, or say the split of each in a "
            "column split"
        )
    return attrs.evolve(
        _group(items, splits, how="the folders of the pictures"), notes=groups.notes
    )


def _find_split(item: Item, root: Path, labels: set[str]) -> str:
    """Return the split in whose folder a picture lies, `WHOLE` for none."""
    inside = item.payload.relative_to(root) if isinstance(item.payload, Path) else Path()
    names = (one.casefold() for one in inside.parts[:-1])
    return next((SPLIT_NAMES[one] for one in names if one in SPLIT_NAMES and one not in labels),
                WHOLE)  # fmt: skip


def _group(items: Group, splits: Sequence[str | None], *, how: str) -> Groups:
    """Group items by their splits; what has none goes with what is tested on, to be counted."""
    known = {one for one in splits if one}
    other = "test" if "test" in known or not known else min(known)
    found: dict[str, list[Item | Unreadable]] = {}
    for one, split in zip(items, splits, strict=True):
        found.setdefault(split or other, []).append(one)
    return Groups(by_split=found, how=how)


def join_parts(path: Path, parts: Mapping[Path, Source | Unlabelled]) -> Source:
    """Make one source of those of the splits, of which some have no labels.

    Raises:
        Unlabelled: None has labels.
        DataError: They are of several kinds.
    """
    found = {one: source for one, source in parts.items() if isinstance(source, Source)}
    # Where two columns are left one is taken for labels, which in the table of another split it is
    # not.
    sources = {
        one: source
        for one, source in found.items()
        if not any(_is_bare_beside(source, other) for other in found.values())
    }
    if not sources:
        why = next(str(one) for one in parts.values())
        raise Unlabelled(f"{path}: no labels in {name_all(parts)}: {why}")
    place, first = next(iter(sources.items()))
    for one, source in sources.items():
        if source.things != first.things:
            raise DataError(
                f"{one} holds {source.things} and {place} {first.things}; splits must be of one "
                "kind"
            )
    told = first.told
    if len({source.told for source in sources.values()}) > 1:
        told = "; ".join(f"{show(one.name)} {source.told}" for one, source in sources.items())
    left = tuple(_say_bare(one) for one in parts if one not in sources)
    uses = frozenset[str]().union(*(source.uses for source in sources.values()))
    read = partial(_read_parts, path, sources, left)
    return attrs.evolve(first, told=told, uses=uses, read=read)


def _is_bare_beside(source: Source, other: Source) -> bool:
    """Say whether what is read as labels is none, by the table that lies beside it.

    The labels of that are in a column that this one has not, and what is taken here is another
    column there, or is called like none that holds labels.
    """
    own, others = (set(map(simplify, one.columns)) for one in (source, other))
    label, wanted = simplify(source.label), simplify(other.label)
    if not wanted or wanted in own:
        return False
    return label not in (SURE_LABELS if label in others else LABELS) and wanted in LABELS


def check_calibration(path: Path, source: Source, beside: Path, other: Source) -> None:
    """See that data, and *other* for calibration, are of one kind and of the same labels.

    Raises:
        DataError: They are not, or one has not the column of the other's labels, and what is taken
            for its own is another column there.
    """
    if source.things != other.things:
        raise DataError(
            f"{beside} holds {other.things} and {path} {source.things}; calibration data must be "
            "of the same kind"
        )
    for where, one, whole in ((path, source, other), (beside, other, source)):
        if _is_bare_beside(one, whole):
            raise DataError(
                f"{where} has no column {whole.label!r}, where the labels are in what is given "
                "with it; add it, or say label=COLUMN"
            )


def name_all(paths: Iterable[Path]) -> str:
    """Name files or folders."""
    return " and ".join(show(one.name) for one in paths)


def _say_bare(path: Path) -> str:
    return f"{show(path.name)} has no labels and stays out"


def _read_parts(path: Path, sources: Mapping[Path, Source], left: tuple[str, ...]) -> Groups:
    names = {one: split for split, one in group_splits(sources).items()}
    found: dict[str, Group] = {}
    notes = list(left)
    unnamed: list[set[str]] = []
    lacking: Unlabelled | None = None
    for one, source in sources.items():
        try:
            groups = source.read()
        except Unlabelled as error:
            lacking = error
            notes.append(_say_bare(one))
            continue
        group = [item for each in groups.by_split.values() for item in each]
        if one.is_dir():
            group = [attrs.evolve(item, name=f"{one.name}/{item.name}") for item in group]
        found[names[one]] = group
        notes += [f"{show(one.name)}: {note}" for note in groups.notes]
        if set(groups.by_split) - {WHOLE, names[one]}:
            said = groups.how or "what lies in it"
            notes.append(f"{show(one.name)} is one split, whatever {said} may say")
        unnamed.append({f"{one.name}/{name}" if one.is_dir() else name for name in groups.unnamed})
    if not found:
        raise Unlabelled(f"{path}: no labels in {name_all(sources)}: {lacking}") from lacking
    # In a folder of its own a table names what lies there; tables side by side share pictures.
    shared = not next(iter(sources)).is_dir()
    rest = set.intersection(*unnamed) if shared else set.union(*unnamed)
    return Groups(by_split=found, notes=tuple(dict.fromkeys(notes)), unnamed=tuple(sorted(rest)))


def add_notes(source: Source, notes: tuple[str, ...]) -> Source:
    """Return a source that says more of what it leaves out."""

    def read() -> Groups:
        groups = source.read()
        return attrs.evolve(groups, notes=(*groups.notes, *notes))

    return attrs.evolve(source, read=read) if notes else source


def note_rest(paths: Sequence[Path]) -> tuple[str, ...]:
    """Say that there is what stays out, since no split is called so."""
    if not paths:
        return ()
    named = ", ".join(f"{show(one.name)}{'/' * one.is_dir()}" for one in paths[:SHOWN])
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return (f"{named}{more} beside the splits {'stay' if len(paths) > 1 else 'stays'} out",)
