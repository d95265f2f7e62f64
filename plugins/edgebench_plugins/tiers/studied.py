"""The tiers that the registry has facts of: those of the two studies, and a user's own."""

from __future__ import annotations

from collections.abc import Iterator

from edgebench import Registry, Tier, hookimpl


@hookimpl
def edgebench_tiers(registry: Registry) -> Iterator[Tier]:
    """Offer a tier for each row."""
    for row in registry.tiers.values():
        yield Tier(
            name=row.name,
            summary=row.summary,
            cpus=row.cpus,
            memory=row.memory,
            accelerator=row.accelerator,
            speed=row.speed,
            threads=row.threads,
            source=row.source,
        )
