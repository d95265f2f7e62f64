"""How many labels would settle whether a loss is within another margin than the study's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.analysis.losses import MOST, Proportion, count_labels_needed
from edgebench.analysis.proportions import find_loss_interval

if TYPE_CHECKING:
    from edgebench.records.facts import Figure

NEAR = 1e-9
"""How near the ends of an interval are to those that are kept of it if it is the same."""


def foresee_labels(figure: Figure, margin: float) -> int | None:
    """Return how many samples would settle on which side of a margin, 0 to 1, the loss lies.

    For the study's own margin that is kept. For another it follows from the kept interval: that of
    paired right and wrong answers says how many of each there were, so that Tango's interval of
    more such answers can be foreseen (`count_labels_needed`). Any other interval is taken to shrink
    with the root of the samples. None where the loss lies on the margin itself.
    """
    if margin == figure.margin:
        return figure.labels_needed
    if figure.loss is None or figure.loss_ci95 is None or figure.loss == margin:
        return None
    if (counts := _find_counts(figure)) is not None:
        return count_labels_needed(counts, margin)
    low, high = figure.loss_ci95
    distance = abs(margin - figure.loss)
    half = high - figure.loss if figure.loss < margin else figure.loss - low
    needed = figure.samples * (half / distance) ** 2
    return round(needed) if needed < MOST else None


def _find_counts(figure: Figure) -> Proportion | None:
    """Return the changed answers whose interval is the one that is kept; None if none have it."""
    loss, kept, samples = figure.loss or 0.0, figure.loss_ci95 or (0.0, 0.0), figure.samples
    net = round(loss * samples)
    if abs(net - loss * samples) > NEAR * samples:
        return None
    # The interval grows with the answers that changed both ways, so halving finds them.
    low, high = max(0, -net), (samples - abs(net)) // 2 + max(0, -net)
    while low < high:
        better = (low + high) // 2
        if find_loss_interval(net + better, better, samples)[1] < kept[1] - NEAR:
            low = better + 1
        else:
            high = better
    found = find_loss_interval(net + low, low, samples)
    if max(abs(one - other) for one, other in zip(found, kept, strict=True)) > NEAR:
        return None
    return Proportion(worse=net + low, better=low, samples=samples)
