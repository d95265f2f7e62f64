"""Where plugins come from: registry rows, entry points, single files. Nothing is imported yet."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from edgebench.catalogue.plugin import Plugin
from edgebench.catalogue.registry import Registry, shipped_registry
from edgebench.parts.errors import PluginFault

if TYPE_CHECKING:
    from importlib.metadata import Distribution

GROUP = "edgebench"
"""The entry-point group that a distribution names its plugins in."""


def from_rows(registry: Registry) -> Iterator[Plugin]:
    """Yield the plugin of each row."""
    shipped = shipped_registry() if registry.plugins else None
    for row in registry.plugins.values():
        yield Plugin(
            name=row.name,
            origin=row.module,
            bring=partial(importlib.import_module, row.module),
            distribution="edgebench" if row.file == shipped else "",
            row=row,
        )


def from_module(module: object) -> Plugin:
    """Return the plugin that a module, or an object with hooks, is: it is imported already."""
    name = getattr(module, "__name__", type(module).__name__)
    origin = getattr(module, "__file__", None) or name
    return Plugin(name=name.rpartition(".")[2], origin=origin, bring=lambda: module)


def from_names(names: Sequence[str], known: Sequence[str]) -> Iterator[Plugin]:
    """Yield the plugin that each module is, by its dotted name, unless that is *known* already."""
    for name in dict.fromkeys(names):
        if name not in known:
            yield Plugin(name.rpartition(".")[2], name, partial(importlib.import_module, name))


def from_entry_points() -> Iterator[Plugin]:
    """Yield a plugin for each entry point of the group, of every installed distribution.

    Distributions are read one at a time: one whose metadata cannot be parsed is a plugin that does
    not load.
    """
    from importlib.metadata import distributions

    seen: set[str] = set()
    for distribution in distributions():
        found = _read_entry_points(distribution)
        # The first of a name on the path is the one that is imported.
        yield from (plugin for plugin in found if plugin.distribution not in seen)
        seen.update(plugin.distribution for plugin in found)


def _read_entry_points(distribution: Distribution) -> list[Plugin]:
    try:
        # Parsing the metadata of all that is installed would take longer than the rest of `list`.
        if GROUP not in (distribution.read_text("entry_points.txt") or ""):
            return []
        name = str(distribution.metadata["Name"])
        points = distribution.entry_points.select(group=GROUP)
        return [Plugin(point.name, point.value, point.load, name) for point in points]
    except Exception as error:  # noqa: BLE001 (its files may be broken in any way)
        name = str(distribution.metadata["Name"])
        return [Plugin(name, "entry_points.txt", partial(_raise, error), name)]


def _raise(error: Exception) -> None:
    raise error


def from_files(files: Sequence[Path]) -> Iterator[Plugin]:
    """Yield the plugin that each single file is.

    Raises:
        PluginFault: It is not a Python file, or not there.
    """
    for file in dict.fromkeys(path.resolve() for path in files):
        if file.suffix != ".py" or not file.is_file():
            why = "is not a .py file" if file.exists() else "does not exist"
            raise PluginFault(f"the plugin {file} {why}")
        yield Plugin(name=file.stem, origin=str(file), bring=partial(_import_file, file))


def _import_file(file: Path) -> ModuleType:
    """Import a file as a module that shadows no other."""
    from importlib.machinery import SourceFileLoader

    class Loader(SourceFileLoader):
        """Reads the source each time: a byte-code cache may miss an edit in the same second."""

        def path_stats(self, path: str) -> dict[str, float]:
            raise OSError(f"{path} has no date that a cache could be told by")

    name = f"edgebench_file_{file.stem}"
    loader = Loader(name, str(file))
    spec = spec_from_file_location(name, file, loader=loader)
    assert spec is not None  # noqa: S101 (only without a loader)
    module = module_from_spec(spec)
    # Type hints written as text are resolved through sys.modules, before the import has ended too.
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
