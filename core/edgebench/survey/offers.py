"""What all installed plugins offer, looked at where that is not known yet, and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgebench.catalogue.registry import Registry
from edgebench.survey.installed import find_installed
from edgebench.survey.kept import find_place, is_whole, keep_longer, remove_old, write_file

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
    if is_whole(together) and not (again and any(map(_is_faulty, _read(together)))):
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
            write_file(kept[told.key][told.by_registry], json.dumps(told.offers))
    write_file(together, json.dumps(_collect(next(filter(is_whole, one)) for one in kept.values())))
    return together


def _is_known(files: Sequence[Path], *, again: bool) -> bool:
    """Say whether one of the files tells what a distribution offers, and may be believed."""
    told = next(filter(is_whole, files), None)
    return told is not None and not (again and any(map(_is_faulty, _read(told))))


def _is_faulty(offer: Mapping[str, Any]) -> bool:
    return bool(offer["broken"] or offer["faults"])


def _read(file: Path) -> list[dict[str, Any]]:
    offers: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return offers


def _collect(files: Iterable[Path]) -> list[dict[str, Any]]:
    """Return what distributions offer: the first of a name on the path is what is imported."""
    collected: list[dict[str, Any]] = []
    seen: set[str] = set()
    for offers in map(_read, files):
        collected += [each for each in offers if each["distribution"] not in seen]
        seen.update(each["distribution"] for each in offers)
    return collected
