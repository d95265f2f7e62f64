"""What registry.toml says, as frozen rows; nothing that it names is imported.

It answers what there is and how to get the rest, which facts about the world are known, which
files are pinned, and which questions are worth running. Every key has a reader.
"""

from edgebench.registry.read import Registry, shipped_registry
from edgebench.registry.rows import (
    BLOCKS,
    BOUND_S,
    KINDS,
    REQUESTS,
    WORDS,
    Asset,
    PluginRow,
    Product,
    Skip,
    Suite,
    TierRow,
)

__all__ = [
    "BLOCKS",
    "BOUND_S",
    "KINDS",
    "REQUESTS",
    "WORDS",
    "Asset",
    "PluginRow",
    "Product",
    "Registry",
    "Skip",
    "Suite",
    "TierRow",
    "shipped_registry",
]
