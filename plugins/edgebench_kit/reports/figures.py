"""Writes figures for people: numbers in few characters, with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Case = dict[str, Any]
"""A case as the document of a run has it, with its `subject`."""


def is_emulated(tier: Mapping[str, Any]) -> bool:
    """Say whether a tier, as a document has it, waits to be as slow as it claims."""
    return "emulated" in tier["enforced"].get("cpu", "")


def write_figure(value: float | None, factor: float) -> str:
    """Write a number in four characters where that is possible; `-` for None."""
    if value is None:
        return "-"
    scaled = value * factor
    digits = next((d for bound, d in ((9.995, 2), (99.95, 1)) if abs(scaled) < bound), 0)
    return f"{round(scaled, digits) + 0.0:.{digits}f}"


def write_amount(value: float | None, factor: float) -> str:
    """Write a number like any figure, but one that is not zero with digits that say so."""
    written = write_figure(value, factor)
    return f"{value * factor:.2g}" if value and not float(written) else written


def write_with_interval(value: float, bounds: Sequence[float], factor: float) -> str:
    """Write a number and, below it, the ends of its interval."""
    return f"{write_figure(value, factor)}\n{write_ends(bounds, factor)}"


def write_ends(bounds: Sequence[float], factor: float) -> str:
    """Write the two ends of an interval."""
    return "..".join(write_figure(end, factor) for end in bounds)
