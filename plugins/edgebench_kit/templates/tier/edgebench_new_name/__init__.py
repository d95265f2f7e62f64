"""The tier `new-name`: a watch, one slow core and half a GiB."""

from __future__ import annotations

from collections.abc import Iterator

import edgebench as eb

EDGEBENCH_API = (2, 0)


@eb.hookimpl
def edgebench_tiers() -> Iterator[eb.Tier]:
    """Offer it: facts only. Tiers that need no plugin are rows of a registry file."""
    yield eb.Tier(
        name="new-name",
        summary="A watch: one slow core and half a GiB.",
        cpus=1,
        memory=512 * 2**20,
        accelerator="",
        # One of its threads over one of the machine that measures; None where nobody knows.
        speed=0.25,
        threads=1,
        source="estimated; write where yours comes from, a data sheet or a measurement",
    )
