"""Numbers as they are written on the command line."""

from __future__ import annotations

import argparse
import math

from edgebench.toml.tables import MOST


def natural(text: str) -> int:
    """Return a whole number of at least 0."""
    return _whole(text, 0)


def count(text: str) -> int:
    """Return a whole number of at least 1."""
    return _whole(text, 1)


def _whole(text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit()) or _read(text) < least:
        raise argparse.ArgumentTypeError(f"must be a whole number from {least}, not {text!r}")
    if _read(text) > MOST:
        raise argparse.ArgumentTypeError(f"must be at most {MOST}, not {text!r}")
    return int(text)


def _read(text: str) -> int:
    """Return the number of some digits, or one beyond all bounds where it has more than those."""
    # Python itself refuses to read thousands of digits.
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= len(str(MOST)) else MOST + 1


def days(text: str) -> float:
    """Return a number of at least 0."""
    number = _number(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, not {text!r}")
    return number


def seconds(text: str) -> float:
    """Return a number above 0."""
    number = _number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"must be more than 0 s, not {text!r}")
    return number


def share(text: str) -> float:
    """Return the share that a percentage is, more than 0 and less than 100 %."""
    number = _number(text.removesuffix("%"))
    if not text.endswith("%") or not 0 < number < 100:
        raise argparse.ArgumentTypeError(
            f"must be a percentage between 0% and 100%, as 2%, not {text!r}"
        )
    return number / 100


def margin(text: str) -> float:
    """Return the points of `accuracy=POINTS`, more than 0 and at most 100."""
    name, equals, points = text.partition("=")
    if name != "accuracy" or not equals:
        raise argparse.ArgumentTypeError(f"is written accuracy=POINTS, as accuracy=1, not {text!r}")
    number = _number(points)
    if not 0 < number <= 100:
        raise argparse.ArgumentTypeError(
            f"must be more than 0 points and at most 100, not {text!r}"
        )
    return number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}")
    return number
