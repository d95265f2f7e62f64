"""What is said of a graph in the text of an option: sizes, ranges, values, axes, states by name."""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Range = tuple[float, float]
"""The lowest value, and the one that all values lie below."""

LARGEST_SIZE = 2**31
"""What no dimension comes near: a slip of the keyboard is told from a size."""
LARGEST_AXIS = 64
"""What no axis comes near: numpy's own limit of dimensions."""


def sizes(text: str) -> dict[str, int]:
    """Parse sizes of dimensions by name: `seq=128 x.2=224`.

    Raises:
        ValueError: It is something else.
    """
    found = {}
    for pair, name, size in _split(text, "dims"):
        if not size.isdecimal() or not 0 < int(size) < LARGEST_SIZE:
            raise ValueError(f'dims are written "seq=128 height=224", not {pair!r}')
        found[name] = int(size)
    return found


def size_ranges(text: str) -> dict[str, tuple[int, int, int]]:
    """Parse the least, usual and greatest size of open dimensions by name: `length=1:64:128`.

    Raises:
        ValueError: It is something else.
    """
    found = {}
    for pair, name, said in _split(text, "sizes"):
        written = re.fullmatch(r"(\d{1,9}):(\d{1,9}):(\d{1,9})", said)
        least, usual, greatest = map(int, written.groups()) if written else (0, 0, 0)
        if not 0 < least <= usual <= greatest:
            raise ValueError(f'sizes are written "length=1:64:128", not {pair!r}')
        found[name] = (least, usual, greatest)
    return found


def value_ranges(text: str) -> dict[str, Range]:
    """Parse ranges of values by input: `ids=0:30522 x=-1:1`, the upper end not among them.

    Raises:
        ValueError: It is something else.
    """
    found = {}
    for pair, name, ends in _split(text, "range"):
        low, _, high = ends.partition(":")
        try:
            found[name] = float(low), float(high)
        except ValueError:
            found[name] = 0.0, 0.0
        low_end, high_end = found[name]
        if not low_end < high_end or not isfinite(high_end - low_end):
            raise ValueError(f'ranges are written "ids=0:30522 x=-1:1", not {pair!r}')
    return found


def fixed_values(text: str) -> dict[str, tuple[float, ...]]:
    """Parse values of inputs that are the same in every request: `sr=16000 size=480:640`.

    Raises:
        ValueError: It is something else.
    """
    found = {}
    for pair, name, values in _split(text, "fix"):
        try:
            found[name] = tuple(_number(one) for one in values.split(":"))
        except ValueError:
            found[name] = ()
        if not all(map(isfinite, found[name])) or not found[name]:
            raise ValueError(f'fixed values are written "sr=16000 size=480:640", not {pair!r}')
    return found


def _number(text: str) -> float:
    # A whole number stays one: as a float, one of 64 bits would lose its last digits.
    return int(text) if re.fullmatch(r"[+-]?\d{1,19}", text) else float(text)


def batch_axes(text: str) -> dict[str, int | None]:
    """Parse by input or output the axis that the batch is: `state=1 anchors=none`, None for none.

    Raises:
        ValueError: It is something else.
    """
    found: dict[str, int | None] = {}
    for pair, name, axis in _split(text, "batch-axis"):
        found[name] = None if axis == "none" else _axis(axis)
        if found[name] == -1:
            raise ValueError(f'axes of the batch are written "state=1 boxes=none", not {pair!r}')
    return found


def classes_axis(text: str) -> int | None:
    """Parse the axis of the classes: a number, `none` (-1), or nothing (None).

    Raises:
        ValueError: It is something else.
    """
    if text in ("", "none"):
        return -1 if text else None
    if (axis := _axis(text)) < 0:
        raise ValueError(f"the axis of the classes is a number, or none, not {text!r}")
    return axis


def _axis(text: str) -> int:
    """Return a number of an axis; -1 for what is none."""
    return int(text) if text.isdecimal() and int(text) < LARGEST_AXIS else -1


def states(text: str) -> dict[str, str]:
    """Parse by input the output of the request before that it is fed: `state=stateN`.

    Raises:
        ValueError: It is something else.
    """
    found = {}
    for pair, name, output in _split(text, "state"):
        if not output:
            raise ValueError(f'states are written "state=stateN", not {pair!r}')
        found[name] = output
    return found


def _split(text: str, option: str) -> Iterator[tuple[str, str, str]]:
    """Yield what was written of each name, the name, and what stands behind its last `=`.

    Raises:
        ValueError: A name is missing, or stands twice.
    """
    seen = set()
    for pair in re.split(r"[\s,]+", text):
        if not pair:
            continue
        name, _, said = pair.rpartition("=")
        if name in seen:
            raise ValueError(f"{option} gives {name!r} twice")
        seen.add(name)
        # Without a name, what was said is nothing that any option takes.
        yield pair, name, said if name else ""
