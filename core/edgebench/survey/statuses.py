"""How plugins stand, one line each: installed, missing, known, faulty, blocked."""

from __future__ import annotations

import attrs

from edgebench.catalogue.listing import say_clash
from edgebench.catalogue.origins import normalise
from edgebench.catalogue.plugin import Plugin
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import WORDS


@attrs.frozen(kw_only=True)
class PluginStatus:
    """One line of `plugins list`."""

    plugin: Plugin
    status: str
    """`installed`, `missing` (it lacks packages), `known` (no distribution brings it here),
    `faulty` or `blocked`."""
    why: str = ""
    """What is wrong or missing."""
    offers: tuple[tuple[str, str], ...]
    """Kinds and names."""
    hooks: tuple[str, ...] = ()
    """The hooks that it implements; empty where it was not imported."""
    doubt: str = ""
    """What speaks against it though it works: a version that nobody has vouched for."""


def list_statuses(plugins: Plugins) -> tuple[PluginStatus, ...]:
    """Return how every plugin stands; what was never seen is asked for all that it offers."""
    blocked = [_list_unasked(plugin, "blocked") for plugin in plugins.blocked]
    return (*(_list_status(one, plugins) for one in plugins.known), *blocked)


def _list_status(plugin: Plugin, plugins: Plugins) -> PluginStatus:
    if lack := plugin.missing(plugin.name):
        known = plugin.row and plugin.row.distribution
        return _list_unasked(plugin, "known" if known else "missing", lack)
    outlines = {kind: plugin.outline(kind, plugins.registry) for kind in WORDS}
    found = (fault for outline in outlines.values() for fault in outline.faults)
    broken = None if plugin.offer else plugin.broken
    wrong = [fault.cause for fault in (broken, *found) if fault]
    names = [(kind, one) for kind, outline in outlines.items() for one in outline.parts]
    for kind, name in names:
        offering = plugins.owners(kind)[name]
        # The first to offer a name is not to blame.
        wrong += [say_clash(kind, name, offering)] if plugin is not offering[0] else []
    return PluginStatus(
        plugin=plugin,
        status="faulty" if wrong else "installed",
        why="; ".join(dict.fromkeys(wrong)),
        offers=tuple((WORDS[kind], name) for kind, name in names),
        hooks=() if broken else plugin.hooks,
        doubt=_doubt_version(plugin, plugins.registry),
    )


def _doubt_version(plugin: Plugin, registry: Registry) -> str:
    """Say that an installed version is not among those that the registry knows to work."""
    if not plugin.distribution or plugin.row:
        return ""
    name = normalise(plugin.distribution)
    for row in registry.plugins.values():
        if row.version and normalise(row.distribution) == name:
            # Imported here because hardly ever a registry says so.
            from packaging.specifiers import SpecifierSet
            from packaging.version import InvalidVersion

            try:
                known = SpecifierSet(row.version).contains(plugin.version, prereleases=True)
            except InvalidVersion:
                known = False
            if not known:
                return f"{plugin.where} is not among the versions known to work: {row.version}"
    return ""


def _list_unasked(plugin: Plugin, status: str, why: str = "") -> PluginStatus:
    """Return how one stands that is not imported: it offers what is known without."""
    offers = tuple((kind, name) for kind, names in plugin.promised.items() for name in names)
    return PluginStatus(plugin=plugin, status=status, why=why, offers=offers)
