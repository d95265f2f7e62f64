"""What the machine did while a block was measured; what cannot be read is None."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import attrs

STEAL, IDLE, IOWAIT = 7, 3, 4
"""Columns of the first line of /proc/stat."""


@attrs.frozen(kw_only=True)
class Reading:
    """Counters of the machine at one moment."""

    ticks: tuple[int, ...] | None
    """Processor time by kind, in clock ticks, over all processors."""
    swapped_pages: int | None
    own_s: float
    """Processor seconds of this process and of its children that have ended."""


def _read_text(path: str) -> str | None:
    try:
        return Path(path).read_text()
    except OSError:
        return None


def take_reading() -> Reading:
    """Read the counters now."""
    stat, swap = _read_text("/proc/stat"), _read_text("/proc/vmstat")
    own = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return Reading(
        ticks=tuple(map(int, stat.split("\n", 1)[0].split()[1:])) if stat else None,
        swapped_pages=sum(map(int, re.findall(r"^pswp\w+ (\d+)", swap, re.MULTILINE)))
        if swap
        else None,
        own_s=sum(used.ru_utime + used.ru_stime for used in own),
    )


def compare_readings(before: Reading, after: Reading) -> Mapping[str, Any]:
    """Say what happened between two readings.

    `steal` and `busy` are shares of the machine's processor time, the latter what programs other
    than this one and its children used.
    """
    found: dict[str, Any] = {"steal": None, "busy": None, "swapped_bytes": None}
    if before.ticks and after.ticks:
        spent = [late - early for early, late in zip(before.ticks, after.ticks, strict=True)]
        # Guests are counted among user time already.
        whole = sum(spent[: STEAL + 1])
        idle = spent[IDLE] + spent[IOWAIT] + spent[STEAL]
        own = (after.own_s - before.own_s) * os.sysconf("SC_CLK_TCK")
        found["steal"] = spent[STEAL] / max(1, whole)
        found["busy"] = max(0.0, (whole - idle - own) / max(1, whole))
    if before.swapped_pages is not None and after.swapped_pages is not None:
        pages = after.swapped_pages - before.swapped_pages
        found["swapped_bytes"] = pages * os.sysconf("SC_PAGE_SIZE")
    return {**found, "load": os.getloadavg()[0], "frequency_hz": _read_frequency()}


def _read_frequency() -> float | None:
    """Return the median frequency of the processors now, where the kernel says it."""
    speeds = re.findall(r"^cpu MHz\s*: ([\d.]+)", _read_text("/proc/cpuinfo") or "", re.MULTILINE)
    return median(float(speed) for speed in speeds) * 1e6 if speeds else None
