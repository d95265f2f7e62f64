"""Find plugins, block them, collect what they offer, explain what is wrong.

A name is looked up with as little importing as possible: the row that offers it, and the strangers
that are installed, because they may offer the same name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import attrs

from edgebench.catalogue.candidates import (
    Candidate,
    from_entry_points,
    from_files,
    from_modules,
    from_rows,
)
from edgebench.catalogue.loaded import Loaded
from edgebench.catalogue.offers import Offers
from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import WORDS
from edgebench.catalogue.source import Source
from edgebench.catalogue.standing import Fault, Listed, Owner, PluginStatus
from edgebench.parts.component import Component
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.errors import EdgebenchError, Missing, NameClash, PluginFault, UnknownName

C = TypeVar("C", bound=Component)
T = TypeVar("T")


def _paths(values: Iterable[str | Path]) -> tuple[Path, ...]:
    """Make them absolute: another process may work elsewhere."""
    return tuple(Path(value).resolve() for value in values)


@attrs.frozen(kw_only=True)
class PluginSource:
    """What plugins were loaded from, as data, so that another process can load the same."""

    registry: tuple[Path, ...] = attrs.field(default=(), converter=_paths)
    files: tuple[Path, ...] = attrs.field(default=(), converter=_paths)
    without: tuple[str, ...] = ()
    entry_points: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object from which `from_json` makes an equal source."""
        document: dict[str, Any] = to_document(self)
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> PluginSource:
        """Make a source of what `to_json` returned."""
        return from_document(cls, document)

    def load(self) -> Plugins:
        """Read the registry files and find the plugins again."""
        registry = Registry.of(self.registry)
        return Plugins.load(registry, self.files, self.without, self.entry_points)


