"""What every record has, and how a record refuses nonsense at the door."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import attrs

NAME = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*")

Usable = bool | str
"""True, or one clause that says why not (`needs a GPU`)."""


def is_slug(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """Refuse a name that is not lower-case words joined by `-`, `_` or `.`."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(f"{field.name} must be lower-case words joined by '-', not {value!r}")


def is_sentence(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """Refuse what is not one line of text."""
    if not isinstance(value, str) or not value.strip() or "\n" in value:
        raise ValueError(f"{field.name} must be one line of text, not {value!r}")


def is_callable(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise ValueError(f"{field.name} must be callable, not {value!r}")


def is_number(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """Refuse what is no number, by the name of the field: a comparison would not tell it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{field.name} must be a number, not {value!r}")


def options_class(_: object, field: attrs.Attribute[Any], value: type) -> None:
    """Refuse a class that attrs did not make."""
    if not attrs.has(value):
        raise ValueError(f"{field.name} must be an attrs class, not {value!r}")


def texts(value: Iterable[str]) -> tuple[str, ...]:
    """Return names as a tuple; one text in place of several is refused."""
    if isinstance(value, str):
        raise ValueError(f"a sequence of names is needed, not the text {value!r}")
    return tuple(value)


@attrs.frozen(kw_only=True)
class NoOptions:
    """The options of a part that takes none."""


@attrs.frozen(kw_only=True)
class Part:
    """What every record has."""

    name: str = attrs.field(validator=is_slug)
    summary: str = attrs.field(validator=is_sentence)
