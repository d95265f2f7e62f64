"""Where what was seen of plugins is kept, in files that another process may read meanwhile."""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR
from typing import Any

from edgebench.parts.errors import EdgebenchError
from edgebench.store.roots import cache_root, write_at_once

KEPT_S = 60 * 86400
"""For how long what was seen is kept after it was last of use: longer than any run."""


def find_place() -> Path:
    """Return the directory in which what is seen is kept: of the cache, or of temporary files.

    Raises:
        EdgebenchError: Neither can be written.
    """
    private = Path(tempfile.gettempdir()) / f"edgebench-offers-{os.getuid()}"
    for place in (cache_root("EDGEBENCH_CACHE", "assets") / "offers", private):
        with suppress(OSError):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Among temporary files another user may have put it there, or a link to elsewhere.
            found = place.lstat() if place == private else place.stat()
            own = S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
            if own and os.access(place, os.W_OK):
                return place
    raise EdgebenchError(f"neither the cache nor {private} can be written; set EDGEBENCH_CACHE")


def remove_old(place: Path) -> None:
    """Remove what was last of use long ago: of another state, or looked at anew."""
    for file in place.glob("*.json"):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > KEPT_S:
                file.unlink()


def keep_longer(file: Path) -> None:
    """Note that a file is of use: it counts as old from now on."""
    with suppress(OSError):
        os.utime(file)


def read_file(file: Path) -> Any:
    """Return the JSON that a file holds; None where it is not there, or is harmed."""
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def write_file(file: Path, content: Any) -> None:
    """Write JSON at once: another process may read it, or write the same.

    Raises:
        EdgebenchError: It cannot be written.
    """
    try:
        write_at_once(file, json.dumps(content))
    except OSError as error:
        raise EdgebenchError(
            f"{file.parent} cannot be written ({error.strerror or error}): make room, or set "
            "EDGEBENCH_CACHE"
        ) from error
