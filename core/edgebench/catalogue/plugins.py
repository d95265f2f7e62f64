"""Find plugins, block them, collect what they offer, explain what is wrong.

To look up a name imports the row that offers it, and strangers, who may offer the same name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import attrs

from edgebench.catalogue.listing import (
    Listed,
    find_fault,
    list_part,
    say_clash,
)
from edgebench.catalogue.origins import (
    from_files,
    from_module,
    from_names,
    from_offers,
    from_rows,
)
from edgebench.catalogue.plugin import Fault, Plugin, Watch
from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import WORDS
from edgebench.parts.documents import to_document
from edgebench.parts.errors import EdgebenchError, Missing, NameClash, PluginFault, UnknownName
from edgebench.parts.part import Part
from edgebench.parts.pipeline import as_tuple

C = TypeVar("C", bound=Part)


def _path(value: str | Path | None) -> Path | None:
    return Path(value) if value else None


def _paths(values: Iterable[str | Path]) -> tuple[Path, ...]:
    """Make them absolute: another process may work elsewhere."""
    return tuple(Path(value).resolve() for value in values)


@attrs.frozen(kw_only=True)
class PluginSource:
    """What plugins were loaded from, as data, so that another process can load the same."""

    registry: tuple[Path, ...] = attrs.field(default=(), converter=_paths)
    files: tuple[Path, ...] = attrs.field(default=(), converter=_paths)
    without: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    offers: Path | None = attrs.field(default=None, converter=_path)
    """The file that says what installed plugins were seen to offer; None for none of them."""
    modules: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    """Dotted names of modules that are plugins, beside the rest."""
    gflops: float | None = None
    """What `Registry.gflops` was."""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object from which `from_json` makes an equal source."""
        document: dict[str, Any] = to_document(self)
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> PluginSource:
        """Make a source of what `to_json` returned."""
        # By the converters of its fields: every host reads one while its cold start is timed, and
        # would import cattrs for it.
        return cls(**document)

    def load(self) -> Plugins:
        """Read the registry files and find the plugins again."""
        registry = Registry.of(self.registry).against(self.gflops)
        return Plugins.load(registry, self.files, self.without, self.offers, modules=self.modules)


