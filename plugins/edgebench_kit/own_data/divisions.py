"""Splits that share no payload: those that the data has, or made by digest.

Which split a sample is in depends on what it holds and the seed, never on what it is called.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

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


@attrs.define(eq=False)
class _Divider:
    """Divides once; counts what it drops."""

    options: DataOptions
    dropped: int = 0
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
                _agree(other, one)
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
        found = groups.by_split.get("calibration")
        whole = [one for group in groups.by_split.values() for one in group]
        kept = self.keep_distinct(whole if found is None else found, "calibration")
        return self.take(kept, OWN_CALIBRATION)

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

    What *calibration* holds takes the place of the calibration split.

    Raises:
        DataError: One payload stands in one group with two labels.
    """
    divider = _Divider(options)
    by_split, pool, how = _name_groups(groups.by_split, given=calibration is not None)
    splits = {split: divider.keep_distinct(one, split) for split, one in by_split.items()}
    if calibration is not None:
        splits["calibration"] = divider.take_calibration(calibration)
        how.append(f"calibration from {options.calibration}")
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
    )


def _name_groups(
    found: Mapping[str, Group], *, given: bool
) -> tuple[dict[str, Group], bool, list[str]]:
    """Return the groups by the split that each is, whether the test split is all, and why so.

    Where calibration data is *given*, that of the data is not used, unless there is no other.
    """
    groups = dict(found)
    if given and len(groups) > 1:
        groups.pop("calibration", None)
    if WHOLE in groups:
        return {"test": groups[WHOLE]}, True, ["no splits of its own"]
    how = ["its own splits"]
    if "test" not in groups and "validation" in groups:
        groups["test"] = groups.pop("validation")
        how = ["its own splits", "what is called validation is the test split"]
    if "test" not in groups or len(groups) == 1:
        # There is nothing to test on, or to make the other splits of.
        only = next(one for one in ("test", "training", "calibration") if one in groups)
        groups["test"] = groups.pop(only)
        seen = ", which a model that was trained on it knows" * (only == "training")
        return groups, True, [f"no splits of its own but {only}{seen}"]
    return groups, False, how


def _agree(one: Item, other: Item) -> None:
    """Refuse two items of one payload that are labelled differently."""
    labels = [
        one.label if not isinstance(one.label, Path) else _read_label(one.label)
        for one in (one, other)
    ]
    if labels[0] != labels[1]:
        said = (
            "masks"
            if isinstance(one.label, Path)
            else f"labels, {show(str(one.label))!r} and {show(str(other.label))!r}"
        )
        raise DataError(f"{one.name} and {other.name} hold the same with two {said}; leave one")


def _read_label(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
