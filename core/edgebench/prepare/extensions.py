"""What is installed beside a runtime and extends it: it has a part in what a backend computes."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from pathlib import Path

from edgebench.catalogue.plugins import Plugins
from edgebench.parts.places import Backend


def find_extensions(plugins: Plugins, backend: str) -> Mapping[str, str]:
    """Return the versions of installed distributions that may extend what a backend runs with.

    They are named after what its row says that it requires: `runtime-x` extends `runtime`. None is
    imported, nor read: a backend finds out by itself what they are.
    """
    row = plugins.registry.plugins.get(plugins.owner(Backend, backend).name)
    return {
        name: version for each in (row.requires if row else ()) for name, version in _list(each)
    }


@functools.lru_cache(maxsize=256)
def _list(module: str) -> tuple[tuple[str, str], ...]:
    """Return names and versions of the distributions whose names begin with a module's."""
    folders = (
        folder.stem.partition("-")
        for place in map(Path, sys.path)
        if place.is_dir()
        for folder in place.glob(f"{module}[-_.]*.dist-info")
    )
    # That which comes first on the path is the one that would be imported.
    found: dict[str, str] = {}
    for name, _, version in folders:
        if name != module:
            found.setdefault(name, version)
    return tuple(sorted(found.items()))
