"""What is known of how a step was made: what it took, what it chose, and what is in its stages.

It lies beside the pipeline and is no part of what that holds: how long something took makes nothing
that follows from it another. What an older version made has no such file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from edgebench.parts.changes import Contents
from edgebench.parts.documents import from_document, to_document
from edgebench.store.artifacts import ASIDE


@attrs.frozen(kw_only=True)
class Provenance:
    """How a step was made, when it was."""

    seconds: float | None = None
    """What it took, writing its files among it; None where it is not known, as all else here."""
    training_s: float | None = None
    """How much of that a trainer took; 0 where nothing was trained."""
    chosen: Mapping[str, Any] = attrs.field(factory=dict)
    """What an operator decided by itself, a text or a number, by what it calls it."""
    contents: tuple[Contents | None, ...] = ()
    """What is in each stage; None for one whose format cannot tell."""


def add_known(numbers: Iterable[int | None]) -> int | None:
    """Return the sum of what was counted of stages; None where it was not of one of them."""
    found = list(numbers)
    known = [number for number in found if number is not None]
    return sum(known) if len(known) == len(found) else None


def write_provenance(provenance: Provenance, directory: Path) -> None:
    """Write how a step was made into the entry that it fills."""
    (directory / ASIDE).write_text(json.dumps(to_document(provenance), indent=1))


def read_provenance(entry: Path) -> Provenance:
    """Read how the step was made that an entry holds; nothing is known of an older one."""
    try:
        return from_document(Provenance, json.loads((entry / ASIDE).read_text()))
    except FileNotFoundError:
        return Provenance()
