"""Which installed distributions have plugins, and what tells one state of them from another.

Nothing is imported, and no metadata is parsed: that would take longer than the rest of `list`.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

import attrs

from edgebench.catalogue.origins import GROUP
from edgebench.catalogue.plugin import read_version
from edgebench.catalogue.registry import Registry, shipped_registry

SCHEMA = 2
"""Raised when what is written down of a distribution comes to be something else."""
SECTION = re.compile(rf"^\s*\[\s*{GROUP}\s*\]\s*$", re.MULTILINE)
POINT = re.compile(r"^[^=\n]+=\s*([\w.]+)", re.MULTILINE)
EDITABLE = re.compile(r'"editable"\s*:\s*true')
URL = re.compile(r'"url"\s*:\s*"file://([^"]+)"')
MOST_FILES = 5000
"""Files of one place that are looked at."""
SOURCES = (".py", ".toml", ".json", ".yaml", ".yml")
"""What the files are called from which it may follow what a plugin offers."""
BUILT = ("__pycache__", "build", "dist", "node_modules")
"""Directories that hold what is made of sources."""


@attrs.frozen(kw_only=True)
class Installed:
    """A distribution that has plugins."""

    key: str
    """SHA-256 of what was installed and of what lies beside it: another is another state."""
    place: str
    """Where its metadata lies."""

    @property
    def distribution(self) -> Distribution:
        """The distribution, read anew."""
        return Distribution.at(self.place)


def find_installed() -> list[Installed]:
    """Return the distributions that have plugins, in the order of the path.

    The state of one is its `RECORD`, or the size and the time of change of each source file where
    it is editable or has none, and the names and versions of all distributions: what a plugin
    yields may depend on what else is there, and one that lacked a package may have it now.
    """
    every = list(distributions())
    with_plugins = [(one, points) for one in every if (points := _read_points(one))]
    if not with_plugins:
        return []
    beside = _digest_all(every)
    return [
        Installed(
            key=_digest([beside, points, *_list_contents(one, points)]), place=_name_place(one)
        )
        for one, points in with_plugins
    ]


def find_state(registry: Registry, offers: Path | None) -> str:
    """Return a digest of all from which it follows what plugins offer, and how each stands.

    That is what is installed (*offers* is what `find_offers` gave), what the registry says, and the
    code of its modules: by `RECORD` of what a wheel has brought, else by its source files.
    """
    rows = registry.plugins.values()
    required = sorted({name for row in rows for name in row.requires})
    modules = {row.module.partition(".")[0] for row in rows if row.module}
    return _digest(
        [
            _digest_all(distributions()),
            registry.digest,
            *map(str, registry.paths),
            offers.name if offers else "",
            *(name for name in required if find_spec(name) is None),
            *_list_shipped(modules),
        ]
    )


def _digest_all(every: Iterable[Distribution]) -> str:
    """Return a digest of what is installed: the names and versions, and what looks at it."""
    return _digest(
        [*sorted(map(_name_place, every)), sys.version, read_version("edgebench"), str(SCHEMA)]
    )


def _list_shipped(modules: Iterable[str]) -> Iterator[str]:
    """Yield what makes a state of the modules that the registry names, and of this package.

    What a wheel has brought is in its `RECORD`. In a checkout what plugins stand on lies beside
    them, below the same directory of its root.
    """
    here, root = Path(__file__).parents[1], shipped_registry().parent
    record = _read(Distribution.from_name("edgebench"), "RECORD") if root == here else ""
    yield record
    names = (name for name in {here.name, *modules} if f"{name}/__init__.py," not in record)
    places = {place for name in names for place in find_places(name)}
    yield from _stat_sources({one.parent if root == one.parent.parent else one for one in places})


def _read_points(distribution: Distribution) -> str:
    """Return the entry points of a distribution that has some of our group, else nothing."""
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except (OSError, ValueError):
        # What cannot be read may hold some: whoever imports it says what is wrong.
        return GROUP
    return text if GROUP in text and SECTION.search(text) else ""


def _read(distribution: Distribution, name: str) -> str:
    """Return a file of a distribution's metadata; nothing where it is not there, or no text."""
    try:
        return distribution.read_text(name) or ""
    except (OSError, ValueError):
        return ""


def _name_place(distribution: Distribution) -> str:
    # Its directory is called after its name and its version. `locate_file` leads beside it.
    return str(getattr(distribution, "_path", distribution.locate_file("")))


def _list_contents(distribution: Distribution, points: str) -> Iterator[str]:
    """Yield what makes a state of a distribution."""
    record, origin = _read(distribution, "RECORD"), _read(distribution, "direct_url.json")
    editable = EDITABLE.search(origin)
    yield record or _name_place(distribution)
    if editable or not record:
        modules = {found.partition(".")[0] for found in POINT.findall(points)}
        places = {place for module in modules for place in find_places(module)}
        # Its modules may import others of the same tree, or read data there.
        found = URL.search(origin) if editable else None
        yield from _stat_sources({*places, *([Path(unquote(found[1]))] if found else [])})


def find_places(module: str) -> list[Path]:
    """Return the directories of a top-level package, or the file of a module, where it is there."""
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return []
    return [Path(place) for place in spec.submodule_search_locations or [spec.origin or ""]]


def _stat_sources(places: Iterable[Path]) -> Iterator[str]:
    """Yield each file from which it may follow what modules do, with its size and time of change.

    Of a place with more of them than are looked at, it is never known whether it is as before.
    """
    for place in sorted(places):
        files = [place] if place.is_file() else list(islice(_walk(place), MOST_FILES + 1))
        if len(files) > MOST_FILES:
            yield f"{place} {time.time_ns()}"
            continue
        for file in sorted(files):
            # It may be gone by now, or lead nowhere.
            with suppress(OSError):
                stat = file.stat()
                yield f"{file} {stat.st_size} {stat.st_mtime_ns}"


def _walk(place: Path) -> Iterator[Path]:
    """Yield the sources below a directory, but for those of other projects and of builds."""
    for name, folders, files in os.walk(place):
        here = Path(name)
        folders[:] = [
            one
            for one in folders
            if not one.startswith(".") and one not in BUILT and not _is_environment(here / one)
        ]
        yield from (here / file for file in files if file.endswith(SOURCES))


def _is_environment(place: Path) -> bool:
    return (place / "pyvenv.cfg").exists()


def _digest(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode(errors="surrogateescape") + b"\0")
    return digest.hexdigest()
