"""The Pareto front: strategies that none beats in latency, accuracy and size together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgebench.analysis.result import Result


def find_front(results: Sequence[Result], medians: NDArray[Any]) -> tuple[Result, ...]:
    """Return the results that none dominates, the quickest first.

    One dominates another if it is no worse in any of median latency, accuracy and bytes of the
    model, and better in one (Pareto dominance). These are the figures as measured: what lies on the
    front by less than its interval may be beaten by what lies just behind it. What is not known of
    any is left out of account; what is not known of one alone counts as the worst.
    """
    import numpy as np

    value = np.array([one.figure.value if one.figure else -np.inf for one in results])
    sizes = np.array([np.inf if one.model_bytes is None else one.model_bytes for one in results])
    points = np.stack([np.asarray(medians), -value, sizes.astype(float)], axis=1)
    order = np.lexsort(points.T[::-1])
    front: list[int] = []
    # Sorted, only what comes before can dominate, and of that who is on the front suffices.
    for at in order.tolist():
        kept = points[front]
        no_worse = (kept <= points[at]).all(axis=1)
        if not (no_worse & (kept < points[at]).any(axis=1)).any():
            front.append(at)
    return tuple(results[at] for at in front)
