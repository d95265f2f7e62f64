"""Accuracy with its interval, what was lost of it, and how far outputs agree."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.agreement import measure_differences
from edgebench.analysis.losses import compare_counts, count_labels_needed, find_right
from edgebench.analysis.proportions import find_share_interval
from edgebench.analysis.resampling import find_middle, resample
from edgebench.analysis.wrong import Wrong, count_more
from edgebench.metrics.classes import guess_classes_axis
from edgebench.parts.errors import DataError
from edgebench.records.facts import Agreement, Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgebench.parts.datasets import Metric
    from edgebench.records.outcome import Score

Interval = tuple[float, float]
ROUNDING = 1e-9
"""How far sums of counts may be off."""


def find_figures(
    score: Score,
    metrics: Sequence[Metric],
    reference: Score | None,
    *,
    margin: float = 0.01,
    seed: int = 0,
) -> tuple[Figure, ...]:
    """Return the figures of merit of a score, each with its interval.

    *reference* is the score of the untransformed pipeline on the same inputs in the same order
    (itself, for the untransformed one): then what was lost is given too, in pairs. A loss of less
    than the *margin*, 0 to 1, counts as none.

    Raises:
        DataError: A metric gives no figure from 0 to 1, or says that it is a proportion and counts
            otherwise.
    """
    return tuple(_figure(score, metric, reference, margin, seed) for metric in metrics)


def _figure(
    score: Score, metric: Metric, reference: Score | None, margin: float, seed: int
) -> Figure:
    import numpy as np

    counts = np.asarray(score.counts[metric.name], dtype=float)
    figure = Figure(
        metric=metric.name,
        value=_find_value(counts, metric),
        ci95=_find_interval(counts, metric, seed),
        samples=len(counts),
        margin=margin,
    )
    # A score of other samples, or by other metrics, cannot be compared in pairs.
    other = None if reference is None else reference.counts.get(metric.name)
    if reference is None or other is None or len(other) != len(counts):
        return figure
    if reference.key == score.key:
        # It is compared with itself: no other sample would show a difference.
        return attrs.evolve(figure, loss=0.0, loss_ci95=(0.0, 0.0))
    loss = compare_counts(np.asarray(other, dtype=float), counts, metric, seed)
    return attrs.evolve(
        figure,
        loss=loss.value,
        loss_ci95=loss.interval(),
        labels_needed=count_labels_needed(loss, margin),
    )


def _find_value(counts: NDArray[Any], metric: Metric) -> float:
    """Return the figure of all samples, if it is one; a proportion is the share that is right.

    Raises:
        DataError: It is a number, and no such figure.
    """
    value = float(metric.value(counts.sum(axis=0)))
    if not math.isfinite(value):
        # Of samples that show nothing, which is no mistake of the metric: it is left out.
        return value
    if not -ROUNDING <= value <= 1 + ROUNDING:
        raise DataError(f"the metric {metric.name!r} gives {value:g}; a figure is 0 to 1")
    share = float(find_right(counts, metric).mean()) if metric.proportion else value
    if abs(value - share) > ROUNDING:
        raise DataError(
            f"the metric {metric.name!r} says that it is a proportion, and gives {value:g} where "
            f"the share that is right is {share:g}; leave out `proportion`"
        )
    return min(1.0, max(0.0, value))


def _find_interval(counts: NDArray[Any], metric: Metric, seed: int) -> Interval:
    """Return the 95 % interval of a figure: exact for a proportion, else a bootstrap.

    A bootstrap is never narrower than what the figure would lose if as many more answers were
    wrong as Clopper-Pearson's limit allows. Where nothing says what one costs, and the samples are
    all alike, nothing is known of it.
    """
    if metric.proportion:
        return find_share_interval(float(find_right(counts, metric).sum()), len(counts))
    low, high = find_middle(resample(counts, metric, seed))
    wrong = Wrong.of(counts, metric)
    if not wrong.known:
        return (0.0, 1.0) if low == high else (low, high)
    value, already = wrong.value_after(0), float((wrong.costs == 0).sum())
    more = count_more(already, len(counts))
    fewer = count_more(len(counts) - already, len(counts))
    # An answer that is made right gains what one costs that is made wrong.
    rise = value - wrong.value_after(max(more, fewer))
    return min(low, wrong.value_after(more)), max(high, min(1.0, value + rise))


def judge_loss(figure: Figure) -> str:
    """Say of a loss whether it is `shown` to be none, `lost`, or `open`; empty where none is known.

    Shown: the upper end of its interval lies under the margin. Lost: the lower end lies over it.
    """
    if figure.loss is None:
        return ""
    low, high = figure.loss_ci95 or (-1.0, 1.0)
    if high < figure.margin:
        return "shown"
    return "lost" if low > figure.margin else "open"


def describe_open(figure: Figure) -> str:
    """Say how much of a loss is open, with how many labels, and how many would settle it."""
    labels = f"{figure.samples} labels"
    if figure.loss_ci95 is None:
        return f"what a wrong answer costs {figure.metric} is not known from {labels}"
    more = f"about {figure.labels_needed} would settle it"
    settled = more if figure.labels_needed else "no number of them is foreseen to settle it"
    if figure.labels_needed and figure.left_out:
        whole = figure.samples + figure.left_out
        enough = figure.labels_needed <= whole
        settled += f", of the {whole} that there are" if enough else f", and there are {whole}"
        settled += ": score them all, without --score-limit or --quick" * enough
    return f"may lose up to {figure.loss_ci95[1] * 100:.1f} points, {labels}; {settled}"


def compare_outputs(
    score: Score,
    reference: Score,
    label: str,
    *,
    names: Sequence[str] = (),
    classes: int | None = None,
) -> Agreement | None:
    """Compare raw outputs, (samples, ...) each, with the untransformed pipeline's, named *label*.

    *names* are the outputs', in order, and *classes* is the axis of the first one's classes, as a
    pipeline states them. None where either kept no outputs, or none of the same sample and shape,
    or where all are empty: what detects nothing in any sample agrees with whatever does so too.
    """
    pairs = _pair_samples(score, reference)
    if any(a.shape != b.shape for a, b in pairs) or not any(a.size for a, _ in pairs):
        return None
    axis = find_classes_axis(pairs[0][0], classes)
    return Agreement(
        **measure_differences(pairs, names),
        same_answer=_same_answer(*pairs[0], axis),
        classes_axis=axis,
        samples=len(pairs[0][0]),
        reference=label,
        other_shape=_describe_other_sizes(score, reference),
    )


def _describe_other_sizes(score: Score, reference: Score) -> str:
    """Say in how many samples outputs differ in size; empty if in none.

    Both keep the samples whose outputs are as large as those of the first, up to a number that is
    the same for both.
    """
    places = [one.kept for one in (score, reference)]
    if not all(places):
        return ""
    most = max(map(len, places))
    # One that kept fewer had room for more, and so has seen them all.
    ends = [
        max(one.samples if len(one.kept) < most else 0, max(one.kept) + 1)
        for one in (score, reference)
    ]
    seen = min(ends)
    own, other = ({place for place in kept if place < seen} for kept in places)
    count = len(own ^ other)
    return f"the outputs of {count} of {seen} samples have another shape" if count else ""


def _pair_samples(score: Score, reference: Score) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return each output of both for the samples that both kept.

    Where outputs differ in size from sample to sample, not all are kept, nor by both the same.
    """
    import numpy as np

    scores = (score, reference)
    if not all(one.outputs for one in scores):
        return []
    places = [one.kept or range(min(map(len, one.outputs))) for one in scores]
    both = sorted(set(places[0]).intersection(places[1]))
    own, other = (np.searchsorted(kept, both) for kept in places)
    return [(a[own], b[other]) for a, b in zip(score.outputs, reference.outputs, strict=False)]


