"""Verifying a link: what its sending end finds, and whether that is what the link claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from statistics import median
from types import MappingProxyType
from typing import Any

from edgebench.components import Link
from edgebench.measure.pace import now
from edgebench.measure.port import Port
from edgebench.measure.wire import Kind, Message
from edgebench.results import LinkCheck

__all__ = ["link_checks", "probe"]

TIMES: Mapping[float, int] = MappingProxyType({0.02: 5, 0.25: 3, inf: 1})
"""How often a message is sent that takes less than so many seconds: what disturbs a long one does
not show, and one of many seconds would hold up the block."""
UNKNOWN_BYTES = 1024
"""What is sent where the case itself sent nothing yet: every sample left before."""

SHARE = 0.05
SECONDS = 0.5e-3
"""A link is what it claims if it is within this share or within these seconds, the larger."""


def exchange(port: Port, forward: int, backward: int) -> int:
    """Send so many bytes, wait for so many back, and return the nanoseconds."""
    message = Message(kind=Kind.PROBE, wanted=backward, body=[bytes(forward)])
    begin = port.send(message)
    port.receive(begin)
    return now() - begin


def probe(
    port: Port, forward: Sequence[int], backward: Sequence[int], rate: float
) -> dict[str, Any]:
    """Measure a link from its sending end, with messages as large as the case's own.

    The link must be idle. *forward* and *backward* are the sizes seen so far, *rate* is in bit/s.
    Returned are the round trip of an empty message and, each way, bytes and seconds.
    """
    found: dict[str, Any] = {"round_trip": _seconds(port, 0, 0, TIMES[0.02])}
    for way, seen in (("forward", forward), ("backward", backward)):
        size = round(median(seen)) if seen else UNKNOWN_BYTES
        times = next(count for bound, count in TIMES.items() if size * 8 / rate < bound)
        both = (size, 0) if way == "forward" else (0, size)
        found[way] = {"bytes": size, "seconds": _seconds(port, *both, times)}
    return found


def _seconds(port: Port, forward: int, backward: int, times: int) -> float:
    return median(exchange(port, forward, backward) for _ in range(times)) / 1e9


def link_checks(
    link: Link, source: str, target: str, when: str, found: dict[str, Any]
) -> tuple[LinkCheck, LinkCheck]:
    """Hold what `probe` found at *source* against what the link claims, each way."""
    there = _check(link, (source, target), when, found["round_trip"], found["forward"])
    back = _check(link, (target, source), when, found["round_trip"], found["backward"])
    return there, back


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
        ok=abs(measured - expected) <= max(SHARE * expected, SECONDS),
    )
