"""Splits that share no payload: those that the data has, or made by digest.

Which split a sample is in depends on what it holds and the seed, never on what it is called.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgebench import DataError, Unreadable
from edgebench_kit.own_data.items import WHOLE, Group, Groups, Item, show
from edgebench_kit.own_data.options import DataOptions

CLAIMING = ("calibration", "validation", "training", "test")
"""In this order splits claim what stands in several."""
CARVED = {"calibration": 200, "validation": 400}
"""What of other splits is given to those that the data lacks, at most; a tenth at most."""
PART = 10
FEW = 4
"""From so many samples on, a split that is carved has one at least."""
OWN_CALIBRATION = 512
"""The most that is taken of data for calibration alone."""
NAMED = 3
"""Of what is labelled in two ways, as many pairs are named."""

Distinct = dict[bytes, Item]
"""Items by their digests."""


@attrs.frozen(kw_only=True, eq=False)
class Division:
    """Which items each split holds, in the order of their ranks."""

    splits: Mapping[str, tuple[Item, ...]]
    unreadable: Mapping[str, tuple[Unreadable, ...]]
    dropped: int
    """Items whose payload stands elsewhere already."""
    how: str
    """By what they were divided, in one phrase."""
    own: bool
    """Whether what is tested on is a split that the data has beside others."""


@attrs.define(eq=False)
class _Divider:
    """Divides once; counts what it drops, and notes what is labelled in two ways."""

    options: DataOptions
    dropped: int = 0
    differing: dict[bytes, tuple[Item, Item]] = attrs.field(factory=dict)
    """By digest, the first two items of a payload that are labelled differently."""
    unreadable: dict[str, list[Unreadable]] = attrs.field(factory=dict)

    def keep_distinct(self, group: Iterable[Item | Unreadable], split: str) -> Distinct:
        """Return the first item of each payload; note what cannot be read."""
        kept: Distinct = {}
        for one in group:
            if isinstance(one, Unreadable):
                self.unreadable.setdefault(split, []).append(one)
                continue
            try:
                digest = one.digest()
            except DataError as error:
                found = Unreadable(name=one.name, reason=str(error))
                self.unreadable.setdefault(split, []).append(found)
                continue
            other = kept.setdefault(digest, one)
            if other is not one:
                if _read_label(other) != _read_label(one):
                    self.differing.setdefault(digest, (other, one))
                self.dropped += 1
        return kept

    def rank(self, items: Distinct) -> list[bytes]:
        """Return digests in an order that the seed decides."""
        salt = f"{self.options.seed}/".encode()
        return sorted(items, key=lambda digest: hashlib.sha256(salt + digest).digest())

    def carve(self, items: Distinct, split: str, whole: int) -> Distinct:
        """Take a tenth of a whole out of items."""
        tenth = max(whole // PART, int(whole >= FEW))
        return self.take(items, min(CARVED[split], tenth))

    def take(self, items: Distinct, count: int) -> Distinct:
        """Take so many out of items, the first by rank."""
        return {digest: items.pop(digest) for digest in self.rank(items)[:count]}

    def take_calibration(self, groups: Groups) -> Distinct:
        """Take calibration data out of data that is for nothing else."""
        whole = [one for group in groups.by_split.values() for one in group]
        return self.take(self.keep_distinct(whole, "calibration"), OWN_CALIBRATION)

    def carve_all(self, splits: dict[str, Distinct]) -> None:
        """Make all splits that are not there of the test split, which keeps the rest."""
        pool = splits["test"]
        whole = len(pool)
        for split in CARVED:
            if split not in splits:
                splits[split] = self.carve(pool, split, whole)
        splits["training"] = self.take(pool, int(whole * self.options.training))

    def carve_lacking(self, splits: dict[str, Distinct]) -> str:
        """Make the splits that are lacking of training data; say which, empty if none."""
        source = "training" if "training" in splits else "validation"
        lacking = [split for split in CARVED if split not in splits]
        if source not in splits or not lacking:
            return ""
        whole = len(splits[source])
        for split in lacking:
            splits[split] = self.carve(splits[source], split, whole)
        return f"{' and '.join(lacking)} from {source}"

    def claim(self, splits: dict[str, Distinct]) -> None:
        """Take from each split what stands in an earlier one."""
        seen: set[bytes] = set()
        for split in CLAIMING:
            items = splits.get(split, {})
            for digest in seen & set(items):
                del items[digest]
                self.dropped += 1
            seen |= set(items)


def divide(groups: Groups, calibration: Groups | None, options: DataOptions) -> Division:
    """Divide items into the four splits, of which no two share a payload.

    What *calibration* holds takes the place of the calibration split; `leave_calibration` and
    `pick_calibration` leave out what is not used then.

    Raises:
        DataError: One payload stands in one group with two labels.
    """
    divider = _Divider(options)
    by_split, pool, how = _name_groups(groups)
    splits = {split: divider.keep_distinct(one, split) for split, one in by_split.items()}
    if calibration is not None:
        splits["calibration"] = divider.take_calibration(calibration)
        how.append(f"calibration from {options.calibration}")
    _refuse_differing(list(divider.differing.values()))
    divider.claim(splits)
    if pool:
        divider.carve_all(splits)
    elif carved := divider.carve_lacking(splits):
        how.append(f"{carved} by digest, seed {options.seed}")
    if pool:
        how[0] += f": by digest, seed {options.seed}"
    return Division(
        splits={
            split: tuple(items[digest] for digest in divider.rank(items))
            for split, items in ((split, splits.get(split, {})) for split in CLAIMING)
        },
        unreadable={split: tuple(found) for split, found in divider.unreadable.items()},
        dropped=divider.dropped,
        how=", ".join(how),
        own=not pool,
    )


def leave_calibration(groups: Groups) -> Groups:
    """Leave out what is for calibration, where there is more, since other data takes its place."""
    rest = set(groups.by_split) - {"calibration"}
    return _keep(groups, rest, "its own calibration") if rest else groups


def pick_calibration(groups: Groups) -> Groups:
    """Leave out what is not for calibration, where some is."""
    some = "calibration" in groups.by_split
    return _keep(groups, {"calibration"}, "its other splits") if some else groups


def _keep(groups: Groups, splits: set[str], others: str) -> Groups:
    """Keep the groups of some splits, and say how much that leaves out."""
    kept = {split: group for split, group in groups.by_split.items() if split in splits}
    count = sum(map(len, groups.by_split.values())) - sum(map(len, kept.values()))
    note = f"{count:,} in {others} {'stay' if count > 1 else 'stays'} out"
    notes = (*groups.notes, *([note] if count else []))
    return attrs.evolve(groups, by_split=kept, notes=notes)


def _name_groups(found: Groups) -> tuple[dict[str, Group], bool, list[str]]:
    """Return the groups by the split that each is, whether the test split is all, and why so."""
    groups = dict(found.by_split)
    if WHOLE in groups:
        return {"test": groups[WHOLE]}, True, ["no splits of its own"]
    own = f"its own splits by {found.how}" if found.how else "its own splits"
    how = [own]
    if "test" not in groups and "validation" in groups:
        groups["test"] = groups.pop("validation")
        how = [own, "what is called validation is the test split"]
    if "test" not in groups or len(groups) == 1:
        # There is nothing to test on, or to make the other splits of.
        only = next(one for one in ("test", "training", "calibration") if one in groups)
        groups["test"] = groups.pop(only)
        seen = ", which a model that was trained on it knows" * (only == "training")
        return groups, True, [f"no splits of its own but {only}{seen}"]
    return groups, False, how


def _refuse_differing(pairs: Sequence[tuple[Item, Item]]) -> None:
    """Refuse items of one payload that are labelled differently: say how many, and name a few."""
    if not pairs:
        return
    masks = isinstance(pairs[0][0].label, Path)
    named = [
        (
            " and ".join(item.name for item in pair),
            "" if masks else " and ".join(repr(show(str(item.label))) for item in pair),
        )
        for pair in pairs[:NAMED]
    ]
    what = "masks" if masks else "labels"
    if len(pairs) == 1:
        names, labels = named[0]
        said = f", {labels}" if labels else ""
        raise DataError(f"{names} hold the same with two {what}{said}; leave one")
    shown = [f"{names} ({labels})" if labels else names for names, labels in named]
    more = f", and {len(pairs) - NAMED} more" if len(pairs) > NAMED else ""
    raise DataError(
        f"{len(pairs)} inputs are there with two {what} each: {'; '.join(shown)}{more}; leave one "
        "of each, or none where nobody knows which is right"
    )


def _read_label(item: Item) -> Any:
    """Return what two items of one label share."""
    if not isinstance(item.label, Path):
        return item.label
    try:
        return item.label.read_bytes()
    except OSError as error:
        raise DataError(f"{item.label} cannot be read: {error.strerror or error}") from error
