"""How far an array is from the one that is right, and how far it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def find_excess(wanted: NDArray[Any], got: NDArray[Any], tolerance: float) -> str | None:
    """Say that an array differs by more than is allowed, with the numbers; None where it does not.

    The largest difference counts, and *tolerance* is relative to the largest size in *wanted* where
    that exceeds 1. What is no number is within no bound.
    """
    import numpy as np

    if wanted.shape != got.shape:
        return f"differs in its shape, {got.shape} for {wanted.shape}"
    right = wanted.astype("f8")
    difference = float(np.max(np.abs(got.astype("f8") - right), initial=0.0))
    allowed = tolerance * max(1.0, float(np.max(np.abs(right), initial=0.0)))
    if difference <= allowed:
        return None
    return f"differs by {difference:.3g}; {allowed:.1g} is allowed"
