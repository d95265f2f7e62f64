"""How far outputs are apart, and what speaks against a case."""

from __future__ import annotations

import json

import attrs
import numpy as np
import pytest

from edgebench.analysis import decisions
from edgebench.analysis.agreement import (
    NOT_CHECKED,
    count_not_finite,
    describe_check,
    differs,
    find_disagreements,
    is_refuted,
    judge,
    measure_differences,
    tolerate,
)
from edgebench.analysis.verdicts import Verdicts
from edgebench.records.facts import Agreement, Facts, Figure, RuntimeCheck
from edgebench.testing.results import case_of, result_of

NAN, INF = float("nan"), float("inf")


def decide(title, results, within):
    return decisions.decide(title, results, Verdicts.of(results, within))


def measured(*pairs, names=()):
    arrays = [(np.asarray(one), np.asarray(other)) for one, other in pairs]
    found = measure_differences(arrays, names)
    json.dumps(found, allow_nan=False)
    return found


def agreed(*pairs):
    return Agreement(**measured(*pairs), same_answer=None, samples=1, reference="it")


def checked(*pairs, tolerance=1e-3, **fields):
    return RuntimeCheck(backend="b", agreement=agreed(*pairs), tolerance=tolerance, **fields)


def test_each_output_is_held_against_its_own_size():
    """Boxes of hundreds, a thousandth off, and scores of one that are all wrong."""
    boxes = ([[400.0, 100.0]], [[400.1, 100.0]])
    scores = ([[0.0, 0.0]], [[0.2, 0.05]])
    found = measured(boxes, scores, names=["boxes", "scores"])
    assert found["max_abs_difference"] == pytest.approx(0.2)
    assert (found["output"], found["relative_difference"]) == ("scores", 1.0)
    assert found["mean_abs_difference"] == pytest.approx((0.1 + 0.2 + 0.05) / 4)


def test_values_that_are_no_numbers_are_counted_and_the_others_compared():
    found = measured(([[NAN, INF, 1.0, NAN]], [[NAN, INF, 1.5, 2.0]]))
    assert (found["values"], found["not_finite"], found["unlike"]) == (4, 3, 1)
    assert found["max_abs_difference"] == 0.5
    # Signs of infinities are told apart, and a number from none, whichever has it.
    assert measured(([[INF]], [[-INF]]))["unlike"] == 1
    assert measured(([[1.0]], [[NAN]]))["unlike"] == 1
    assert measured(([[NAN]], [[NAN]]))["max_abs_difference"] is None


def test_numbers_that_no_difference_of_floats_holds_are_valid_json():
    found = measured(([[1e308, -1e308]], [[-1e308, 1e308]]))
    assert found["max_abs_difference"] > 1e308
    assert measured((np.zeros((1, 0)), np.zeros((1, 0))))["relative_difference"] == 0


def test_of_whole_numbers_the_share_that_differs_counts():
    labels = np.arange(1000).reshape(1, 1000)
    other = labels.copy()
    other[0, :2] = 999
    assert measured((labels, other))["relative_difference"] == pytest.approx(0.002)
    assert measured(([[True, False]], [[True, True]]))["relative_difference"] == 0.5


def test_zeros_have_no_size_of_their_own():
    assert not differs(agreed(([[1e-7]], [[0.0]])), 1e-3)
    assert differs(agreed(([[1e-5]], [[0.0]])), 1e-3)


@pytest.mark.parametrize(
    ("precisions", "allowed"),
    [(("f32", "f32"), 1e-3), (("f32", "bf16"), 2e-2), (("f16+f32", ""), 2e-2), ((), 1e-3),
     (("int8", "f32"), 5e-2)],
)  # fmt: skip
def test_the_coarsest_precision_decides_what_is_rounding(precisions, allowed):
    assert tolerate(*precisions) == allowed


def test_whole_numbers_that_no_float_holds_are_told_apart():
    found = measured(([[2**53, 1]], [[2**53 + 1, 1]]))
    assert found["relative_difference"] == 0.5


def test_what_is_counted_in_any_type():
    assert count_not_finite([np.array([1, 2]), np.array([NAN, 1.0, INF])]) == (2, 5)
    assert count_not_finite([np.array([True])]) == (0, 1)


