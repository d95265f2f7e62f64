"""What is said of the catalogue: each part that is known, and how each plugin stands."""

from __future__ import annotations

import attrs

from edgebench.catalogue.plugin import Plugin
from edgebench.parts.component import Component


@attrs.frozen(kw_only=True)
class Listed:
    """One line of `list`: a part that is known."""

    name: str
    record: Component | None
    """None where its module cannot be imported."""
    plugin: Plugin
    why_not: str | None
    """None if it is installed; else what is wrong, or how to get it."""


@attrs.frozen(kw_only=True)
class PluginStatus:
    """One line of `plugins list`."""

    plugin: Plugin
    status: str
    """`installed`, `missing`, `faulty` or `blocked`."""
    why: str = ""
    """What is wrong or missing."""
    offers: tuple[tuple[str, str], ...]
    """Kinds and names."""
    hooks: tuple[str, ...] = ()
    """The hooks that it implements; empty where it was not imported."""
