"""One plugin, imported and alone in a plugin manager: whatever it does cannot reach the others.

No other module touches pluggy, but for the markers in `hookspecs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

import attrs
import pluggy

from edgebench.catalogue.candidates import Candidate
from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import WORDS
from edgebench.catalogue.standing import Fault
from edgebench.parts.component import Component
from edgebench.parts.errors import nearest
from edgebench.parts.hookspecs import API, Hooks

C = TypeVar("C", bound=Component)
T = TypeVar("T")


@attrs.frozen(eq=False)
class Loaded:
    """A plugin that was imported, alone in its manager."""

    candidate: Candidate
    plugin: object
    manager: pluggy.PluginManager

    def call(self, hook: str, arguments: Mapping[str, object]) -> list[Any] | Fault:
        """Call a hook; return what it returned, if it has it."""
        return self._guarded(hook, lambda: self._call(hook, arguments))

    def records(self, kind: type[C], registry: Registry) -> tuple[C, ...] | Fault:
        """Return what its hook for a kind yields."""
        hook = f"edgebench_{WORDS[kind]}s"

        def ask() -> tuple[C, ...]:
            return tuple(chain.from_iterable(self._call(hook, {"registry": registry})))

        records = self._guarded(hook, ask)
        if isinstance(records, Fault):
            return records
        wrong = _wrong_records(records, kind, self.candidate.says(WORDS[kind]))
        return self.candidate.fault(wrong) if wrong else records

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
    return candidate.fault(wrong) if wrong else Loaded(candidate, plugin, manager)


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
    hooks = [name for name in dir(Hooks) if name.startswith("edgebench_")]
    try:
        manager.register(plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        callers = manager.get_hookcallers(plugin) or []
        strange = [caller.name for caller in callers if not caller.has_spec()]
        if strange:
            return f"implements an unknown hook {strange[0]!r}{nearest(strange[0], hooks)}"
        return f"implements a hook wrongly: {str(error).splitlines()[-1]}"
    marked = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
    unmarked = [name for name in hooks if hasattr(plugin, name) and name not in marked]
    if unmarked:
        return f"defines {unmarked[0]} without @hookimpl"
    return "" if marked else "implements no hook"


def _wrong_records(records: Iterable[object], kind: type[Component], said: Iterable[str]) -> str:
    """Say what is wrong with what a hook yielded."""
    names: set[str] = set()
    for record in records:
        if not isinstance(record, kind):
            shown = f"{record!r:.60}"
            return f"yields {shown} from edgebench_{WORDS[kind]}s, which takes {kind.__name__}"
        if record.name in names:
            return f"yields the {WORDS[kind]} {record.name!r} twice"
        names.add(record.name)
    absent = [name for name in said if name not in names]
    return f"does not yield the {WORDS[kind]} {absent[0]!r} that its row offers" if absent else ""