def test_a_backend_that_differs_is_refuted_and_says_by_how_much():
    facts = Facts(checks=(checked(([[1.002]], [[1.0]])),))
    assert judge(facts.checks[0]) == "differs"
    assert is_refuted(facts)
    (said,) = find_disagreements(facts)
    assert said == (
        "with the model itself b does not agree with it: 'output 0' differs by up to 0.002 of its "
        "largest value, where 0.001 is rounding (1 samples)"
    )
    assert not is_refuted(Facts(checks=(checked(([[1.0009]], [[1.0]])),)))
    assert not is_refuted(Facts(checks=(checked(([[1.002]], [[1.0]]), tolerance=2e-2),)))


def test_a_reference_that_another_differs_from_is_doubted_alone():
    facts = Facts(checks=(checked(([[1.002]], [[1.0]]), trusted=True),))
    assert not is_refuted(facts)
    assert len(list(find_disagreements(facts))) == 1


def test_a_check_that_failed_is_doubted_and_one_that_nothing_could_make_is_not():
    alone = RuntimeCheck(backend="b", why_not=NOT_CHECKED)
    assert not list(find_disagreements(Facts(checks=(alone,))))
    failed = attrs.evolve(alone, why_not=f"{NOT_CHECKED}: other: out of order")
    (said,) = find_disagreements(Facts(checks=(failed,)))
    assert said == "b: not checked against another runtime: other: out of order"


def test_what_transforming_changes_is_no_disagreement_but_lost_numbers_are():
    assert not is_refuted(Facts(agreement=agreed(([[0.0, 1.0]], [[1.0, 0.0]]))))
    lost = Facts(agreement=agreed(([[NAN, 1.0]], [[1.0, 0.0]])))
    assert is_refuted(lost)
    (said,) = find_disagreements(lost)
    assert "1 of 2 values are NaN or infinite in one alone" in said
    # What the model itself cannot compute is nothing that was lost.
    assert not is_refuted(Facts(agreement=agreed(([[0.0, 1.0]], [[NAN, 0.0]]))))


def test_nothing_is_said_to_agree_where_nothing_is_a_number():
    said = describe_check(checked(([[NAN, INF]], [[NAN, INF]])))
    assert said == "b agrees with it in that no value is a number (1 samples)"


def test_answers_that_are_lost_are_doubted_where_no_accuracy_judges_them():
    """A runtime may compute what was transformed otherwise than the one it was checked with."""
    near = attrs.evolve(agreed(([[1.0, 0.3]], [[1.0, 0.0]])), same_answer=0.95)
    far = attrs.evolve(near, same_answer=0.525)
    assert not list(find_disagreements(Facts(agreement=near)))
    (said,) = find_disagreements(Facts(agreement=far))
    assert said == (
        "its outputs are far from those of it: the same answer in 0.53 of the places, under 0.9 "
        "(1 samples)"
    )
    (said,) = find_disagreements(Facts(agreement=agreed(([[1.0, 0.7]], [[1.0, 0.0]]))))
    assert "'output 0' differs by up to 0.7 of its largest value" in said
    figure = Figure(metric="top1", value=0.9, ci95=(0.8, 1.0), samples=9)
    assert not list(find_disagreements(Facts(agreement=far, figures=(figure,))))
    # What the untransformed model is held against has said it.
    same = RuntimeCheck(backend="b", agreement=far, tolerance=1.0)
    assert not list(find_disagreements(Facts(agreement=far, checks=(same,))))


def test_one_that_is_refuted_is_never_the_fastest_nor_equal_to_it():
    quick, slow = (result_of(case_of(chain), median_s=s) for chain, s in (("a", 1e-3), ("b", 2e-3)))
    wrong = attrs.evolve(quick.facts, checks=(checked(([[2.0]], [[1.0]])),))
    decision = decide("toy", [attrs.evolve(quick, facts=wrong), slow], 0.02)
    assert decision.fastest == slow
    assert (decision.equal, decision.undecided) == ((), ())
    alone = decide("toy", [attrs.evolve(quick, facts=wrong)], 0.02)
    assert alone.fastest is None
    assert alone.refuted == (attrs.evolve(quick, facts=wrong),)
    assert alone.sentence.startswith(
        "toy: no strategy that was measured agrees with another runtime. Out, as another runtime "
        "computes something else: a on mobile"
    )
