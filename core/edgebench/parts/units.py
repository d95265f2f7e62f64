"""Rates and delays as people write them: `200mbit`, `20ms`, `mobile-edge=200mbit,20ms`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from edgebench.parts.errors import OptionError
from edgebench.parts.places import Link

RATES: Mapping[str, float] = {"gbit": 1e9, "mbit": 1e6, "kbit": 1e3, "bit": 1.0}
"""In bit/s. Decimal, as network equipment and traffic shapers count."""
DELAYS: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
"""In seconds."""

QUANTITY = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([a-z]+)")
LINK = re.compile(r"\s*([^\s=-]+)-([^\s=-]+)\s*=\s*([^,]+)(?:,(.+))?")


def _quantity(text: str, units: Mapping[str, float], what: str) -> float:
    match = QUANTITY.fullmatch(text.strip().lower())
    if not match or match[2] not in units:
        *most, last = units
        raise OptionError(f"{what} is a number and {', '.join(most)} or {last}, not {text!r}")
    # Scaling by the inverse where it is whole keeps `0.1ms` the float that 0.0001 is.
    number, scale = float(match[1]), units[match[2]]
    value = number * scale if scale >= 1 else number / round(1 / scale)
    if not math.isfinite(value):
        raise OptionError(f"{what} must be finite, not {text!r}")
    return value


def _written(value: float, units: Mapping[str, float]) -> str:
    """Write *value* in the largest unit that makes it at least 1, so that it reads back equal."""
    for unit, scale in units.items():
        text = f"{value / scale:.15g}{unit}"
        if value >= scale and _quantity(text, units, "") == value:
            return text
    unit = next(unit for unit, scale in units.items() if scale == 1)
    return f"{value!r}{unit}"


def parse_rate(text: str) -> float:
    """Return the bit/s of `200mbit`.

    Raises:
        OptionError: It is not a number and a unit, or not greater than 0.
    """
    rate = _quantity(text.strip().lower().removesuffix("/s"), RATES, "a rate")
    if rate <= 0:
        raise OptionError(f"a rate must be greater than 0, not {text!r}")
    return rate


def parse_delay(text: str) -> float:
    """Return the seconds of `20ms`.

    Raises:
        OptionError: It is not a number and a unit.
    """
    return 0.0 if text.strip() == "0" else _quantity(text, DELAYS, "a delay")


def parse_link(text: str, source: str = "") -> Link:
    """Return the link written `mobile-edge=200mbit,20ms`; the delay may be left out.

    Raises:
        OptionError: It is written otherwise, or joins a tier to itself.
    """
    match = LINK.fullmatch(text)
    if not match:
        raise OptionError(f"a link is written A-B=RATE or A-B=RATE,DELAY, not {text!r}")
    one, other, rate, delay = match.groups()
    if one == other:
        raise OptionError(f"a link joins two tiers, not {one!r} to itself")
    return Link(
        between=(one, other), rate=parse_rate(rate), delay=parse_delay(delay or "0"), source=source
    )


def write_rate(rate: float) -> str:
    """Return how `parse_rate` takes it: `200mbit`."""
    return _written(rate, RATES)


def write_delay(delay: float) -> str:
    """Return how `parse_delay` takes it: `20ms`."""
    return _written(delay, DELAYS) if delay else "0ms"


def write_link(link: Link) -> str:
    """Return how `parse_link` takes it: `mobile-edge=200mbit,20ms`."""
    delay = f",{write_delay(link.delay)}" if link.delay else ""
    return f"{'-'.join(link.between)}={write_rate(link.rate)}{delay}"
