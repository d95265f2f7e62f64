"""What the process that checks is told, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from edgebench.catalogue.plugins import PluginSource
from edgebench.parts.pipeline import as_tuple

HELD, BROKEN, UNCHECKED = "held", "not held", "not checked"
"""How the check of a promise ends."""


@attrs.frozen(kw_only=True)
class Trial:
    """What parts are tried with, beside their defaults."""

    model: str = ""
    """The model and variant; empty for the smallest that fits."""
    options: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    """Options as they are written."""
    before: str = ""
    """A chain that is applied before an operator."""
    data: Path | None = None
    """The directory of a dataset that has to be given, or what an importer reads."""


@attrs.frozen(kw_only=True)
class Order:
    """What one process is to do: to check some promises of a part, or to find parts if none."""

    source: PluginSource
    parent: int
    """The process that asks, without which this one must not live on."""
    target: str = ""
    """Whose parts are to be found: of a plugin, a distribution, a file, or `kind:name`."""
    kind: str = ""
    name: str = ""
    promises: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    trial: Trial = Trial()


@attrs.frozen(kw_only=True)
class Found:
    """A part whose promises can be checked, or a plugin that cannot be asked."""

    kind: str
    name: str
    plugin: str
    """Its plugin and where that comes from, for people."""
    promises: Mapping[str, str] = attrs.field(factory=dict)
    """The names of its promises, each with its sentence."""
    why_not: str = ""
    """Why it cannot be asked; empty if it can."""
    faulty: bool = False
    """Whether that is the plugin's fault, not a lack of this machine's."""


@attrs.frozen(kw_only=True)
class Verdict:
    """How the check of one promise ended."""

    promise: str
    """The sentence."""
    status: str
    """`held`, `not held` or `not checked`."""
    why: str = ""
    """Why not, in one sentence."""
    doubts: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    """What speaks against it and does not prove that it is broken."""


@attrs.frozen(kw_only=True)
class Event:
    """One line that the process writes: it begins with a promise, or has checked it."""

    promise: str = ""
    """The name of the promise; empty for what was found, or a mistake."""
    verdict: Verdict | None = None
    """None when it begins."""
    found: tuple[Found, ...] = attrs.field(default=(), converter=as_tuple)
    mistake: str = ""
    """What the user got wrong, in one sentence."""
