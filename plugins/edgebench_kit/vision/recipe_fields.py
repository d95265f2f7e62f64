"""What the fields of a recipe may hold, each refused in a line that names it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgebench import DataError

LARGEST = 16384
"""The largest side, in pixels, that a recipe may ask for."""
MOST = 1e9
"""What no number of a recipe reaches, so that what it makes of a pixel is a float32."""


def to_size(value: Any) -> Any:
    """Return the height and the width where one number stands for both."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, value)
    return tuple(value) if isinstance(value, list) else value


def to_resize(value: Any) -> Any:
    """Return a list as the height and the width that it is."""
    return tuple(value) if isinstance(value, list) else value


def to_float(value: Any) -> Any:
    """Return a number as a float: a pixel times a whole number would stay a byte, and wrap."""
    return float(value) if _is_number(value) else value


def to_numbers(value: Any) -> Any:
    """Return numbers by channel, where one stands for all."""
    if _is_number(value):
        return (float(value),) * 3
    if isinstance(value, Sequence) and all(_is_number(one) for one in value):
        return tuple(map(float, value))
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < MOST


def check_side(name: str, value: object) -> None:
    """Refuse what is no number of pixels; *name* is what the message calls it.

    Raises:
        DataError: It is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= LARGEST:
        raise DataError(f"{name} is of whole pixels, 1 to {LARGEST}, not {value!r}")


def is_size(_: object, field: Any, value: Any) -> None:
    """Refuse what is no height and width.

    Raises:
        DataError: It is none.
    """
    if value is None:
        return
    if not isinstance(value, tuple) or len(value) != 2:
        raise DataError(f"{field.name} is one number or [height, width], not {value!r}")
    for side in value:
        check_side(field.name, side)


def is_resize(recipe: object, field: Any, value: Any) -> None:
    """Refuse what is neither a shorter side nor a height and width.

    Raises:
        DataError: It is neither.
    """
    if isinstance(value, tuple):
        is_size(recipe, field, value)
    elif value is not None:
        check_side(field.name, value)


def is_one_of(*known: object) -> Any:
    """Return what refuses all values but some."""

    def check(_: object, field: Any, value: object) -> None:
        if value not in known:
            told = ", ".join(str(one) for one in known if one is not None)
            raise DataError(f"{field.name} is one of {told}, not {value!r}")

    return check


def is_finite(_: object, field: Any, value: Any) -> None:
    """Refuse what is no number, or numbers.

    Raises:
        DataError: It is none.
    """
    values = value if isinstance(value, tuple) else (value,)
    if not all(map(_is_number, values)):
        raise DataError(f"{field.name} is of numbers, not {value!r}")


def is_byte(_: object, field: Any, value: object) -> None:
    """Refuse what is no value of a pixel.

    Raises:
        DataError: It is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 255:
        raise DataError(f"{field.name} is a whole number, 0 to 255, not {value!r}")
