from __future__ import annotations

import attrs
import numpy as np
import pytest

from edgebench import DataError, Metric
from edgebench.analysis import resampling
from edgebench.analysis.accuracy import compare_outputs, describe_open, find_figures, judge_loss
from edgebench.analysis.agreement import differs, find_disagreements
from edgebench.metrics.classification import accuracy
from edgebench.records.facts import Facts, Figure
from edgebench.records.outcome import Score

RIGHT = accuracy()
# A figure that is no mean of samples: hits over hits and misses of one kind.
OVERLAP = Metric(
    name="overlap",
    count=lambda prediction, answer: (float(prediction), float(answer), 0.0),
    value=lambda sums: float(sums[0] / (sums[0] + sums[1] + sums[2])),
)


def score(right, key="own"):
    counts = np.column_stack([np.asarray(right, float), np.ones(len(right))])
    return Score(key=key, counts={"accuracy": counts}, samples=len(right))


def right(good, of=500):
    return np.arange(of) < good


def figure_of(own, base, margin=0.01):
    (figure,) = find_figures(score(own), [RIGHT], score(base, "base"), margin=margin)
    return figure


def test_an_accuracy_and_its_interval():
    (figure,) = find_figures(score(right(490)), [RIGHT], None)
    assert (figure.value, figure.samples) == (0.98, 500)
    # Clopper and Pearson's, by R: binom.test(490, 500).
    assert figure.ci95 == pytest.approx((0.9635, 0.9904), abs=5e-5)
    assert (figure.loss, figure.loss_ci95) == (None, None)
    assert judge_loss(figure) == ""


@pytest.mark.parametrize("value", [7.0, -0.1, 1.01])
def test_a_figure_that_is_none_is_refused(value):
    for proportion in (True, False):
        metric = attrs.evolve(accuracy(), value=lambda counts: value, proportion=proportion)
        with pytest.raises(
            DataError, match=r"^the metric 'accuracy' gives .*; a figure is 0 to 1$"
        ):
            find_figures(score(right(490)), [metric], None)


def test_a_proportion_is_the_share_that_is_right():
    metric = attrs.evolve(accuracy(), value=lambda counts: 0.99)
    with pytest.raises(DataError, match=r"gives 0.99 where the share that is right is 0.98; leave"):
        find_figures(score(right(490)), [metric], None)


def test_21_of_21_are_not_100_to_100():
    (figure,) = find_figures(score(right(21, of=21)), [RIGHT], None)
    assert figure.ci95 == pytest.approx((0.839, 1.0), abs=5e-4)


def test_the_untransformed_pipeline_loses_nothing_against_itself():
    whole = score(right(20, of=21))
    (figure,) = find_figures(whole, [RIGHT], whole)
    assert (figure.loss, figure.loss_ci95) == (0.0, (0.0, 0.0))
    assert judge_loss(figure) == "shown"


def test_21_labels_without_a_difference_show_nothing():
    figure = figure_of(right(21, of=21), right(21, of=21))
    assert figure.loss == 0
    assert figure.loss_ci95 == pytest.approx((-0.155, 0.155), abs=5e-4)
    assert judge_loss(figure) == "open"
    assert (
        describe_open(figure) == "may lose up to 15.5 points, 21 labels; about 381 would settle it"
    )


def test_where_more_labels_were_left_out_than_would_settle_it_that_is_said():
    figure = attrs.evolve(figure_of(right(10, of=10), right(10, of=10)), left_out=559)
    assert describe_open(figure) == (
        "may lose up to 27.8 points, 10 labels; about 381 would settle it, of the 569 that there "
        "are: score them all, without --score-limit or --quick"
    )
    few = attrs.evolve(figure, left_out=90)
    assert describe_open(few).endswith("about 381 would settle it, and there are 100")


def test_569_labels_show_it_if_at_most_one_answer_is_lost():
    """Two lost leave 1.3 points open: three points are shown, one is not."""
    assert judge_loss(figure_of(right(560, 569), right(560, 569))) == "shown"
    two = figure_of(right(558, 569), right(560, 569))
    assert judge_loss(two) == "open"
    assert describe_open(two).startswith("may lose up to 1.3 points, 569 labels; about ")
    assert judge_loss(figure_of(right(558, 569), right(560, 569), margin=0.03)) == "shown"


def test_a_loss_is_taken_in_pairs():
    """Both are wrong on the same ten inputs, and one on twelve more: unpaired, it were open."""
    figure = figure_of(right(478), right(490))
    assert figure.loss == pytest.approx(0.024)
    low, high = figure.loss_ci95
    # The paired deviation is sqrt(0.024 0.976 / 500) = 0.0068; unpaired it would be 0.0115.
    assert 0.0135 < low < high < 0.0420
    assert judge_loss(figure) == "lost"
    assert figure.labels_needed is None


def test_a_gain_is_a_loss_below_zero():
    figure = figure_of(right(495), right(480))
    assert figure.loss == pytest.approx(-0.03)
    assert figure.loss_ci95[1] < 0
    assert judge_loss(figure) == "shown"


def test_a_figure_that_is_no_mean():
    counts = np.tile([[3.0, 1.0, 1.0], [1.0, 0.0, 4.0]], (50, 1))
    whole = Score(key="k", counts={"overlap": counts}, samples=100)
    (figure,) = find_figures(whole, [OVERLAP], whole)
    assert figure.value == pytest.approx(0.4)  # 200 of 500, not the mean of 0.6 and 0.2
    assert figure.ci95[0] < 0.4 < figure.ci95[1]


