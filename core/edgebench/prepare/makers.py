"""What identifies the code that makes something, for keys."""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edgebench.catalogue.plugins import Plugins
from edgebench.parts.digest import digest
from edgebench.parts.part import Part
from edgebench.parts.places import Backend
from edgebench.prepare.extensions import find_extensions
from edgebench.prepare.source import read_code
from edgebench.store.digests import file_digest
from edgebench.survey.installed import find_places

_OWN = {"edgebench"}


@functools.lru_cache(maxsize=256)
def installed_version(module: str) -> str:
    """Return the version of the distribution that brings a module; empty if it cannot be told."""
    try:
        return version(module)
    except PackageNotFoundError:
        from edgebench.survey.metadata import map_packages

        found = map_packages().get(module.partition(".")[0], [])
        return version(found[0]) if found else ""


@functools.lru_cache(maxsize=256)
def _identify_module(module: str) -> str:
    """Return the version of a module, or a digest of its sources where no distribution brings it.

    Such a module may change without a version: a helper that lies beside what is installed.
    """
    if found := installed_version(module):
        return found
    places = find_places(module)
    files = (file for place in places for file in ([place] if place.is_file() else _list(place)))
    return digest([[file.name, file_digest(file)] for file in files]) if places else ""


def _list(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py"))


def identify_maker(plugins: Plugins, kind: type[Part], name: str) -> dict[str, Any]:
    """Return what identifies the code behind a part: its source and its requirements.

    Of a backend also what extends the runtimes that it requires, where anything does.
    """
    owner = plugins.owner(kind, name)
    extended = dict(find_extensions(plugins, name)) if kind is Backend else {}
    row = plugins.registry.plugins.get(owner.name)
    needed = {*read_code(owner).imports, *(row.requires if row else ())} - _OWN
    return {
        "source": read_code(owner).digest,
        "version": owner.version,
        "versions": {each: _identify_module(each) for each in sorted(needed)},
        # Left out where it is empty, so that the keys of before stay what they are.
        **({"extended": extended} if extended else {}),
    }
