from __future__ import annotations

import numpy as np
import pytest

from edgebench import Metric
from edgebench.analysis import accuracy
from edgebench.analysis.accuracy import compare_outputs, find_figures, keeps
from edgebench.records.facts import Figure
from edgebench.records.outcome import Score

RIGHT = Metric(
    name="accuracy",
    count=lambda prediction, answer: (float(prediction == answer), 1.0),
    value=lambda sums: float(sums[0] / sums[1]),
)
# A figure that is no mean of samples: hits over hits and misses of one kind.
OVERLAP = Metric(
    name="overlap",
    count=lambda prediction, answer: (float(prediction), float(answer), 0.0),
    value=lambda sums: float(sums[0] / (sums[0] + sums[1] + sums[2])),
)


def score(right, **fields):
    counts = np.column_stack([np.asarray(right, float), np.ones(len(right))])
    return Score(key="k", counts={"accuracy": counts}, samples=len(right), **fields)


def right(good, of=500):
    return np.arange(of) < good


def test_an_accuracy_and_its_interval():
    (figure,) = find_figures(score(right(490)), [RIGHT], None)
    assert (figure.value, figure.samples) == (0.98, 500)
    # The normal approximation: 0.98 +- 1.96 sqrt(0.98 0.02 / 500) = 0.9677 to 0.9923.
    assert figure.ci95 == pytest.approx((0.9677, 0.9923), abs=0.003)
    assert (figure.loss, figure.loss_ci95) == (None, None)


def test_against_itself_nothing_is_lost():
    whole = score(right(490))
    (figure,) = find_figures(whole, [RIGHT], whole)
    assert (figure.loss, figure.loss_ci95) == (0.0, (0.0, 0.0))
    assert keeps(figure) is True


def test_a_loss_is_taken_in_pairs():
    """Both are wrong on the same ten inputs, and one on five more: unpaired, no loss would show."""
    base, worse = score(right(490)), score(right(485))
    (figure,) = find_figures(worse, [RIGHT], base)
    assert figure.loss == pytest.approx(0.01)
    low, high = figure.loss_ci95
    # The paired deviation is sqrt(0.01 0.99 / 500) = 0.0044; unpaired it would be 0.0099.
    assert 0.001 < low < high < 0.021
    assert keeps(figure) is False


def test_a_gain_is_a_loss_below_zero():
    (figure,) = find_figures(score(right(495)), [RIGHT], score(right(480)))
    assert figure.loss == pytest.approx(-0.03)
    assert figure.loss_ci95[1] < 0
    assert keeps(figure) is True


def test_a_figure_that_is_no_mean():
    counts = np.tile([[3.0, 1.0, 1.0], [1.0, 0.0, 4.0]], (50, 1))
    whole = Score(key="k", counts={"overlap": counts}, samples=100)
    (figure,) = find_figures(whole, [OVERLAP], whole)
    assert figure.value == pytest.approx(0.4)  # 200 of 500, not the mean of 0.6 and 0.2
    assert figure.ci95[0] < 0.4 < figure.ci95[1]


def test_a_reference_of_another_length_gives_no_loss():
    (figure,) = find_figures(score(right(9, of=10)), [RIGHT], score(right(19, of=20)))
    assert figure.loss is None


def test_many_inputs_are_resampled_in_parts(monkeypatch):
    monkeypatch.setattr(accuracy, "AT_ONCE", 3_000)
    (figure,) = find_figures(score(right(490)), [RIGHT], None)
    assert figure.ci95 == pytest.approx((0.9677, 0.9923), abs=0.003)


@pytest.mark.parametrize(
    ("loss", "low", "high", "kept"),
    [
        (0.002, -0.004, 0.008, True),  # no loss is shown
        (0.010, -0.001, 0.021, True),  # nor here, and it is one point
        (0.012, -0.001, 0.025, False),  # none is shown, but it is more than a point
        (0.003, 0.001, 0.005, True),  # surely there, and surely under half a point
        (0.004, 0.001, 0.007, False),  # surely there, and it may be more
        (-0.02, -0.03, -0.01, True),  # better than before
    ],
)
def test_what_keeps_its_accuracy(loss, low, high, kept):
    figure = Figure(
        metric="m", value=0.9, ci95=(0.8, 1.0), samples=500, loss=loss, loss_ci95=(low, high)
    )
    assert keeps(figure) is kept