def test_samples_that_are_all_alike_are_not_known_to_the_last_digit():
    """A bootstrap of them has no width: what wrong answers would cost has."""
    counts = np.tile([3.0, 1.0, 1.0], (21, 1))
    (figure,) = find_figures(Score(key="k", counts={"overlap": counts}), [OVERLAP], None)
    assert figure.value == 0.6
    # 16.1 % of them at 0 of 2.
    kept = 3 * (1 - 0.16110)
    assert figure.ci95[0] == pytest.approx(kept / (kept + 2), abs=1e-4)


def test_a_figure_of_which_nothing_is_known_is_anything():
    perfect = np.tile([1.0, 0.0, 0.0], (21, 1))
    (figure,) = find_figures(Score(key="k", counts={"overlap": perfect}), [OVERLAP], None)
    assert figure.ci95 == (0.0, 1.0)
    base = Score(key="base", counts={"overlap": perfect})
    (figure,) = find_figures(attrs.evolve(base, key="own"), [OVERLAP], base)
    assert (figure.loss, figure.loss_ci95, judge_loss(figure)) == (0.0, None, "open")
    assert describe_open(figure) == "what a wrong answer costs overlap is not known from 21 labels"


def test_a_reference_of_another_length_gives_no_loss():
    assert figure_of(right(9, of=10), right(19, of=20)).loss is None


def test_many_inputs_are_resampled_in_parts(monkeypatch):
    counts = np.tile([[3.0, 1.0, 1.0], [1.0, 0.0, 4.0]], (50, 1))
    whole = Score(key="k", counts={"overlap": counts}, samples=100)
    (at_once,) = find_figures(whole, [OVERLAP], None)
    monkeypatch.setattr(resampling, "AT_ONCE", 3_000)
    (in_parts,) = find_figures(whole, [OVERLAP], None)
    assert in_parts.ci95 == pytest.approx(at_once.ci95, abs=0.01)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.004, 0.008, "shown"),
        (0.001, 0.009, "shown"),  # surely there, and surely under a point
        (-0.03, -0.01, "shown"),  # better than before
        (-0.001, 0.010, "open"),
        (0.001, 0.017, "open"),
        (0.010, 0.020, "open"),
        (0.011, 0.020, "lost"),
    ],
)
def test_what_is_said_of_a_loss(low, high, verdict):
    figure = Figure(
        metric="m", value=0.9, ci95=(0.8, 1.0), samples=500, loss=0.005, loss_ci95=(low, high)
    )
    assert judge_loss(figure) == verdict


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
    found = compare_outputs(outputs(one), outputs(other), "", classes=stated)
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


def test_samples_whose_outputs_differ_in_size_are_counted():
    """A detector that finds another number of boxes has not the same answer."""
    rows = np.arange(12.0).reshape(6, 2)
    one = Score(key="", outputs=[rows[[0, 2, 5]]], kept=[0, 2, 5])
    other = Score(key="", outputs=[rows[[0, 1, 5]]], kept=[0, 1, 5])
    found = compare_outputs(one, other, "it")
    assert found.other_shape == "the outputs of 2 of 6 samples have another shape"
    assert differs(found, 1e-3)
    assert compare_outputs(one, one, "it").other_shape == ""
    # How far the other went on is no difference.
    longer = Score(key="", outputs=[rows[[0, 2, 5, 5]]], kept=[0, 2, 5, 9])
    assert compare_outputs(one, longer, "it").other_shape == ""
    fewer = Score(key="", outputs=[rows[[0]]], kept=[0], samples=6)
    assert "of 2 of 6 samples" in compare_outputs(one, fewer, "it").other_shape
    (said,) = find_disagreements(Facts(agreement=found))
    how = "the outputs of 2 of 6 samples have another shape"
    assert said == f"its outputs are not those of it: {how}"


def test_agreement_over_what_both_kept():
    found = compare_outputs(outputs(np.ones((5, 2))), outputs(np.ones((3, 2))), "")
    assert (found.samples, found.max_abs_difference) == (3, 0.0)


def test_what_is_no_number_has_no_winner():
    """In both it is nothing to compare; in one alone it is another answer."""
    nan = float("nan")
    reference = outputs(np.array([[0.0, 1.0], [nan, nan], [nan, 1.0]]))
    assert compare_outputs(reference, reference, "").same_answer == 1
    numbers = outputs(np.array([[0.0, 1.0], [1.0, 0.0], [nan, 2.0]]))
    assert compare_outputs(numbers, reference, "").same_answer == 0.5
    none = outputs(np.full((2, 3), nan))
    assert compare_outputs(none, none, "").same_answer is None


def test_one_value_a_sample_has_no_winner():
    assert (
        compare_outputs(outputs(np.ones((5, 1))), outputs(np.ones((5, 1))), "").same_answer is None
    )
    assert compare_outputs(outputs(np.ones(5)), outputs(np.ones(5)), "").same_answer is None


def test_outputs_that_cannot_be_compared():
    assert compare_outputs(outputs(np.ones((5, 2))), outputs(np.ones((5, 3))), "") is None
    assert compare_outputs(outputs(), outputs(np.ones((5, 3))), "") is None
