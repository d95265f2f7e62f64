"""Holding what a stage gave against what it should give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebench.parts.pipeline import Tensors
from edgebench.testing.contracts.contract import hold

TOLERANCES: Mapping[str, float] = {"f32": 1e-3, "tf32": 1e-2, "f16": 2e-2, "bf16": 1e-1}
"""By precision, how far outputs may be from the reference's, as a share of its largest value."""
COARSE = 0.25
"""The same for any other precision."""
SMALLEST = 1e-6
"""What the largest value of an output is taken for at least."""


def copy(tensors: Tensors) -> dict[str, Any]:
    """Return tensors whose arrays are others."""
    return {name: array.copy() for name, array in tensors.items()}


def is_same(one: Tensors, other: Tensors) -> bool:
    """Say whether two sets of tensors are the same to the bit."""
    return not list_differing(one, other)


def list_differing(one: Tensors, other: Tensors) -> list[str]:
    """Return the names of those that are not the same to the bit; what is no number is the same."""
    import numpy as np

    return [name for name in one if not np.array_equal(one[name], other[name], equal_nan=True)]


def is_near(one: Tensors, other: Tensors) -> bool:
    """Say whether they are the same but for rounding."""
    return all(_is_array_near(one[name], array) for name, array in other.items())


def _is_array_near(one: Any, other: Any) -> bool:
    import numpy as np

    if one.shape != other.shape or not np.issubdtype(other.dtype, np.inexact):
        return np.array_equal(one, other)
    if not other.size:
        return True
    allowed = 1e-5 * float(np.abs(other[np.isfinite(other)]).max(initial=0))
    return np.allclose(one, other, rtol=1e-4, atol=allowed, equal_nan=True)


def is_far(one: Any, other: Any, allowed: float) -> bool:
    """Say whether two arrays of numbers differ by more than two that may be wrong can.

    Each may be, by a share of the largest value that is *allowed*. Labels are never far.
    """
    import numpy as np

    if one.shape != other.shape or not np.issubdtype(one.dtype, np.floating) or not one.size:
        return False
    scale = max(float(np.abs(each).max()) for each in (one, other))
    return float(np.abs(one - other).max()) > 2 * allowed * max(scale, SMALLEST)


def compare(given: Tensors, wanted: Tensors, allowed: float, whose: str) -> None:
    """See that outputs are as near to those wanted as is *allowed*, as a share of the largest.

    Raises:
        AssertionError: One is not; *whose* the wanted ones are is said.
    """
    import numpy as np

    for name, right in wanted.items():
        came = given[name]
        hold(
            came.shape == right.shape,
            f"the output {name!r} is of shape {came.shape}, and {whose} of {right.shape}",
        )
        if not np.issubdtype(right.dtype, np.floating):
            hold(np.array_equal(came, right), f"the output {name!r} is not {whose}")
            continue
        hold(np.isfinite(came).all(), f"the output {name!r} is not finite")
        far = float(np.abs(came.astype(float) - right).max())
        scale = max(float(np.abs(right).max()), SMALLEST)
        hold(
            far <= allowed * scale,
            f"the output {name!r} is {far:.3g} away from {whose}, whose largest value is "
            f"{scale:.3g}; {allowed:g} of that is allowed",
        )
