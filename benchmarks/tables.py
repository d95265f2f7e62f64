"""Figures as the pages have them."""

from __future__ import annotations

from collections.abc import Sequence


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out as Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def digits(value: float, count: int = 3) -> str:
    """Write a number with so many significant digits, and never with an exponent."""
    return f"{float(f'{value:.{count}g}'):,.10g}"
