"""How parts stand, one line each: installed, missing, lost by a fault or by a clash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from edgebench.catalogue.plugin import Fault, Plugin
from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import WORDS
from edgebench.parts.part import Part


@attrs.frozen(kw_only=True)
class Listed:
    """One line of `list`: a part that is known."""

    name: str
    plugin: Plugin
    why_not: str | None
    """None if it is installed; else what is wrong, or how to get it."""
    kind: type[Part]
    registry: Registry

    @property
    def part(self) -> Part | None:
        """The part, for which its plugin is imported; None where that does not give it."""
        return self.plugin.parts(self.kind, self.registry).get(self.name)

    @property
    def seen(self) -> Mapping[str, Any] | None:
        """What `list` says of it, where that was seen before; None where the part tells."""
        offer = self.plugin.offer
        return offer.parts.get(WORDS[self.kind], {}).get(self.name) if offer else None


def list_part(kind: type[Part], name: str, owners: Sequence[Plugin], registry: Registry) -> Listed:
    """Return the line of a part that plugins offer, of which there should be one."""
    owner = owners[0]
    outline = owner.outline(kind, registry)
    lost = outline.faults if name not in outline.parts else ()
    wrong = str(find_fault(lost, name)) if lost else owner.missing(name)
    return Listed(
        name=name,
        plugin=owner,
        why_not=say_clash(kind, name, owners) if len(owners) > 1 else wrong,
        kind=kind,
        registry=registry,
    )


def find_fault(faults: Sequence[Fault], name: str) -> Fault:
    """Return the fault that a part is lost by: its own, or one that may have taken it along."""
    return next((one for one in faults if one.part == name), faults[0])


def say_clash(kind: type[Part], name: str, owners: Sequence[Plugin]) -> str:
    """Name two plugins that offer one name, and say what to do about it."""
    one, other = owners[:2]
    unique = other.handle not in (one.name, one.handle)
    remedy = f"pass --without {other.handle}" if unique else f"rename {other.origin}"
    labels = f"{one.label} and {other.label}"
    return f"two plugins offer the {WORDS[kind]} {name!r}: {labels}; uninstall one, or {remedy}"