class Plugins:
    """The plugins of one run of the program; made by `load` or `of`, and passed on."""

    def __init__(
        self, registry: Registry, found: Sequence[Candidate], source: PluginSource | None
    ) -> None:
        without = set(source.without if source else ())
        self.registry = registry
        self._source = source
        self._blocked = [c for c in found if without & {c.name, c.handle}]
        self._candidates = [c for c in found if not without & {c.name, c.handle}]
        self._strangers = [c for c in self._candidates if not c.row]
        self._offers = Offers(registry, self._candidates)
        # Each candidate is asked once, so that all that follows from its answers stays true.
        self._part: Callable[..., tuple[Loaded, Any]] = functools.cache(self._find)
        self._installed: Callable[..., Mapping[str, Any]] = functools.cache(self._find_installed)

    @classmethod
    def load(
        cls,
        registry: Registry,
        files: Sequence[Path] = (),
        without: Sequence[str] = (),
        entry_points: bool = True,
    ) -> Plugins:
        """Find the registry's plugins, the installed strangers and the *files*; import none yet.

        Raises:
            UnknownName: No plugin is called as one of *without*.
            PluginFault: One of *files* is not there, or is not Python.
        """
        source = PluginSource(
            registry=registry.paths,
            files=files,
            without=tuple(without),
            entry_points=entry_points,
        )
        strangers = [*(from_entry_points() if entry_points else ()), *from_files(source.files)]
        found = [*from_rows(registry), *strangers]
        for name in without:
            if not any(name in (c.name, c.handle) for c in found):
                raise UnknownName.among("plugin", name, [c.name for c in found])
        return cls(registry, found, source)

    @classmethod
    def of(cls, registry: Registry, modules: Sequence[object]) -> Plugins:
        """Take these modules, and neither what the registry names nor what is installed."""
        return cls(registry, list(from_modules(modules)), None)

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

    def owner(self, kind: type[Component], name: str) -> Owner:
        """Return who offers a part; raises what `get` raises."""
        return self._part(kind, name)[0].candidate.owner

    def code(self, kind: type[Component], name: str) -> Source:
        """Return the code behind a part, for keys; raises what `get` raises.

        Whoever only wants to know who offers a part asks `owner`, which reads no file.
        """
        return self._part(kind, name)[0].code

    def all(self, kind: type[C]) -> Mapping[str, C]:
        """Return the installed parts of a kind, sorted by name; broken plugins are left out.

        Raises:
            NameClash: Two plugins offer the same name.
        """
        return self._installed(kind)

    def why_not(self, kind: type[Component], name: str) -> str | None:
        """Return None if a part is installed, else what is wrong or how to get it."""
        if rows := self._offers.said(kind, name):
            return rows[0].missing(name)
        try:
            self._part(kind, name)
        except EdgebenchError as error:
            return str(error)
        return None

    def listed(self, kind: type[Component]) -> tuple[Listed, ...]:
        """Return all that is known of a kind, sorted by name; nothing that is wrong stops it."""
        return tuple(self._line(kind, *item) for item in self._offers.owners(kind).items())

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with those that are told of events, and with what else was asked so far."""
        self._listeners()
        return self._offers.faults

    def rows(self) -> tuple[PluginStatus, ...]:
        """Ask everything of every plugin, and return how each stands."""
        blocked = [candidate.status("blocked") for candidate in self._blocked]
        return (*map(self._status, self._candidates), *blocked)

    # --- events ----------------------------------------------------------------------------------

    def tell(self, hook: str, **arguments: object) -> None:
        """Call an event hook of every plugin that has it: strangers, and rows that say `events`.

        Raises:
            PluginFault: One of them raised; when all were told.
        """
        answers = [plugin.call(hook, arguments) for plugin in self._listeners()]
        if failed := [answer for answer in answers if isinstance(answer, Fault)]:
            raise PluginFault("; ".join(map(str, failed))) from failed[0].error

    # --- asking ----------------------------------------------------------------------------------

    def _listeners(self) -> list[Loaded]:
        """Return those that are told of events, each once, however many rows name its module.

        One that does not load is among the faults: no case is to blame for it.
        """
        answers = [
            self._offers.load(candidate) for candidate in self._candidates if candidate.listens
        ]
        loaded = [answer for answer in answers if isinstance(answer, Loaded)]
        return list({id(one.plugin): one for one in loaded}.values())

    def _find_installed(self, kind: type[Component]) -> Mapping[str, Any]:
        parts: dict[str, Component] = {}
        for name, owners in self._offers.owners(kind).items():
            if len(owners) > 1:
                raise NameClash(_clash(kind, name, owners))
            record = self._offers.records(owners[0], kind).get(name)
            if record and not owners[0].lacks:
                parts[name] = record
        return MappingProxyType(parts)

    def _find(self, kind: type[Component], name: str) -> tuple[Loaded, Any]:
        strangers = [c for c in self._strangers if name in self._offers.records(c, kind)]
        # A module may yield more than its row says: tiers of the user's own registry.
        owners = [*self._offers.said(kind, name), *strangers]
        owners = owners or self._offers.owners(kind).get(name, [])
        if not owners:
            raise self._unknown(kind, name)
        if len(owners) > 1:
            raise NameClash(_clash(kind, name, owners))
        if lack := owners[0].missing(name):
            raise Missing(lack)
        return _sound(self._offers.load(owners[0])), _sound(self._offers.of(owners[0], kind))[name]

    def _unknown(self, kind: type[Component], name: str) -> UnknownName:
        if out := [c for c in self._blocked if name in c.says(WORDS[kind])]:
            return UnknownName(f"the {WORDS[kind]} {name!r} is left out by --without {out[0].name}")
        error = UnknownName.among(WORDS[kind], name, self._offers.owners(kind))
        # What a broken plugin would have offered is not known: it may be this.
        return UnknownName("; ".join(map(str, (error, *self.faults[:1]))))

    def _line(self, kind: type[Component], name: str, owners: Sequence[Candidate]) -> Listed:
        owner = owners[0]
        offered = self._offers.of(owner, kind)
        wrong = str(offered) if isinstance(offered, Fault) else owner.missing(name)
        return Listed(
            name=name,
            record=self._offers.records(owner, kind).get(name),
            plugin=owner.name,
            distribution=owner.distribution,
            why_not=_clash(kind, name, owners) if len(owners) > 1 else wrong,
        )

    def _status(self, candidate: Candidate) -> PluginStatus:
        if lack := candidate.missing(candidate.name):
            return candidate.status("missing", lack)
        loaded = self._offers.load(candidate)
        answers = [loaded, *(self._offers.of(candidate, kind) for kind in WORDS)]
        faults = [answer.cause for answer in answers if isinstance(answer, Fault)]
        names = [(kind, name) for kind in WORDS for name in self._offers.records(candidate, kind)]
        faults += [clash for kind, name in names if (clash := self._clash(candidate, kind, name))]
        offers = [(WORDS[kind], name) for kind, name in names]
        status = "faulty" if faults else "installed"
        hooks = loaded.hooks if isinstance(loaded, Loaded) else ()
        return candidate.status(status, "; ".join(dict.fromkeys(faults)), offers, hooks)

    def _clash(self, candidate: Candidate, kind: type[Component], name: str) -> str:
        """Say that an earlier plugin offers the name too."""
        owners = self._offers.owners(kind)[name]
        return "" if candidate is owners[0] else _clash(kind, name, owners)


def _sound(answer: T | Fault) -> T:
    if isinstance(answer, Fault):
        raise PluginFault(str(answer)) from answer.error
    return answer


def _clash(kind: type[Component], name: str, owners: Sequence[Candidate]) -> str:
    one, other = owners[:2]
    unique = other.handle not in (one.name, one.handle)
    remedy = f"pass --without {other.handle}" if unique else f"rename {other.origin}"
    labels = f"{one.label} and {other.label}"
    return f"two plugins offer the {WORDS[kind]} {name!r}: {labels}; uninstall one, or {remedy}"
