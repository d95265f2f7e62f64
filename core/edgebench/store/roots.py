"""Where the user's caches lie, and how a file in one is written while others read."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def cache_root(variable: str, name: str) -> Path:
    """Return what an environment variable names, else `edgebench/NAME` in the user's cache."""
    if named := os.environ.get(variable):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "edgebench" / name


def write_at_once(path: Path, text: str, *, over: bool = True) -> None:
    """Write a file that another process may read meanwhile, or write too: all of it, or nothing.

    What is written is a new file, never what a link leads to that lay there before.

    Args:
        path: Where it is written.
        text: What it holds.
        over: Whether it takes the place of what is there.

    Raises:
        FileExistsError: Something is there, be it a link to nothing, and is not written over.
        OSError: It cannot be written.
    """
    made = path.with_name(f".{path.name}.{secrets.token_hex(8)}") if over else path
    file = made.open("x", encoding="utf-8")
    try:
        with file:
            file.write(text)
        if over:
            made.replace(path)
    except BaseException:
        with suppress(OSError):
            made.unlink(missing_ok=True)
        raise
