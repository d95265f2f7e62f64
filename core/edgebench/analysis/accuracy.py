"""Accuracy with its interval, what was lost of it, and how far outputs agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.analysis.agreement import measure_differences
from edgebench.analysis.intervals import AT_ONCE, RESAMPLES
from edgebench.records.facts import Agreement, Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from edgebench.parts.subjects import Metric
    from edgebench.records.outcome import Score

TOLERATED = 0.01
"""The largest loss that is no loss as long as its interval includes 0: one point."""
NEGLIGIBLE = 0.005
"""A loss whose whole interval lies under this is none, however surely it is there: half a point."""


def find_figures(
    score: Score, metrics: Sequence[Metric], reference: Score | None, seed: int = 0
) -> tuple[Figure, ...]:
    """Return the figures of merit of a score, each with its bootstrap interval.

    *reference* is the score of the untransformed pipeline on the same inputs in the same order
    (itself, for the untransformed one): then what was lost is given too, in pairs.
    """
    return tuple(_figure(score, metric, reference, seed) for metric in metrics)


def _figure(score: Score, metric: Metric, reference: Score | None, seed: int) -> Figure:
    import numpy as np

    counts = np.asarray(score.counts[metric.name], dtype=float)
    own = _values(counts, metric, seed)
    value = float(metric.value(counts.sum(axis=0)))
    loss = loss_ci95 = None
    # A score of other samples, or by other metrics, cannot be compared in pairs.
    other = None if reference is None else reference.counts.get(metric.name)
    if other is not None and len(other) == len(counts):
        base = np.asarray(other, dtype=float)
        loss = float(metric.value(base.sum(axis=0))) - value
        # The same seed draws the same inputs for both: the loss is taken in pairs.
        loss_ci95 = _middle(_values(base, metric, seed) - own)
    return Figure(
        metric=metric.name,
        value=value,
        ci95=_middle(own),
        samples=len(counts),
        loss=loss,
        loss_ci95=loss_ci95,
    )


def _values(counts: NDArray[Any], metric: Metric, seed: int) -> NDArray[Any]:
    """Return the figure of each resample of the inputs, shape (resamples,)."""
    import numpy as np

    sums = np.concatenate(list(_sums(counts, np.random.default_rng(seed))))
    return np.array([float(metric.value(one)) for one in sums])


def _sums(counts: NDArray[Any], rng: Generator) -> Iterator[NDArray[Any]]:
    """Yield summed counts of resampled inputs, shape (some resamples, k)."""
    step = max(1, AT_ONCE // max(1, counts.size))
    for first in range(0, RESAMPLES, step):
        size = (min(step, RESAMPLES - first), len(counts))
        yield counts[rng.integers(0, len(counts), size)].sum(axis=1)


def _middle(values: NDArray[Any]) -> tuple[float, float]:
    import numpy as np

    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def keeps(figure: Figure) -> bool | None:
    """Say whether a figure keeps its accuracy; None where the loss is not known.

    It does if no loss is shown and none of size is likely (the paired 95 % interval includes 0
    and the loss is at most a point), or if the whole interval lies under half a point. That the
    interval includes 0 would not do alone: with few inputs it includes 0 and much more.
    """
    if figure.loss is None or figure.loss_ci95 is None:
        return None
    low, high = figure.loss_ci95
    return (low <= 0 and figure.loss <= TOLERATED) or high <= NEGLIGIBLE


def compare_outputs(
    score: Score, reference: Score, label: str, names: Sequence[str] = ()
) -> Agreement | None:
    """Compare raw outputs, (samples, ...) each, with the untransformed pipeline's, named *label*.

    None where either kept no outputs, or theirs are of other shapes. *names* are the outputs'.
    """
    kept = min((len(one) for one in (*score.outputs, *reference.outputs)), default=0)
    pairs = list(zip(score.outputs, reference.outputs, strict=False))
    if not kept or not pairs or any(a.shape[1:] != b.shape[1:] for a, b in pairs):
        return None
    return Agreement(
        **measure_differences([(a[:kept], b[:kept]) for a, b in pairs], names),
        same_answer=_same_answer(pairs[0][0][:kept], pairs[0][1][:kept]),
        samples=kept,
        reference=label,
    )


def _same_answer(one: NDArray[Any], other: NDArray[Any]) -> float | None:
    """Return the share of equal winners among the classes, the axis after the samples'."""
    if one.ndim < 2 or one.shape[1] < 2:
        return None
    return float((one.argmax(axis=1) == other.argmax(axis=1)).mean())
