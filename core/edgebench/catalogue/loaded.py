"""One plugin, imported and alone in a plugin manager: whatever it does cannot reach the others.

No other module touches pluggy, but for the markers in `hookspecs`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

import attrs
import pluggy

from edgebench.catalogue.candidates import Candidate
from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import WORDS
from edgebench.catalogue.source import Source, read_source
from edgebench.catalogue.standing import Fault
from edgebench.parts.component import Component
from edgebench.parts.errors import nearest
from edgebench.parts.hookspecs import API, Hooks

HOOKS = tuple(name for name in vars(Hooks) if name.startswith("edgebench_"))
"""The names of all hooks, in the order in which they are documented."""
CATALOGUE_HOOKS: Mapping[type[Component], str] = MappingProxyType(
    {kind: f"edgebench_{word}s" for kind, word in WORDS.items()}
)
"""The hook that offers parts of each kind; all other hooks are told of events."""

C = TypeVar("C", bound=Component)
T = TypeVar("T")


@attrs.frozen(eq=False)
class Loaded:
    """A plugin that was imported, alone in its manager."""

    candidate: Candidate
    plugin: object
    manager: pluggy.PluginManager

    @cached_property
    def hooks(self) -> tuple[str, ...]:
        """The hooks that it implements."""
        found = {caller.name for caller in self.manager.get_hookcallers(self.plugin) or ()}
        return tuple(name for name in HOOKS if name in found)

    @cached_property
    def code(self) -> Source:
        """The code behind it, read once; empty where it has no file."""
        name = getattr(self.plugin, "__module__", "")
        module = self.plugin if isinstance(self.plugin, ModuleType) else sys.modules.get(name)
        file = getattr(module, "__file__", None)
        return read_source(Path(file), module.__name__) if file and module else Source("", ())

    def call(self, hook: str, arguments: Mapping[str, object]) -> list[Any] | Fault:
        """Call a hook; return what it returned, if it has it."""
        return self._guarded(hook, lambda: self._call(hook, arguments))

    def records(self, kind: type[C], registry: Registry) -> dict[str, C] | Fault:
        """Return what its hook for a kind yields, by name."""
        hook = CATALOGUE_HOOKS[kind]

        def ask() -> tuple[C, ...]:
            return tuple(chain.from_iterable(self._call(hook, {"registry": registry})))

        records = self._guarded(hook, ask)
        if isinstance(records, Fault):
            return records
        wrong = _wrong_records(records, kind, self.candidate.says(WORDS[kind]))
        return self.candidate.fault(wrong) if wrong else {one.name: one for one in records}

    def _call(self, hook: str, arguments: Mapping[str, object]) -> list[Any]:
        answers: list[Any] = getattr(self.manager.hook, hook)(**arguments)
        return answers

    def _guarded(self, hook: str, work: Callable[[], T]) -> T | Fault:
        try:
            return work()
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a stranger may raise anything)
            return self.candidate.fault(f"fails in {hook}", error)


def load(candidate: Candidate) -> Loaded | Fault:
    """Import a candidate and check its hooks."""
    manager = pluggy.PluginManager("edgebench")
    manager.add_hookspecs(Hooks)
    try:
        plugin = candidate.load()
        wrong = _wrong_version(plugin) or _wrong_hooks(plugin, manager)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (a stranger may raise anything)
        return candidate.fault("does not load", error)
    loaded = Loaded(candidate, plugin, manager)
    wrong = wrong or _wrong_events(loaded)
    return candidate.fault(wrong) if wrong else loaded


def _wrong_version(plugin: object) -> str:
    """Say what is wrong if a plugin declares a version of the interface that this is not."""
    wanted = getattr(plugin, "EDGEBENCH_API", API)
    if not isinstance(wanted, tuple) or [type(number) for number in wanted] != [int, int]:
        return f"declares EDGEBENCH_API = {wanted!r}, not two whole numbers such as {API}"
    if wanted[0] != API[0] or wanted[1] > API[1]:
        return f"needs version {_dotted(wanted)} of the plugin interface; this is {_dotted(API)}"
    return ""


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def _wrong_hooks(plugin: object, manager: pluggy.PluginManager) -> str:
    """Register a plugin, and say what is wrong with its hooks."""
    try:
        manager.register(plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        callers = manager.get_hookcallers(plugin) or []
        strange = [caller.name for caller in callers if not caller.has_spec()]
        if strange:
            return f"implements an unknown hook {strange[0]!r}{nearest(strange[0], HOOKS)}"
        return f"implements a hook wrongly: {str(error).splitlines()[-1]}"
    marked = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
    unmarked = [name for name in HOOKS if hasattr(plugin, name) and name not in marked]
    if unmarked:
        return f"defines {unmarked[0]} without @hookimpl"
    return "" if marked else "implements no hook"


def _wrong_events(loaded: Loaded) -> str:
    """Say what is wrong if a row and its plugin do not agree on whether it is told of events."""
    row = loaded.candidate.row
    events = [name for name in loaded.hooks if name not in CATALOGUE_HOOKS.values()]
    if row and row.events and not events:
        return "implements no event hook, but its row says `events = true`"
    if row and events and not row.events:
        return f"implements {events[0]}, but its row does not say `events = true`"
    return ""


def _wrong_records(records: Iterable[object], kind: type[Component], said: Iterable[str]) -> str:
    """Say what is wrong with what a hook yielded."""
    names: set[str] = set()
    for record in records:
        if not isinstance(record, kind):
            shown = f"{record!r:.60}"
            return f"yields {shown} from {CATALOGUE_HOOKS[kind]}, which takes {kind.__name__}"
        if record.name in names:
            return f"yields the {WORDS[kind]} {record.name!r} twice"
        names.add(record.name)
    absent = [name for name in said if name not in names]
    return f"does not yield the {WORDS[kind]} {absent[0]!r} that its row offers" if absent else ""
