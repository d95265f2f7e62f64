"""Which installed distributions have plugins, and what tells one state of them from another.

Nothing is imported, and no metadata is parsed: that would take longer than the rest of `list`.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from pathlib import Path

import attrs

from edgebench.catalogue.origins import GROUP
from edgebench.catalogue.plugin import read_version
from edgebench.catalogue.registry import Registry, shipped_registry

SCHEMA = 1
"""Raised when what is written down of a distribution comes to be something else."""
SECTION = re.compile(rf"^\s*\[\s*{GROUP}\s*\]\s*$", re.MULTILINE)
POINT = re.compile(r"^[^=\n]+=\s*([\w.]+)", re.MULTILINE)
EDITABLE = re.compile(r'"editable"\s*:\s*true')
MOST_FILES = 5000
"""Source files of an editable distribution that are looked at."""


@attrs.frozen(kw_only=True)
class Installed:
    """A distribution that has plugins."""

    distribution: Distribution = attrs.field(repr=False)
    key: str
    """SHA-256 of what was installed and of what lies beside it: another is another state."""


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
        Installed(distribution=one, key=_digest([beside, points, *_list_contents(one, points)]))
        for one, points in with_plugins
    ]


def find_state(registry: Registry, offers: Path | None) -> str:
    """Return a digest of all from which it follows what plugins offer, and how each stands.

    That is what is installed (*offers* is what `find_offers` gave), what the registry says, and the
    code of what ships: its `RECORD`, or its source files where it is a checkout.
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
    """Yield what makes a state of the modules that the registry names, and of this package."""
    here, root = Path(__file__).parents[1], shipped_registry().parent
    if root == here:
        yield Distribution.from_name("edgebench").read_text("RECORD") or ""
    places = {here, *(place for module in modules for place in _find_places(module))}
    # In a checkout what plugins stand on lies beside them.
    yield from _stat_sources({one.parent if root in one.parents else one for one in places})


def _read_points(distribution: Distribution) -> str:
    """Return the entry points of a distribution that has some of our group, else nothing."""
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except (OSError, ValueError):
        # What cannot be read may hold some: whoever imports it says what is wrong.
        return GROUP
    return text if GROUP in text and SECTION.search(text) else ""


def _name_place(distribution: Distribution) -> str:
    # Its directory is called after its name and its version. `locate_file` leads beside it.
    return str(getattr(distribution, "_path", distribution.locate_file("")))


def _list_contents(distribution: Distribution, points: str) -> Iterator[str]:
    """Yield what makes a state of a distribution."""
    record = distribution.read_text("RECORD")
    editable = EDITABLE.search(distribution.read_text("direct_url.json") or "")
    yield record or _name_place(distribution)
    if editable or not record:
        for module in sorted({found.partition(".")[0] for found in POINT.findall(points)}):
            yield from _list_files(module)


def _list_files(module: str) -> Iterator[str]:
    """Yield each source file of a top-level module, with its size and its time of change."""
    places = _find_places(module)
    if not places:
        yield f"{module} is not there"
    yield from _stat_sources(places)


def _find_places(module: str) -> list[Path]:
    """Return the directories of a top-level package, or the file of a module."""
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return []
    return [Path(place) for place in spec.submodule_search_locations or [spec.origin or ""]]


def _stat_sources(places: Iterable[Path]) -> Iterator[str]:
    for place in sorted(places):
        for file in [place] if place.is_file() else sorted(place.rglob("*.py"))[:MOST_FILES]:
            stat = file.stat()
            yield f"{file} {stat.st_size} {stat.st_mtime_ns}"


def _digest(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode(errors="surrogateescape") + b"\0")
    return digest.hexdigest()