class Plugins:
    """The plugins of one run of the program; made by `load` or `of`, and passed on."""

    def __init__(
        self, registry: Registry, found: Sequence[Plugin], source: PluginSource | None
    ) -> None:
        without = set(source.without if source else ())
        self.registry = registry
        self._source = source
        self.blocked = [one for one in found if without & {one.name, one.handle}]
        self.known = [one for one in found if one not in self.blocked]
        self._unseen = [one for one in self.known if one.unseen]
        # Each plugin is asked once, so that all that follows from its answers stays true.
        self._clashes: dict[tuple[type[Part], str], Fault] = {}
        self._part: Callable[..., tuple[Plugin, Any]] = functools.cache(self._find)
        self._installed: Callable[..., Mapping[str, Any]] = functools.cache(self._find_installed)
        self.owners: Callable[..., dict[str, list[Plugin]]] = functools.cache(self._find_owners)

    @classmethod
    def load(
        cls,
        registry: Registry,
        files: Sequence[Path] = (),
        without: Sequence[str] = (),
        offers: Path | None = None,
        watch: Watch | None = None,
        modules: Sequence[str] = (),
    ) -> Plugins:
        """Find the registry's plugins, the installed strangers and the *files*; import none yet.

        The file *offers* tells of installed strangers, which are imported when a part of theirs is
        got. Whoever *watches* is told of each plugin that is asked. A process that imports a
        library loads plugins before: here libraries are silenced, for it and for those it starts.
        The *modules*, by their dotted names, are plugins where no row or distribution brings them.

        Raises:
            UnknownName: No plugin is called as one of *without*.
            PluginFault: One of *files* is not there, or is not Python.
        """
        registry.silence_libraries()
        source = PluginSource(
            registry=registry.paths, files=files, without=without, offers=offers, modules=modules,
            gflops=registry.gflops,
        )  # fmt: skip
        installed = list(from_offers(offers)) if offers else []
        rows = from_rows(registry, [one.distribution for one in installed])
        found = [*rows, *installed, *from_files(source.files)]
        found += from_names(modules, [one.origin for one in found])
        for name in without:
            if not any(name in (one.name, one.handle) for one in found):
                raise UnknownName.among("plugin", name, [one.name for one in found])
        watched = [attrs.evolve(one, watch=watch) for one in found] if watch else found
        return cls(registry, watched, source)

    @classmethod
    def of(cls, registry: Registry, modules: Sequence[object]) -> Plugins:
        """Take these modules, and neither what the registry names nor what is installed."""
        return cls(registry, [from_module(module) for module in modules], None)

    @property
    def source(self) -> PluginSource:
        """What another process needs in order to load the same."""
        if self._source is None:
            raise ValueError("modules that were given cannot be loaded by another process")
        return self._source

    # --- looking up ------------------------------------------------------------------------------

    def get(self, kind: type[C], name: str) -> C:
        """Return the part of that kind and name.

        Raises:
            UnknownName: None is called so.
            Missing: It is known, but what it stands on is not installed.
            NameClash: Two plugins offer it.
            PluginFault: The plugin that offers it is broken.
        """
        part: C = self._part(kind, name)[1]
        return part

    def owner(self, kind: type[Part], name: str) -> Plugin:
        """Return the plugin that offers a part; raises what `get` raises."""
        return self._part(kind, name)[0]

    def all(self, kind: type[C]) -> Mapping[str, C]:
        """Return the installed parts of a kind, sorted by name.

        What is broken is left out, and what two plugins offer under one name: `faults` has them.
        """
        return self._installed(kind)

    def why_not(self, kind: type[Part], name: str) -> str | None:
        """Return None if a part is installed, else what is wrong or how to get it."""
        if promising := _promising(self.known, kind, name):
            return promising[0].missing(name)
        try:
            self._part(kind, name)
        except EdgebenchError as error:
            return str(error)
        return None

    def listed(self, kind: type[Part]) -> tuple[Listed, ...]:
        """Return all that is known of a kind, sorted by name; nothing that is wrong stops it."""
        owners = self.owners(kind).items()
        return tuple(list_part(kind, name, found, self.registry) for name, found in owners)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with those that are told of events, and with what else was asked so far.

        Plugins that do not load come first.
        """
        faults = [fault for plugin in self.known for fault in plugin.faults]
        loaded = sorted(faults, key=lambda fault: fault.plugin.broken is None)
        return (*loaded, *self._clashes.values())

    # --- events ----------------------------------------------------------------------------------

    def tell(self, hook: str, **arguments: object) -> None:
        """Call an event hook of every plugin that has it: strangers, and rows that say `events`.

        Raises:
            PluginFault: One of them raised; when all were told.
        """
        answers = [plugin.call(hook, arguments) for plugin in self._listeners()]
        if failed := [answer for answer in answers if isinstance(answer, Fault)]:
            raise PluginFault("; ".join(map(str, failed))) from failed[0].error

    def hears(self, hook: str) -> bool:
        """Say whether any plugin has an event hook, so that what is told need be made at all."""
        return any(hook in plugin.hooks for plugin in self._listeners())

    # --- asking ----------------------------------------------------------------------------------

    def _listeners(self) -> list[Plugin]:
        """Return those that are told of events, each once, however many rows name its module.

        One that does not load is among the faults: no case is to blame for it.
        """
        sound = [plugin for plugin in self.known if plugin.listens and not plugin.broken]
        return list({id(plugin.module): plugin for plugin in sound}.values())

    def _find_owners(self, kind: type[Part]) -> dict[str, list[Plugin]]:
        """Return who offers each name of a kind, sorted by name; more than one is a clash."""
        owners: dict[str, list[Plugin]] = {}
        for plugin in self.known:
            promised = plugin.promised.get(WORDS[kind], ())
            for name in dict.fromkeys([*promised, *plugin.outline(kind, self.registry).parts]):
                owners.setdefault(name, []).append(plugin)
        for name, several in owners.items():
            if len(several) > 1:
                cause = f"offers a name that is taken: {say_clash(kind, name, several)}"
                self._clashes[kind, name] = Fault(several[1], cause, part=name)
        return dict(sorted(owners.items()))

    def _find_installed(self, kind: type[Part]) -> Mapping[str, Any]:
        owners = self.owners(kind).items()
        sole = {name: one[0] for name, one in owners if len(one) == 1 and not one[0].lacks}
        found = {name: owner.parts(kind, self.registry).get(name) for name, owner in sole.items()}
        return MappingProxyType({name: part for name, part in found.items() if part})

    def _find(self, kind: type[Part], name: str) -> tuple[Plugin, Any]:
        strangers = [one for one in self._unseen if name in one.parts(kind, self.registry)]
        # A module may yield more than its row says: tiers of the user's own registry.
        owners = [*_promising(self.known, kind, name), *strangers]
        owners = owners or self.owners(kind).get(name, [])
        if not owners:
            raise self._unknown(kind, name)
        if len(owners) > 1:
            raise NameClash(say_clash(kind, name, owners))
        if lack := owners[0].missing(name):
            raise Missing(lack)
        answer = owners[0].answer(kind, self.registry)
        if name not in answer.parts:
            fault = find_fault(answer.faults, name)
            raise PluginFault(str(fault)) from fault.error
        return owners[0], answer.parts[name]

    def _unknown(self, kind: type[Part], name: str) -> EdgebenchError:
        if out := _promising(self.blocked, kind, name):
            return UnknownName(f"the {WORDS[kind]} {name!r} is left out by --without {out[0].name}")
        error = UnknownName.among(WORDS[kind], name, self.owners(kind))
        outlines = [each.outline(kind, self.registry) for each in self.known]
        faults = [one for each in outlines for one in each.faults]
        if lost := [fault for fault in faults if fault.part == name]:
            return PluginFault(str(lost[0]))
        # What a broken plugin would have offered is not known: this, if it is called so itself.
        suspects = sorted(faults, key=lambda fault: (fault.plugin.name != name, fault.part))
        return UnknownName("; ".join(map(str, (error, *suspects[:1]))))


def _promising(plugins: Iterable[Plugin], kind: type[Part], name: str) -> list[Plugin]:
    """Return the plugins whose rows say that they offer a name, without importing them."""
    return [one for one in plugins if name in one.promised.get(WORDS[kind], ())]