def find_classes_axis(outputs: NDArray[Any], stated: int | None) -> int | None:
    """Return the axis along which the largest value is the answer; None if there is none.

    Unless it is stated it is the one that is usual. Whole numbers are answers themselves, and a
    single value is no choice.
    """
    if stated is None:
        if outputs.dtype.kind in "iub":
            return None
        stated = guess_classes_axis(outputs.ndim) or 0
    return stated if 0 < stated < outputs.ndim and outputs.shape[stated] > 1 else None


def _same_answer(one: NDArray[Any], other: NDArray[Any], axis: int | None) -> float | None:
    """Return the share of equal answers: winners along an axis, or whole numbers themselves.

    Where one score is no number there is no winner: in both that is nothing to compare, in one
    alone it is another answer.
    """
    if not one.size:
        return None
    if axis is not None:
        return _same_winner(one, other, axis)
    return float((one == other).mean()) if one.dtype.kind in "iub" else None


def _same_winner(one: NDArray[Any], other: NDArray[Any], axis: int) -> float | None:
    import numpy as np

    lost, also = (np.isnan(scores).any(axis=axis) for scores in (one, other))
    same = (one.argmax(axis=axis) == other.argmax(axis=axis)) & ~lost & ~also
    compared = ~(lost & also)
    return float(same[compared].mean()) if compared.any() else None
