"""Where parts are tried: plugins, a store, and what a run would make of a model."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import ModuleType

import attrs

from edgebench.catalogue.plugins import Plugins, PluginSource
from edgebench.catalogue.registry import Registry
from edgebench.parts.pipeline import Stage
from edgebench.prepare.make import Maker
from edgebench.prepare.recipe import Recipes
from edgebench.prepare.stages import Stages
from edgebench.store.artifacts import Store
from edgebench.store.digests import content_digest
from edgebench.store.scratch import open_scratch


def find_source(given: Sequence[object]) -> PluginSource:
    """Return a source of what ships and of what is given: modules, or paths of files.

    Raises:
        TypeError: One of them is neither.
    """
    files: list[Path] = []
    names: list[str] = []
    for one in given:
        if isinstance(one, str | Path):
            files.append(Path(one))
        elif isinstance(one, ModuleType):
            file = getattr(one, "__file__", None)
            if file and not _is_importable(one.__name__):
                files.append(Path(file))
            else:
                names.append(one.__name__)
        else:
            raise TypeError(f"plugins are modules or paths of files, not {one!r}")
    return PluginSource(registry=Registry.read().paths, files=files, modules=names)


def _is_importable(name: str) -> bool:
    """Say whether another process can import a module by its name: a loaded file may not be."""
    package = name.partition(".")[0]
    return any(
        finder.find_spec(package, None) is not None
        for finder in sys.meta_path
        if hasattr(finder, "find_spec")
    )


@attrs.frozen(slots=False, eq=False)
class Bench:
    """Plugins, a store, and a directory for what is thrown away."""

    source: PluginSource
    store: Store
    scratch: Path

    @classmethod
    @contextmanager
    def open(cls, source: PluginSource) -> Iterator[Bench]:
        """Give a bench; what it leaves outside of the user's store goes when the context ends."""
        with open_scratch() as scratch:
            yield cls(source, Store(), scratch)

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins that are seen."""
        return self.source.load()

    @cached_property
    def recipes(self) -> Recipes:
        """What finds the steps that prepare a case, as in a run."""
        return Recipes(self.plugins, self.store)

    @cached_property
    def maker(self) -> Maker:
        """What does these steps, in this process."""
        return Maker(self.recipes, lambda *_: None)

    @property
    def stages(self) -> Stages:
        """What loads, writes and converts stages."""
        return self.maker.stages

    def make_place(self, name: str) -> Path:
        """Return a new empty directory."""
        import tempfile

        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch))

    def digest_live(self, stage: Stage) -> str:
        """Return the digest of the files that a stage's live object is written as."""
        place = self.make_place("look")
        self.stages.write(attrs.evolve(stage, directory=None, files=()), place)
        return content_digest(place)
