"""Named profiles: what devices and networks are, for tiers and links that are to be like one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from edgebench.parts.errors import UnknownName
from edgebench.toml.tables import Table, some_text, text

Row = TypeVar("Row")


@attrs.frozen(kw_only=True)
class DeviceRow:
    """Facts of a machine that tiers may be made as; its name may hold what a tier's may not."""

    name: str
    summary: str
    cpus: int
    memory_gib: float
    accelerator: str = ""
    gflops: float
    """What one of its threads does in a product of float32 matrices, 10^9 operations a second."""
    threads: int = 1
    """As many cores as it has of those that do so."""
    source: str


@attrs.frozen(kw_only=True)
class NetworkRow:
    """Facts of a kind of network that links may be, in the direction in which requests travel."""

    name: str
    summary: str
    rate: float
    """Payload goodput in bit/s."""
    delay: float = 0.0
    """One way, in seconds."""
    source: str


def read_like(
    table: Table, key: str, known: Mapping[str, Any], kind: Callable[..., Row], **given: Any
) -> Row:
    """Make a record of a table; what it leaves open is that of the profile that *key* names.

    Where both say where facts come from, both are kept. Fields that are *given* are not looked for.

    Raises:
        RegistryError: No profile is called so; and what `Table.row` raises.
    """
    if key not in table.values:
        return table.row(kind, (key,), **given)
    name = table.read(key, text)
    if name not in known:
        raise table.error(str(UnknownName.among(key, name, known)), key)
    sources, facts = [f"{name}: {known[name].source}"], attrs.asdict(known[name])
    if "source" in table.values:
        sources.insert(0, table.read("source", some_text))
    record: Any = kind
    taken = {one: facts[one] for one in attrs.fields_dict(record) if one in facts}
    taken = {one: fact for one, fact in taken.items() if one not in table.values}
    # What is taken over may be written as well: it is only not looked for.
    also = {key, "source", *taken} - given.keys()
    return table.row(kind, also, **{**taken, **given, "source": "; ".join(sources)})
