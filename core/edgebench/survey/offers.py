"""What all installed plugins offer, looked at where that is not known yet, and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgebench.catalogue.registry import Registry
from edgebench.survey.installed import Installed, find_installed
from edgebench.survey.kept import find_place, is_whole, remove_old, write_file

LIMIT_S = 15.0
"""What a plugin has to load and to answer all hooks."""


def find_offers(registry: Registry, progress: Callable[[int, int], None]) -> Path | None:
    """Return the file that says what installed plugins offer; None where none is installed.

    What is known of a distribution is kept until it, or what is installed beside it, changes. The
    others are imported by processes of their own, with a time limit each; what hangs or crashes
    there is a fault, and nobody else imports it.

    Raises:
        EdgebenchError: No directory can be written in which to keep it.
    """
    installed = find_installed()
    if not installed:
        return None
    keys = [registry.digest, *(one.key for one in installed)]
    place = find_place()
    together = place / f"all-{hashlib.sha256(' '.join(keys).encode()).hexdigest()}.json"
    if not is_whole(together):
        remove_old(place)
        write_file(together, json.dumps(_collect(installed, registry, place, progress)))
    return together


def _collect(
    installed: Sequence[Installed],
    registry: Registry,
    place: Path,
    progress: Callable[[int, int], None],
) -> list[dict[str, Any]]:
    """Return what each distribution offers: the first of a name on the path is what is imported."""
    # What follows from the registry is kept by that as well.
    ends = (".json", f"-{registry.digest}.json")
    places = {one.key: [place / f"{one.key}{end}" for end in ends] for one in installed}
    missing = [one for one in installed if not any(map(is_whole, places[one.key]))]
    if missing:
        # Imported here because hardly ever anything is.
        from edgebench.survey.asking import look_at

        for told in look_at(missing, registry, LIMIT_S, progress):
            write_file(places[told.key][told.by_registry], json.dumps(told.offers))
    collected: list[dict[str, Any]] = []
    seen: set[str] = set()
    for one in installed:
        file = next(filter(is_whole, places[one.key]))
        offers = json.loads(file.read_text(encoding="utf-8"))
        collected += [each for each in offers if each["distribution"] not in seen]
        seen.update(each["distribution"] for each in offers)
    return collected
