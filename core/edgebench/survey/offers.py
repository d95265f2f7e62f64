"""What all installed plugins offer, looked at where that is not known yet, and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgebench.catalogue.offers import Offer
from edgebench.catalogue.registry import Registry
from edgebench.survey.installed import find_installed
from edgebench.survey.kept import find_place, keep_longer, read_file, remove_old, write_file

_FIELDS = {field.name for field in attrs.fields(Offer)}
LIMIT_S = 15.0
"""What a plugin has to load and to answer all hooks."""


def find_offers(
    registry: Registry, progress: Callable[[int, int], None], *, again: bool = False
) -> Path | None:
    """Return the file that says what installed plugins offer; None where none is installed.

    What is known of a distribution is kept until it, or what is installed beside it, changes. The
    others are imported by processes of their own, with a time limit each; what hangs or crashes
    there is a fault, and nobody else imports it. What was faulty is looked at *again* where that is
    asked for: it may have been the machine's fault.

    Raises:
        EdgebenchError: No directory can be written in which to keep it.
    """
    installed = find_installed()
    if not installed:
        return None
    keys = [registry.digest, *(one.key for one in installed)]
    place = find_place()
    together = place / f"all-{hashlib.sha256(' '.join(keys).encode()).hexdigest()}.json"
    if _is_known([together], again=again):
        keep_longer(together)
        return together
    remove_old(place)
    # What follows from the registry is kept by that as well.
    ends = (".json", f"-{registry.digest}.json")
    kept = {one.key: [place / f"{one.key}{end}" for end in ends] for one in installed}
    missing = [one for one in installed if not _is_known(kept[one.key], again=again)]
    if missing:
        # Imported here because hardly ever anything is.
        from edgebench.survey.asking import look_at

        for told in look_at(missing, registry, LIMIT_S, progress):
            write_file(kept[told.key][told.by_registry], told.offers)
    write_file(together, _collect(kept.values()))
    return together


def _is_known(files: Sequence[Path], *, again: bool) -> bool:
    """Say whether one of the files tells what is offered, and may be believed."""
    told = _read(files)
    return told is not None and not (again and any(map(_is_faulty, told)))


def _is_faulty(offer: Mapping[str, Any]) -> bool:
    return bool(offer["broken"] or offer["faults"])


def _read(files: Sequence[Path]) -> list[dict[str, Any]] | None:
    """Return what the first of the files that is whole tells; None where none is."""
    found = (told for told in map(read_file, files) if isinstance(told, list))
    return next((told for told in found if all(map(_is_offer, told))), None)


def _is_offer(told: Any) -> bool:
    return isinstance(told, dict) and told.keys() == _FIELDS


def _collect(kept: Iterable[Sequence[Path]]) -> list[dict[str, Any]]:
    """Return what distributions offer: the first of a name on the path is what is imported."""
    collected: list[dict[str, Any]] = []
    seen: set[str] = set()
    for files in kept:
        offers = _read(files) or []
        collected += [each for each in offers if each["distribution"] not in seen]
        seen.update(each["distribution"] for each in offers)
    return collected
