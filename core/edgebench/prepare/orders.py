"""What the controller tells the process that prepares a case, and what that process says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import attrs

from edgebench.cases.case import Case
from edgebench.catalogue.plugins import PluginSource
from edgebench.parts.errors import CaseFailed, CaseSkipped, DataError

Progress = Callable[[int, int, str], None]
"""Called with how much is done, of how much, and what it is."""
ERRORS: Mapping[str, type[CaseSkipped | CaseFailed | DataError]] = MappingProxyType(
    {"skipped": CaseSkipped, "mistaken": DataError, "failed": CaseFailed}
)
"""By how a preparation ended, what the controller raises."""

WAITING = "waiting"
"""How a preparation ended that goes on when the controller has measured a profile."""


@attrs.frozen(kw_only=True)
class Order:
    """What is to be made, and with what."""

    source: PluginSource
    store: Path
    what: str
    """`inputs`, `base` or `pipeline`."""
    case: Case
    parent: int
    """The controller's process, without which this one must not live on."""
    profiled: Mapping[str, Path] = attrs.field(factory=dict)
    """Where profiles lie that were measured, by the keys of their steps."""


@attrs.frozen(kw_only=True)
class Event:
    """One line that a worker writes: how far it has come, or at the end how it went."""

    progress: tuple[int, int, str] | None = None
    """How much is done, of how much, and what it is; None at the end."""
    path: Path | None = None
    """Where what was made lies; None if it was not made."""
    status: str = ""
    """Why not: a key of `ERRORS`, or `WAITING`."""
    reason: str = ""
    """The reason in one sentence."""
