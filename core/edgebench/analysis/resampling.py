"""The bootstrap of a figure of merit: samples are drawn with replacement, their counts added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.analysis.intervals import AT_ONCE, RESAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    from edgebench.parts.datasets import Metric


def resample(counts: NDArray[Any], metric: Metric, seed: int) -> NDArray[Any]:
    """Return the figure of each resample of the samples, shape (resamples,).

    *counts* are of shape (samples, k). The same seed draws the same samples.
    """
    import numpy as np

    sums = np.concatenate(list(_sums(counts, np.random.default_rng(seed))))
    return np.array([float(metric.value(one)) for one in sums])


def _sums(counts: NDArray[Any], rng: Generator) -> Iterator[NDArray[Any]]:
    """Yield summed counts of resampled inputs, shape (some resamples, k)."""
    step = max(1, AT_ONCE // max(1, counts.size))
    for first in range(0, RESAMPLES, step):
        size = (min(step, RESAMPLES - first), len(counts))
        yield counts[rng.integers(0, len(counts), size)].sum(axis=1)


def find_middle(values: NDArray[Any]) -> tuple[float, float]:
    """Return the ends of the middle 95 % of values."""
    import numpy as np

    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
