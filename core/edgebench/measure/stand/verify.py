"""Whether links and tiers are what they claim, by what their hosts have found."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

import attrs

from edgebench.parts.places import Host, Link
from edgebench.records.outcome import LINK_S, LinkCheck, TierCheck

TIER_SHARE = 0.15
"""A tier is what it claims if its speed is within this share."""


def check_link(
    link: Link, source: str, target: str, when: str, found: dict[str, Any]
) -> tuple[LinkCheck, LinkCheck]:
    """Hold what `probe` found at *source* against what the link claims, each way."""
    forward = _check_way(link, (source, target), when, found["round_trip"], found["forward"])
    backward = _check_way(link, (target, source), when, found["round_trip"], found["backward"])
    return forward, backward


def _check_way(
    link: Link, way: tuple[str, str], when: str, round_trip: float, found: dict[str, Any]
) -> LinkCheck:
    bits = found["bytes"] * 8
    # The bytes travel one way and an empty message the other, so the delay comes on top twice. The
    # round trip that was measured does not: where it is late, a sound transfer would look wrong.
    expected = bits / link.rate + 2 * link.delay
    check = LinkCheck(
        source=way[0],
        target=way[1],
        when=when,
        message_bytes=found["bytes"],
        round_trip_s=round_trip,
        measured_s=found["seconds"],
        expected_s=expected,
        goodput_bit_s=_find_goodput(link, bits, found["seconds"], round_trip),
        rate_bit_s=link.rate,
        delay_s=link.delay,
        ok=False,
    )
    return attrs.evolve(check, ok=all(deviation.ok for deviation in check.deviations))


def _find_goodput(link: Link, bits: int, seconds: float, round_trip: float) -> float | None:
    """Return the bit/s of the bits alone, or None where their time is the smaller part of it all.

    What a round trip scatters by would then be taken for theirs.
    """
    alone = seconds - round_trip
    told = min(alone, bits / link.rate) > max(round_trip, LINK_S)
    return bits / alone if told else None


def check_tier(host: Host, threads: int, found: Mapping[str, Any], device: str = "") -> TierCheck:
    """Hold what `compare_speeds` found on a host against what its tier claims.

    A tier that states no speed claims what its host pretends.
    """
    import numpy as np

    tier = host.tier
    measured = median(found["plain"]) / median(found["limited"])
    claimed = tier.speed if tier.speed is not None else 1.0 / host.slowdown
    return TierCheck(
        name=tier.name,
        claimed=claimed,
        stated=tier.speed,
        measured=measured,
        measured_p95=float(np.percentile(found["plain"], 95) / np.percentile(found["limited"], 95)),
        work_s=median(found["plain"]),
        enforced=dict(host.enforced),
        threads=threads,
        processors=found["processors"],
        busy_threads=found.get("busy_threads"),
        accelerator=tier.accelerator,
        device=device,
        ok=abs(measured - claimed) <= TIER_SHARE * claimed,
    )
