"""Where plugins come from: rows, distributions, single files. Nothing is imported yet."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from edgebench.catalogue.offers import read_offers
from edgebench.catalogue.plugin import Plugin
from edgebench.catalogue.registry import Registry, shipped_registry
from edgebench.parts.errors import PluginFault

GROUP = "edgebench"
"""The entry-point group that a distribution names its plugins in."""


def from_rows(registry: Registry, installed: Collection[str] = ()) -> Iterator[Plugin]:
    """Yield the plugin of each row, but for those that are *installed* from distributions."""
    shipped = shipped_registry() if registry.plugins else None
    here = set(map(normalise, installed))
    for row in registry.plugins.values():
        if row.distribution and normalise(row.distribution) in here:
            continue
        yield Plugin(
            name=row.name,
            origin=row.module or row.distribution,
            bring=partial(importlib.import_module, row.module),
            distribution="edgebench" if row.file == shipped else "",
            row=row,
        )


def normalise(distribution: str) -> str:
    """Return the name of a distribution as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


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


def from_offers(file: Path) -> Iterator[Plugin]:
    """Yield the plugins that a file tells of, which were installed when it was written."""
    for offer in read_offers(file):
        yield Plugin(
            name=offer.name,
            origin=offer.value,
            bring=partial(_import_point, offer.value),
            distribution=offer.distribution,
            offer=offer,
        )


def _import_point(value: str) -> object:
    """Import what an entry point names; `importlib.metadata` would take longer to import."""
    module, _, names = value.partition(":")
    found: object = importlib.import_module(module.strip())
    for name in names.split(".") if names else ():
        found = getattr(found, name.strip())
    return found


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
