"""What can be wrong with a plugin that was imported: its version, its hooks, what it yields.

Each function returns a clause that goes on after the plugin's name, or an empty text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import pluggy

from edgebench.catalogue.rows import WORDS, PluginRow
from edgebench.parts.errors import nearest, one_line
from edgebench.parts.hookspecs import API, Hooks
from edgebench.parts.part import NoOptions, Part

HOOKS = tuple(name for name in vars(Hooks) if name.startswith("edgebench_"))
"""The names of all hooks, in the order in which they are documented."""
CATALOGUE_HOOKS: Mapping[type[Part], str] = MappingProxyType(
    {kind: f"edgebench_{word}s" for kind, word in WORDS.items()}
)
"""The hook that offers parts of each kind; all other hooks are told of events."""


def hears_events(hooks: Iterable[str]) -> bool:
    """Say whether any of the hooks is told of events."""
    return any(name not in CATALOGUE_HOOKS.values() for name in hooks)


def wrong_version(module: object) -> str:
    """Say what is wrong if a plugin declares a version of the interface that this is not."""
    wanted = getattr(module, "EDGEBENCH_API", API)
    if not isinstance(wanted, tuple) or [type(number) for number in wanted] != [int, int]:
        return f"declares EDGEBENCH_API = {wanted!r}, not two whole numbers such as {API}"
    if wanted[0] != API[0] or wanted[1] > API[1]:
        return f"needs version {_dotted(wanted)} of the plugin interface; this is {_dotted(API)}"
    return ""


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def wrong_hooks(module: object, manager: pluggy.PluginManager) -> str:
    """Register a plugin, and say what is wrong with its hooks."""
    try:
        manager.register(module)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        callers = manager.get_hookcallers(module) or []
        strange = [caller.name for caller in callers if not caller.has_spec()]
        if strange:
            return f"implements an unknown hook {strange[0]!r}{nearest(strange[0], HOOKS)}"
        return f"implements a hook wrongly: {str(error).splitlines()[-1]}"
    marked = implemented_hooks(module, manager)
    unmarked = [name for name in HOOKS if hasattr(module, name) and name not in marked]
    if unmarked:
        return f"defines {unmarked[0]} without @hookimpl"
    return "" if marked else "implements no hook"


def implemented_hooks(module: object, manager: pluggy.PluginManager) -> tuple[str, ...]:
    """Return the hooks that a registered plugin implements."""
    found = {caller.name for caller in manager.get_hookcallers(module) or ()}
    return tuple(name for name in HOOKS if name in found)


def wrong_events(row: PluginRow | None, hooks: Iterable[str]) -> str:
    """Say what is wrong if a row and its plugin do not agree on whether it is told of events."""
    events = [name for name in hooks if name not in CATALOGUE_HOOKS.values()]
    if row and row.events and not events:
        return "implements no event hook, but its row says `events = true`"
    if row and events and not row.events:
        return f"implements {events[0]}, but its row does not say `events = true`"
    return ""


def sort_out(
    yielded: Iterable[object], kind: type[Part], said: Iterable[str], broken_off: bool
) -> tuple[dict[str, Part], list[tuple[str, str]]]:
    """Return the sound parts that a hook yielded, and by name, where there is one, what is not.

    *said* are the names that it is to offer; they are not missed where the hook *broke off*.
    """
    parts: dict[str, Part] = {}
    wrong: list[tuple[str, str]] = []
    for part in yielded:
        if not isinstance(part, kind):
            hook, shown = CATALOGUE_HOOKS[kind], f"{part!r:.60}"
            wrong.append(("", f"yields {shown} from {hook}, which takes {kind.__name__}"))
        elif part.name in parts or part.name in dict(wrong):
            # Which of the two is meant is not known.
            parts.pop(part.name, None)
            wrong.append((part.name, f"yields the {WORDS[kind]} {part.name!r} twice"))
        elif why := _wrong_options(part):
            wrong.append((part.name, f"yields the {WORDS[kind]} {part.name!r}, {why}"))
        else:
            parts[part.name] = part
    absent = [] if broken_off else [one for one in said if one not in parts | dict(wrong)]
    wrong += [(n, f"does not yield the {WORDS[kind]} {n!r} that it is to offer") for n in absent]
    return parts, list(dict.fromkeys(wrong))


def _wrong_options(part: Part) -> str:
    """Say what is wrong with the options of a part, which all have sound defaults."""
    try:
        getattr(part, "options", NoOptions)()
    except Exception as error:  # noqa: BLE001 (validators are a stranger's code)
        return f"whose options do not take their own defaults: {one_line(error)}"
    return ""
