"""What a strategy must keep to: `latency.p95=50ms`, `memory=500MB`, and how that is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import attrs

from edgebench.parts.errors import OptionError, nearest
from edgebench.parts.units import DELAYS

SIZES: Mapping[str, float] = MappingProxyType(
    {"GB": 1e9, "MB": 1e6, "kB": 1e3, "B": 1.0, "GiB": 2.0**30, "MiB": 2.0**20, "KiB": 2.0**10}
)
"""Bytes. What ends in `iB` is binary."""
PLAIN: Mapping[str, float] = MappingProxyType({"": 1.0})
FIGURES: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {"size": SIZES, "memory": SIZES, "bytes": SIZES, "price": PLAIN}
)
"""The figures that may be bounded beside latency, each with its units: the bytes of the model, the
peak memory of its largest host, the bytes that a request sends over links, and the price of a
request in the currency of the registry."""
EXAMPLES = ("latency.median", "latency.mean", "latency.p90", "latency.p95", "latency.p99")
NUMBER = re.compile(r"(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)")
PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
TOO_WIDE = 100
"""An interval whose upper end is more than so many times the lower says nothing, as may that of two
blocks that differ."""
FARTHEST = 1e-6
"""The share beyond the farthest percentile: to tell it takes millions of requests."""


@attrs.frozen
class Bound:
    """The most that a figure may be."""

    figure: str
    """`latency.median`, `latency.mean`, `latency.p95` or any other percentile, or one of `FIGURES`.
    """
    limit: float
    """In seconds, bytes, or the currency of the registry."""

    @property
    def timed(self) -> bool:
        """Whether it bounds a latency."""
        return self.figure.startswith("latency.")

    def __str__(self) -> str:
        """Return how it is written."""
        return f"{self.figure}={write_figure(self.figure, self.limit)}"


@attrs.frozen
class Drop:
    """The most points that a figure of merit may lose."""

    metric: str
    """Its name; `accuracy` for the figure that decides, whatever its name."""
    points: float

    def __str__(self) -> str:
        """Return how it is written."""
        return f"{self.metric}={self.points:g}"


def find_quantile(figure: str) -> float | None:
    """Return the quantile that a figure of latency is, 0 to 1; None for the mean."""
    name = figure.removeprefix("latency.")
    return None if name == "mean" else 0.5 if name == "median" else float(name[1:]) / 100


def parse_bound(text: str) -> Bound:
    """Return the bound written `latency.p95=50ms`.

    Raises:
        OptionError: It is written otherwise, bounds nothing that is known, or has another unit.
    """
    figure, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise OptionError(f"a bound is written FIGURE=VALUE, as latency.p95=50ms, not {text!r}")
    units = DELAYS if _is_latency(figure) else FIGURES.get(figure)
    if units is None:
        raise OptionError(_say_unknown(figure))
    if _is_latency(figure):
        figure = _find_usual_name(figure)
        _refuse_far(figure)
    return Bound(figure, _read(value, units, figure))


def find_twice(names: Sequence[str]) -> str:
    """Return the first of some names that stands there more than once; empty where none does."""
    return next((name for name in names if names.count(name) > 1), "")


def _is_latency(figure: str) -> bool:
    name = figure.removeprefix("latency.")
    if name == figure:
        return False
    found = PERCENTILE.fullmatch(name)
    return name in ("median", "mean") or (found is not None and 0 < float(found[1]) < 100)


def _find_usual_name(figure: str) -> str:
    """Return `latency.median` for `latency.p50.0`, and `latency.p95` for `latency.p95.0`.

    A figure that a report shows has the interval of the report by all its names.
    """
    quantile = find_quantile(figure)
    if quantile is None or quantile == 0.5:
        return "latency.mean" if quantile is None else "latency.median"
    return f"latency.p{float(figure.removeprefix('latency.p')):.12g}"


def _refuse_far(figure: str) -> None:
    """Refuse a percentile that no run has requests enough for.

    Raises:
        OptionError: It is one.
    """
    quantile = find_quantile(figure)
    if quantile is not None and min(quantile, 1 - quantile) < FARTHEST:
        raise OptionError(
            f"{figure} needs more requests than a run measures; bound a percentile from "
            f"p{100 * FARTHEST:.4f} to p{100 * (1 - FARTHEST):.4f}"
        )


def _say_unknown(figure: str) -> str:
    if figure in ("accuracy", "loss"):
        return "--max bounds no accuracy; write --max-drop accuracy=POINTS"
    known = [*EXAMPLES, *FIGURES]
    return f"no figure is called {figure!r}{nearest(figure, known)}"


def _read(text: str, units: Mapping[str, float], figure: str) -> float:
    """Return a number with a unit of these, greater than 0.

    Raises:
        OptionError: It is something else.
    """
    found = NUMBER.fullmatch(text)
    if not found or found[2] not in units or not 0 < float(found[1]) < float("inf"):
        *most, last = units
        unit = f" and {', '.join(most)} or {last}" if most else ", without a unit"
        raise OptionError(f"{figure} is bounded by a number greater than 0{unit}, not {text!r}")
    return float(found[1]) * units[found[2]]


def parse_drop(text: str) -> Drop:
    """Return the bound on a loss of accuracy written `accuracy=1`, in points.

    Raises:
        OptionError: It is written otherwise.
    """
    metric, equals, points = (part.strip() for part in text.partition("="))
    found = NUMBER.fullmatch(points)
    if not (metric and equals and found) or found[2] or not 0 < float(found[1]) <= 100:
        raise OptionError(
            "--max-drop is written METRIC=POINTS, more than 0 and at most 100, as accuracy=1, "
            f"not {text!r}"
        )
    return Drop(metric, float(found[1]))


def write_figure(figure: str, value: float) -> str:
    """Write the value of a figure with its unit, for people, so that `parse_bound` reads it."""
    write: Callable[[float], str] = _write_price
    if figure.startswith("latency."):
        write = _write_time
    elif figure != "price":
        write = _write_bytes
    return write(value)


def _write_price(price: float) -> str:
    return f"{price:.3g}"


def _write_time(seconds: float) -> str:
    return f"{write_ms(seconds)}ms"


def _write_bytes(count: float) -> str:
    for unit in ("GB", "MB", "kB"):
        if count >= SIZES[unit]:
            return f"{_digits(count / SIZES[unit])}{unit}"
    return f"{_digits(count)}B"


def write_ms(seconds: float) -> str:
    """Write seconds as milliseconds without their unit, for people."""
    return _digits(seconds * 1e3)


def write_interval(ends: Sequence[float]) -> str:
    """Write an interval of seconds in milliseconds, unless it is so wide that nothing is known."""
    low, high = map(write_ms, ends)
    return f"{low} to {high}" if is_known(ends) else "interval not known"


def is_known(ends: Sequence[float]) -> bool:
    """Say whether an interval is so narrow that it says something."""
    low, high = ends
    return high < TOO_WIDE * low


def _digits(value: float) -> str:
    """Write three digits, or all that stand before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
