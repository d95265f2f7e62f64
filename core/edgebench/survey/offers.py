"""What all installed plugins offer, looked at where that is not known yet, and kept."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgebench.catalogue.registry import Registry
from edgebench.parts.errors import EdgebenchError
from edgebench.store.roots import cache_root
from edgebench.survey.installed import Installed, find_installed

LIMIT_S = 15.0
"""What a plugin has to load and to answer all hooks."""
KEPT_S = 60 * 86400
"""For how long what was seen is kept: longer than any run that reads it."""


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
    place = _find_place()
    together = place / f"all-{hashlib.sha256(' '.join(keys).encode()).hexdigest()}.json"
    if not together.is_file():
        _remove_old(place)
        _write(together, _collect(installed, registry, place, progress))
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
    missing = [one for one in installed if not any(map(Path.is_file, places[one.key]))]
    if missing:
        # Imported here because hardly ever anything is.
        from edgebench.survey.asking import look_at

        for told in look_at(missing, registry, LIMIT_S, progress):
            _write(places[told.key][told.by_registry], told.offers)
    collected: list[dict[str, Any]] = []
    seen: set[str] = set()
    for one in installed:
        file = next(filter(Path.is_file, places[one.key]))
        offers = json.loads(file.read_text(encoding="utf-8"))
        collected += [each for each in offers if each["distribution"] not in seen]
        seen.update(each["distribution"] for each in offers)
    return collected


def _find_place() -> Path:
    """Return the directory in which what is seen is kept: of the cache, or of temporary files."""
    private = Path(tempfile.gettempdir()) / f"edgebench-offers-{os.getuid()}"
    for place in (cache_root("EDGEBENCH_CACHE", "assets") / "offers", private):
        with suppress(OSError):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            if place.stat().st_uid == os.getuid() and os.access(place, os.W_OK):
                return place
    raise EdgebenchError(f"neither the cache nor {private} can be written; set EDGEBENCH_CACHE")


def _remove_old(place: Path) -> None:
    """Remove what was seen long ago: of another state, or looked at anew."""
    for file in place.iterdir():
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > KEPT_S:
                file.unlink()


def _write(file: Path, offers: Sequence[Mapping[str, Any]]) -> None:
    """Write a file at once: another process may read it, or write the same."""
    made = file.with_name(f"{file.name}.{os.getpid()}")
    made.write_text(json.dumps(offers), encoding="utf-8")
    made.replace(file)
