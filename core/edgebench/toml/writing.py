"""TOML written so that it reads back equal: texts, numbers, lists of texts, and comments."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Mapping

WIDTH = 100
"""Columns of a line."""
Value = str | int | float | bool | tuple[str, ...]
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029]')
"""What may not stand in a text as it is, or breaks its line in an editor."""


def write_text(text: str) -> str:
    """Return a text in quotation marks."""
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    return f"\\{letter}" if letter in '"\\' else f"\\u{ord(letter):04x}"


def write_value(value: Value) -> str:
    """Return a value as TOML has it.

    Raises:
        ValueError: It is a number that no JSON has either.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return write_text(value)
    if isinstance(value, tuple):
        return _write_list([write_text(one) for one in value])
    if not math.isfinite(value):
        raise ValueError(f"must be a finite number, not {value}")
    return repr(value)


def _write_list(items: list[str]) -> str:
    line = f"[{', '.join(items)}]"
    # A name and the sign of equality stand before it.
    return line if len(line) < WIDTH - 20 else "[\n" + "".join(f"  {one},\n" for one in items) + "]"


def write_pairs(values: Mapping[str, Value]) -> Iterator[str]:
    """Yield the lines of a table: a key and its value each."""
    for key, value in values.items():
        yield f"{key} = {write_value(value)}"


def write_comment(text: str) -> Iterator[str]:
    """Yield the lines of a comment; a character that TOML refuses there is left out."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    yield from textwrap.wrap(
        plain, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
