"""Measuring a link from its sending end, with messages as large as the case's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from statistics import median
from types import MappingProxyType
from typing import Any

from edgebench.measure.transport.pace import now
from edgebench.measure.transport.port import Port
from edgebench.measure.transport.wire import Kind, Message

SHORT_S = 2e-3
TIMES: Mapping[float, int] = MappingProxyType({SHORT_S: 5, 0.25: 3, inf: 1})
"""How often a message is sent that takes less than so many seconds: what disturbs a long one does
not show, and one of many seconds would hold up the block."""
UNKNOWN_BYTES = 1024
"""What is sent where the case itself sent nothing yet: every sample left before."""


def exchange(port: Port, forward: int, backward: int) -> int:
    """Send so many bytes, wait for so many back, and return the nanoseconds."""
    message = Message(kind=Kind.PROBE, wanted=backward, body=[bytes(forward)])
    begin = port.send(message)
    port.receive(begin)
    return now() - begin


def probe(
    port: Port, forward: Sequence[int], backward: Sequence[int], rate: float
) -> dict[str, Any]:
    """Measure an idle link, each way with a message of the median size.

    *forward* and *backward* are the sizes seen so far, *rate* is in bit/s.
    Returned are the round trip of an empty message and, each way, bytes and seconds.
    """
    found: dict[str, Any] = {"round_trip": _time_exchanges(port, 0, 0, TIMES[SHORT_S])}
    for way, seen in (("forward", forward), ("backward", backward)):
        size = round(median(seen)) if seen else UNKNOWN_BYTES
        times = next(count for bound, count in TIMES.items() if size * 8 / rate < bound)
        both = (size, 0) if way == "forward" else (0, size)
        found[way] = {"bytes": size, "seconds": _time_exchanges(port, *both, times)}
    return found


def _time_exchanges(port: Port, forward: int, backward: int, times: int) -> float:
    return median(exchange(port, forward, backward) for _ in range(times)) / 1e9
