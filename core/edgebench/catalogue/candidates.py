"""Where plugins come from: registry rows, entry points, single files. Nothing is imported yet."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import attrs

from edgebench.catalogue.registry import Registry, shipped_registry
from edgebench.catalogue.rows import PluginRow
from edgebench.catalogue.standing import Fault, Owner, PluginStatus
from edgebench.parts.errors import PluginFault

if TYPE_CHECKING:
    from importlib.metadata import Distribution

GROUP = "edgebench"
"""The entry-point group that a distribution names its plugins in."""


@attrs.frozen(eq=False)
class Candidate:
    """A plugin that may be loaded."""

    name: str
    """What `--without` calls it: a row's or an entry point's name, or a file's stem."""
    origin: str
    """The dotted module, or the file, that it is loaded from."""
    load: Callable[[], object] = attrs.field(repr=False)
    """Import it; may raise anything."""
    distribution: str = ""
    """The installed distribution that brings it; empty for a file."""
    row: PluginRow | None = None

    @property
    def version(self) -> str:
        """The version of its distribution; empty where it has none."""
        return _version(self.distribution) if self.distribution else ""

    @cached_property
    def lacks(self) -> tuple[str, ...]:
        """The packages that its row requires and that are not here, found without importing."""
        return tuple(name for name in self.row.requires if not find_spec(name)) if self.row else ()

    @property
    def importable(self) -> bool:
        """Whether its own module is worth a try: what it lacks is then needed by its parts only."""
        return not self.lacks or find_spec(self.origin.partition(".")[0]) is not None

    def missing(self, name: str) -> str | None:
        """Return what its part *name* lacks and how to get it; None if nothing."""
        if not self.lacks or not self.row:
            return None
        packages = " and ".join(repr(package) for package in self.lacks)
        install = self.row.install or "not installed here"
        return f"{name} needs the package{'s' * (len(self.lacks) > 1)} {packages}: {install}"

    @property
    def label(self) -> str:
        """Its name and where it comes from, for people."""
        where = f"{self.distribution} {self.version}".strip() or self.origin
        return f"{self.name} ({where})"

    @property
    def handle(self) -> str:
        """A name by which `--without` blocks it and, if possible, nothing else."""
        stranger = self.row is None and self.distribution
        return self.distribution if stranger else self.name

    @property
    def listens(self) -> bool:
        """Whether it is told of events: a stranger always, another where its row says so."""
        return not self.row or (self.row.events and not self.lacks)

    def says(self, word: str) -> tuple[str, ...]:
        """Return the names of a kind that its row offers."""
        return self.row.offers.get(word, ()) if self.row else ()

    @property
    def said(self) -> tuple[tuple[str, str], ...]:
        """The kinds and names that its row offers."""
        kinds = self.row.offers if self.row else {}
        return tuple((kind, name) for kind, names in kinds.items() for name in names)

    def status(
        self,
        status: str,
        why: str = "",
        offers: Sequence[tuple[str, str]] | None = None,
        hooks: Sequence[str] = (),
    ) -> PluginStatus:
        """Return how it stands; without *offers*, it offers what its row says."""
        return PluginStatus(
            name=self.name,
            distribution=self.distribution,
            version=self.version,
            origin=self.origin,
            status=status,
            why=why,
            offers=self.said if offers is None else offers,
            hooks=tuple(hooks),
        )

    @property
    def owner(self) -> Owner:
        """Who it is."""
        return Owner(self.name, self.distribution, self.version, self.origin)

    def fault(self, cause: str, error: BaseException | None = None) -> Fault:
        """Return a fault of it; the *error* behind the fault ends the sentence."""
        if error is not None:
            said = " ".join(str(error).split())
            cause = f"{cause}: {type(error).__name__}" + (f": {said}" if said else "")
        return Fault(self.name, self.distribution, cause, self.label, error)


@functools.cache
def _version(distribution: str) -> str:
    """Return the version of a distribution: its metadata is parsed once, not once a plugin."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:  # run from a source tree that was never installed
        return ""


def from_rows(registry: Registry) -> Iterator[Candidate]:
    """Give a candidate for each row."""
    shipped = shipped_registry() if registry.plugins else None
    for row in registry.plugins.values():
        yield Candidate(
            name=row.name,
            origin=row.module,
            load=partial(importlib.import_module, row.module),
            distribution="edgebench" if row.file == shipped else "",
            row=row,
        )


def from_modules(modules: Sequence[object]) -> Iterator[Candidate]:
    """Give a candidate for each module, or object with hooks, that is already imported."""
    for module in modules:
        name = getattr(module, "__name__", type(module).__name__)
        origin = getattr(module, "__file__", None) or name
        yield Candidate(name=name.rpartition(".")[2], origin=origin, load=partial(_itself, module))


def _itself(module: object) -> object:
    return module


def from_entry_points() -> Iterator[Candidate]:
    """Give a candidate for each entry point of the group, of every installed distribution.

    Distributions are read one at a time: one whose metadata cannot be parsed is a candidate that
    does not load.
    """
    from importlib.metadata import distributions

    seen: set[str] = set()
    for distribution in distributions():
        found = list(_points(distribution))
        # The first of a name on the path is the one that is imported.
        yield from (candidate for candidate in found if candidate.distribution not in seen)
        seen.update(candidate.distribution for candidate in found)


def _points(distribution: Distribution) -> Iterator[Candidate]:
    try:
        text = distribution.read_text("entry_points.txt") or ""
        # Parsing the metadata of all that is installed would take longer than the rest of `list`.
        if GROUP not in text:
            return
        name = str(distribution.metadata["Name"])
        points = [(p.name, p.value, p.load) for p in distribution.entry_points.select(group=GROUP)]
    except Exception as error:  # noqa: BLE001 (its files may be broken in any way)
        name = str(distribution.metadata["Name"])
        yield Candidate(name, "entry_points.txt", partial(_raise, error), name)
    else:
        for point, value, load in points:
            yield Candidate(point, value, load, name)


def _raise(error: Exception) -> None:
    raise error


def from_files(files: Sequence[Path]) -> Iterator[Candidate]:
    """Give a candidate for each single-file plugin.

    Raises:
        PluginFault: It is not a Python file, or not there.
    """
    for file in dict.fromkeys(path.resolve() for path in files):
        if file.suffix != ".py" or not file.is_file():
            why = "is not a .py file" if file.exists() else "does not exist"
            raise PluginFault(f"the plugin {file} {why}")
        yield Candidate(name=file.stem, origin=str(file), load=partial(_import_file, file))


def _import_file(file: Path) -> ModuleType:
    """Import a file as a module that shadows no other."""
    from importlib.abc import SourceLoader

    class Loader(SourceLoader):
        """Reads the source each time: a byte-code cache may miss an edit in the same second."""

        def get_filename(self, fullname: str) -> str:  # noqa: ARG002 (the base names it)
            return str(file)

        def get_data(self, path: str) -> bytes:
            return Path(path).read_bytes()

    name = f"edgebench_file_{file.stem}"
    spec = spec_from_file_location(name, file, loader=Loader())
    assert spec is not None  # noqa: S101 (only without a loader)
    assert spec.loader is not None  # noqa: S101
    module = module_from_spec(spec)
    # Type hints written as text are resolved through sys.modules, before the import has ended too.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
