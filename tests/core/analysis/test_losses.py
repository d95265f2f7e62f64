"""What was lost of a figure that is no proportion, and how far that is known."""

from __future__ import annotations

import numpy as np
import pytest

from edgebench import DataError, Metric
from edgebench.analysis.losses import Proportion, Resampled, compare_counts, count_labels_needed
from edgebench.analysis.proportions import find_share_interval
from edgebench.metrics.classification import f1, top
from edgebench.metrics.segmentation import mean_iou

F1 = f1()
UNSAID = Metric(name="f1", count=F1.count, value=F1.value)
"""The same figure of somebody who says nothing of wrong answers."""


def answers(hits=0, false=0, missed=0, rest=0):
    """Counts of F1: true and false positives, false and true negatives."""
    kinds = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)]
    return np.repeat(np.array(kinds, float), [hits, false, missed, rest], axis=0)


def loss(base, own, metric=F1):
    return compare_counts(base, own, metric, 0)


def masks(number, spoilt=(), pixels=256):
    """Counts of mean IoU of masks, in some of which so many pixels are wrong."""
    rng, metric = np.random.default_rng(0), mean_iou(6)
    counts = []
    for mask in range(number):
        true = rng.integers(0, 5, (16, 16))
        said = true.copy()
        said.ravel()[: 20 + (pixels if mask in spoilt else 0)] = 5
        counts.append(metric.count(said, true))
    return np.array(counts)


def test_21_labels_without_a_difference_leave_15_points_open():
    """A bootstrap of them is 0 to 0."""
    same = answers(hits=11, rest=10)
    low, high = loss(same, same).interval()
    assert 0.15 < high < 0.16
    assert low == -high


def test_it_is_what_f1_loses_if_as_many_answers_change_as_may_have():
    """By hand: the share of 21 that may change is that of Clopper and Pearson, of each kind."""
    same = answers(hits=14, rest=7)
    share = find_share_interval(0, 21)[1]
    hits, false, missed = 14 * (1 - share), 7 * share, 14 * share
    wanted = 1 - 2 * hits / (2 * hits + false + missed)
    assert loss(same, same).interval()[1] == pytest.approx(wanted)


def test_a_figure_that_is_a_share_all_but_in_name_has_clopper_and_pearsons_end():
    metric = Metric(name="mine", count=print, value=lambda sums: float(sums[0] / sums[1]))
    right = np.tile([1.0, 1.0], (21, 1))
    assert loss(right, right, metric).interval()[1] == pytest.approx(find_share_interval(0, 21)[1])


def test_what_nobody_says_is_sought_among_the_counts():
    base, own = answers(hits=10, missed=1, rest=10), answers(hits=9, missed=2, rest=10)
    said, sought = (loss(base, own, metric).interval() for metric in (F1, UNSAID))
    assert sought[1] >= said[1] > loss(base, own).value


def test_what_cannot_be_found_there_is_not_known():
    """Where all is right, nothing shows what the figure would lose by a wrong answer."""
    perfect = answers(hits=11, rest=10)
    assert loss(perfect, perfect, UNSAID).interval() is None
    assert count_labels_needed(loss(perfect, perfect, UNSAID), 0.01) is None
    wrong = answers(false=10, missed=11)
    assert loss(wrong, wrong).interval() is None


def test_a_collapse_is_sure():
    low, high = loss(answers(hits=250, rest=250), answers(false=250, missed=250)).interval()
    assert low > 0.9
    assert high == 1.0


def test_few_samples_that_all_changed_do_not_make_it_sure():
    """A bootstrap of three that were lost is 1 to 1."""
    low, _ = loss(answers(hits=3), answers(missed=3)).interval()
    assert low < 0.3


def test_masks_of_which_none_changed_may_still_change():
    same = masks(21)
    value = mean_iou(6).value(same.sum(axis=0))
    _, high = loss(same, same, mean_iou(6)).interval()
    assert high == pytest.approx(value * find_share_interval(0, 21)[1])


def test_masks_that_all_changed_by_a_pixel_are_judged_by_the_bootstrap():
    """If a pixel made a changed answer, 500 masks of 1,000 would leave some 3 points open."""
    base, own = masks(500), masks(500, spoilt=range(0, 500, 2), pixels=1)
    compared = loss(base, own, mean_iou(6))
    low, high = compared.interval()
    assert high - compared.value < 1.1 * mean_iou(6).value(base.sum(axis=0)) * 3.69 / 500
    assert low <= compared.value <= high


def test_masks_that_are_lost_altogether_are_changed_answers():
    base, own = masks(200), masks(200, spoilt=range(4), pixels=236)
    more = 200 * find_share_interval(4, 200)[1] - 4
    _, high = loss(base, own, mean_iou(6)).interval()
    assert high > loss(base, own, mean_iou(6)).value + 0.9 * more / 200 * 0.85


def test_the_interval_holds_the_true_loss_where_a_bootstrap_does_not():
    """21 samples, one in twenty of which is lost: the bootstrap's end is too low in a third."""
    rng, held, drawn = np.random.default_rng(0), 0, 0
    hits = 0.5 * 0.95
    true = 1 - 2 * hits / (2 * hits + 0.05)
    for _ in range(150):
        positive, kept = rng.random(21) < 0.5, rng.random(21) >= 0.05
        base = np.stack([positive, 0 * kept, 0 * kept], axis=1).astype(float)
        own = np.stack([positive & kept, ~positive & ~kept, positive & ~kept], axis=1).astype(float)
        compared = Resampled(base=base, own=own, metric=F1, seed=0)
        held += compared.interval()[1] >= true
        drawn += compared._drawn[1] >= true
    assert held >= 0.95 * 150
    assert drawn < 0.8 * 150


def test_how_many_labels_would_settle_it():
    """Of shares alike: z^2 / (n + z^2) < 1 % from n = 381 on."""
    assert count_labels_needed(Proportion(worse=0, better=0, samples=21), 0.01) == 381
    assert count_labels_needed(Proportion(worse=0, better=0, samples=21), 0.03) == 125
    assert count_labels_needed(Proportion(worse=0, better=0, samples=569), 0.01) is None
    found = count_labels_needed(Proportion(worse=2, better=0, samples=569), 0.01)
    assert 800 < found < 1000
    assert count_labels_needed(Proportion(worse=5, better=0, samples=21), 0.01) is None  # lost
    assert count_labels_needed(Proportion(worse=1, better=0, samples=21), 0.01) > 21
    assert count_labels_needed(Proportion(worse=1, better=0, samples=100), 0.01) is None


def test_as_many_labels_do_settle_it():
    same = answers(hits=11, rest=10)
    many = count_labels_needed(loss(same, same), 0.01)
    whole = answers(hits=11 * many // 21 + 1, rest=10 * many // 21 + 1)
    assert loss(whole, whole).interval()[1] < 0.01
    half = answers(hits=11 * many // 42, rest=10 * many // 42)
    assert loss(half, half).interval()[1] > 0.01


@pytest.mark.parametrize("counts", [[[0.5, 1.0]], [[1.0, 2.0]], [[1.0, 1.0, 0.0]]])
def test_a_proportion_that_counts_otherwise_is_refused(counts):
    with pytest.raises(DataError, match="'top1' says that it is a proportion"):
        loss(np.array(counts), np.array(counts), top(1))
