"""Whether links and tiers are what they claim, by what their hosts have found."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from edgebench.parts.places import Link
from edgebench.records.outcome import LinkCheck, TierCheck

LINK_SHARE, LINK_S = 0.05, 0.5e-3
"""A link is what it claims if it is within this share or within these seconds, the larger."""
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
    # The bytes travel one way and an empty message the other, so a round trip comes on top; how
    # long that may be is judged apart, below.
    expected = bits / link.rate + round_trip
    measured = found["seconds"]
    alone = measured - round_trip
    return LinkCheck(
        source=way[0],
        target=way[1],
        when=when,
        message_bytes=found["bytes"],
        round_trip_s=round_trip,
        measured_s=measured,
        expected_s=expected,
        # Within the noise of a round trip, a quotient would say nothing.
        goodput_bit_s=bits / alone if alone > LINK_S else None,
        rate_bit_s=link.rate,
        delay_s=link.delay,
        ok=abs(measured - expected) <= max(LINK_SHARE * expected, LINK_S)
        and abs(round_trip - 2 * link.delay) <= max(LINK_SHARE * 2 * link.delay, LINK_S),
    )


def check_tier(
    name: str, slowdown: float, threads: int, enforced: Mapping[str, str], found: Mapping[str, Any]
) -> TierCheck:
    """Hold what `compare_speeds` found on a host against what its tier claims."""
    import numpy as np

    measured = median(found["plain"]) / median(found["limited"])
    claimed = 1.0 / slowdown
    return TierCheck(
        name=name,
        claimed=claimed,
        measured=measured,
        measured_p95=float(np.percentile(found["plain"], 95) / np.percentile(found["limited"], 95)),
        work_s=median(found["plain"]),
        enforced=dict(enforced),
        threads=threads,
        ok=abs(measured - claimed) <= TIER_SHARE * claimed,
    )