def test_an_unknown_loss_is_not_judged():
    assert keeps(Figure(metric="m", value=0.9, ci95=(0.8, 1.0), samples=5)) is None


def outputs(*arrays):
    return Score(key="k", outputs=tuple(np.asarray(one, np.float32) for one in arrays))


def test_agreement_by_hand():
    one = outputs([[0.0, 1.0], [2.0, 0.0], [0.0, 3.0]])
    other = outputs([[0.0, 1.5], [0.0, 1.0], [0.0, 3.0]])
    found = compare_outputs(one, other, "whole")
    assert found.max_abs_difference == 2.0
    assert found.mean_abs_difference == pytest.approx((0.5 + 2 + 1) / 6)
    assert found.same_answer == pytest.approx(2 / 3)
    assert (found.samples, found.reference) == (3, "whole")


def test_agreement_of_pictures_is_by_pixel():
    one = np.zeros((2, 3, 4, 4))
    one[:, 1] = 1
    other = one.copy()
    other[0, 2, 0, 0] = 5
    assert compare_outputs(outputs(one), outputs(other), "").same_answer == pytest.approx(31 / 32)


@pytest.mark.parametrize(
    ("shape", "stated", "axis", "share"),
    [
        ((20, 3), None, 1, 0.95),
        ((20, 7, 3), None, 2, 139 / 140),
        ((20, 3, 7), 1, 1, 139 / 140),
        ((20, 3, 4, 5), None, 1, 399 / 400),
        ((20, 4, 5, 3), 3, 3, 399 / 400),
        ((20, 7, 3), 0, None, None),
        ((20, 1), None, None, None),
        ((20,), None, None, None),
    ],
)
def test_the_winner_is_that_of_the_classes_and_their_axis_is_stated(shape, stated, axis, share):
    one = np.random.default_rng(0).standard_normal(shape)
    other = one.copy()
    if axis is not None:
        # Another wins among the classes of one place of one sample.
        first = np.moveaxis(other, axis, -1)[(0,) * (len(shape) - 1)]
        first[...] = -first
    found = compare_outputs(outputs(one), outputs(other), "", stated)
    assert found.classes_axis == axis
    assert found.same_answer == (None if share is None else pytest.approx(share))


def test_whole_numbers_are_answers_themselves():
    one, other = np.array([[1, 2], [3, 4]]), np.array([[1, 2], [3, 5]])
    found = compare_outputs(Score(key="", outputs=[one]), Score(key="", outputs=[other]), "")
    assert (found.same_answer, found.classes_axis) == (0.75, None)


def test_samples_that_one_of_both_did_not_keep_move_no_other():
    """Outputs that differ in size are kept where they are as large as the first."""
    rows = np.arange(12.0).reshape(6, 2)
    one = Score(key="", outputs=[rows[[0, 2, 5]]], kept=[0, 2, 5])
    other = Score(key="", outputs=[rows[[0, 1, 5]]], kept=[0, 1, 5])
    found = compare_outputs(one, other, "")
    assert (found.samples, found.max_abs_difference) == (2, 0.0)
    assert compare_outputs(one, Score(key="", outputs=[rows[[1]]], kept=[1]), "") is None


def test_agreement_over_what_both_kept():
    found = compare_outputs(outputs(np.ones((5, 2))), outputs(np.ones((3, 2))), "")
    assert (found.samples, found.max_abs_difference) == (3, 0.0)


def test_one_value_a_sample_has_no_winner():
    assert (
        compare_outputs(outputs(np.ones((5, 1))), outputs(np.ones((5, 1))), "").same_answer is None
    )
    assert compare_outputs(outputs(np.ones(5)), outputs(np.ones(5)), "").same_answer is None


def test_outputs_that_cannot_be_compared():
    assert compare_outputs(outputs(np.ones((5, 2))), outputs(np.ones((5, 3))), "") is None
    assert compare_outputs(outputs(), outputs(np.ones((5, 3))), "") is None
