"""Where the user's caches lie, and how a file in one is written while others read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def cache_root(variable: str, name: str) -> Path:
    """Return what an environment variable names, else `edgebench/NAME` in the user's cache."""
    if named := os.environ.get(variable):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "edgebench" / name


def write_at_once(path: Path, text: str) -> None:
    """Write a file that another process may read meanwhile, or write too: all of it, or nothing.

    Raises:
        OSError: It cannot be written.
    """
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        made.write_text(text, encoding="utf-8")
        made.replace(path)
    except OSError:
        with suppress(OSError):
            made.unlink(missing_ok=True)
        raise
