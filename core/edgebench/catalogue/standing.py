"""What is said of plugins: who owns a part, what is wrong, how each stands."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from edgebench.parts.component import Component


def _pairs(values: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(values)


@attrs.frozen
class Owner:
    """Who offers a part."""

    plugin: str
    distribution: str
    """Empty for a single file."""
    version: str
    origin: str
    """The dotted module, or the file, that it was loaded from."""


@attrs.frozen
class Fault:
    """What is wrong with a plugin."""

    plugin: str
    distribution: str
    """Empty for a single file."""
    cause: str
    """A clause that goes on after the plugin's name."""
    label: str
    """The plugin and where it comes from, for people."""
    error: BaseException | None = attrs.field(default=None, eq=False, repr=False)
    """The exception behind it, with its traceback."""

    def __str__(self) -> str:
        """Return it in one line."""
        return f"the plugin {self.label} {self.cause}"


@attrs.frozen(kw_only=True)
class Listed:
    """One line of `list`: a part that is known."""

    name: str
    record: Component | None
    """None where its module cannot be imported."""
    plugin: str
    distribution: str
    why_not: str | None
    """None if it is installed; else what is wrong, or how to get it."""


@attrs.frozen(kw_only=True)
class PluginStatus:
    """One line of `plugins list`."""

    name: str
    distribution: str
    version: str
    origin: str
    status: str
    """`installed`, `missing`, `faulty` or `blocked`."""
    why: str = ""
    """What is wrong or missing."""
    offers: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_pairs)
    """Kinds and names."""
    hooks: tuple[str, ...] = ()
    """The hooks that it implements; empty where it was not imported."""
