"""The rows of a registry, as frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import attrs

from edgebench.parts.changes import Converter, Format, Operator, Trainer
from edgebench.parts.component import Component
from edgebench.parts.places import Backend, Fabric, Link, Reporter, Tier
from edgebench.parts.subjects import Dataset, Model

KINDS: Mapping[str, type[Component]] = MappingProxyType(
    {
        "model": Model,
        "dataset": Dataset,
        "operator": Operator,
        "tier": Tier,
        "fabric": Fabric,
        "backend": Backend,
        "format": Format,
        "converter": Converter,
        "trainer": Trainer,
        "reporter": Reporter,
    }
)
"""The record of each kind of part, in the order in which people are shown them."""
WORDS: Mapping[type[Component], str] = MappingProxyType(
    {kind: word for word, kind in KINDS.items()}
)
"""The word for each record; its hook is `edgebench_` and the plural."""

BLOCKS = 5
"""Blocks a case is measured in, unless its suite says otherwise."""
REQUESTS = 100
"""Measured requests a block, unless its suite says otherwise."""
BOUND_S = 5.0
"""Seconds after which no request of a block is begun, where nobody said how many there are."""
FABRIC = "process"
SCENARIO = "single-stream"
"""What a suite measures with, unless it says otherwise."""


@attrs.frozen(kw_only=True)
class PluginRow:
    """A plugin that is known, whether or not what it stands on is installed."""

    name: str
    kind: str
    """A key of `KINDS`."""
    module: str
    offers: tuple[str, ...]
    """The names of the parts that its module yields, all of them."""
    requires: tuple[str, ...] = ()
    """Packages that must be importable, by the names they are imported by."""
    install: str = ""
    """The command that brings them."""
    file: Path
    """The registry file it stands in."""


@attrs.frozen(kw_only=True)
class TierRow:
    """Facts of a tier."""

    name: str
    cpus: int
    memory: int
    """Bytes; written as `memory_gib`."""
    accelerator: str = ""
    summary: str
    source: str
    """Where the facts come from."""


@attrs.frozen(kw_only=True)
class Product:
    """Cases of a suite: every combination of what is named, each written as on the command line."""

    models: tuple[str, ...]
    operators: tuple[str, ...]
    """Chains."""
    placements: tuple[str, ...]
    backends: tuple[str, ...]
    fabric: str = FABRIC
    scenario: str = SCENARIO


@attrs.frozen(kw_only=True)
class Skip:
    """Cases of a suite to leave out: those that match every pattern list that is not empty."""

    models: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    placements: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    why: str
    """The reason that reports show."""


@attrs.frozen(kw_only=True)
class Suite:
    """Cases worth running together."""

    name: str
    summary: str
    blocks: int = BLOCKS
    requests: int = REQUESTS
    """Measured requests a block."""
    links: tuple[Link, ...] = ()
    """Its own links, which come before the registry's."""
    products: tuple[Product, ...] = ()
    skips: tuple[Skip, ...] = ()


@attrs.frozen(kw_only=True)
class Asset:
    """A file from elsewhere, pinned."""

    name: str
    summary: str
    url: str
    sha256: str
    """Of the file, 64 hexadecimal digits; as many of the first as its owner publishes."""
    size: int | None = None
    """Bytes of the file; None where its owner does not say."""
    licence: str
    score: float | None = None
    """What the model in it is expected to reach on its dataset's first metric, 0 to 1."""
