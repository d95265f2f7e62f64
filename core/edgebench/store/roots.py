"""Where the user's caches lie."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root(variable: str, name: str) -> Path:
    """Return what an environment variable names, else `edgebench/NAME` in the user's cache."""
    if named := os.environ.get(variable):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "edgebench" / name
