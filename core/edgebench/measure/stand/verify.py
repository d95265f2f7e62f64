"""Whether a link is what it claims, by what its sending end has found."""

from __future__ import annotations

from typing import Any

from edgebench.parts.places import Link
from edgebench.records.outcomes import LinkCheck

SHARE = 0.05
SECONDS = 0.5e-3
"""A link is what it claims if it is within this share or within these seconds, the larger."""


def link_checks(
    link: Link, source: str, target: str, when: str, found: dict[str, Any]
) -> tuple[LinkCheck, LinkCheck]:
    """Hold what `probe` found at *source* against what the link claims, each way."""
    forward = _check(link, (source, target), when, found["round_trip"], found["forward"])
    backward = _check(link, (target, source), when, found["round_trip"], found["backward"])
    return forward, backward


def _check(
    link: Link, way: tuple[str, str], when: str, round_trip: float, found: dict[str, Any]
) -> LinkCheck:
    bits = found["bytes"] * 8
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
        goodput_bit_s=bits / alone if alone > SECONDS else None,
        rate_bit_s=link.rate,
        delay_s=link.delay,
        ok=abs(measured - expected) <= max(SHARE * expected, SECONDS)
        and abs(round_trip - 2 * link.delay) <= max(SHARE * 2 * link.delay, SECONDS),
    )
