"""Numbers as they are written on the command line."""

from __future__ import annotations

import argparse
import math


def natural(text: str) -> int:
    """Return a whole number of at least 0."""
    return _whole(text, 0)


def count(text: str) -> int:
    """Return a whole number of at least 1."""
    return _whole(text, 1)


def _whole(text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < least:
        raise argparse.ArgumentTypeError(f"must be a whole number from {least}, not {text!r}")
    return int(text)


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
