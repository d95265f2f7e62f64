"""What installed plugins were seen to offer, so that none is imported before it is needed.

A process that imports each alone, and ends with it, writes this down (`survey/`); here it is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgebench.parts.pipeline import as_tuple


@attrs.frozen(kw_only=True)
class Offer:
    """One plugin of a distribution, as a process saw it that imported it."""

    name: str
    """Of its entry point."""
    value: str
    """What that points to: a module, or `module:object`."""
    distribution: str
    version: str
    hooks: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    parts: Mapping[str, Mapping[str, Mapping[str, Any]]] = attrs.field(factory=dict)
    """By kind and name, what `list` says of the sound parts that it yields."""
    broken: str = ""
    """What is wrong with it as a whole, a clause; empty if it can be asked."""
    faults: tuple[Sequence[str], ...] = attrs.field(default=(), converter=as_tuple)
    """What else is wrong: a kind, the name of the part that alone is lost or nothing, a clause."""
    trace: str = ""
    """The traceback behind what is wrong."""


def read_offers(file: Path) -> list[Offer]:
    """Return what was written down in a file, in the order in which the plugins were found."""
    # By hand: every host reads this while its cold start is timed, and would import cattrs for it.
    return [Offer(**offer) for offer in json.loads(file.read_text(encoding="utf-8"))]
