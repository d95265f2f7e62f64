from __future__ import annotations

import attrs
import pytest

from edgebench.analysis.decisions import compare_latencies, decide, find_margin
from edgebench.analysis.result import Result
from edgebench.records.facts import Facts
from edgebench.records.outcome import Run
from edgebench.testing.results import case_of, result_of, run_of


def result(chain, median_ms, *, loss=0.0, spread=0.001, seed=0, **fields):
    case = case_of(chain)
    return result_of(case, median_s=median_ms / 1e3, loss=loss, spread=spread, seed=seed, **fields)


def test_the_margin_is_two_percent_or_what_equals_differ_by():
    assert find_margin(Run(started="2026")) == 0.02
    assert find_margin(Run(started="2026", aa_difference=0.001)) == 0.02
    assert find_margin(Run(started="2026", aa_difference=0.05)) == 0.05


@pytest.mark.parametrize(
    ("median_ms", "spread", "expected"),
    [
        (1.001, 0.001, "equal"),
        (1.5, 0.001, "slower"),
        (0.6, 0.001, "faster"),
        (1.03, 0.5, "undecided"),
        (1.0, 0.5, "undecided"),
        (1.0199, 0.02, "undecided"),
    ],
)
def test_the_verdict_on_two_strategies(median_ms, spread, expected):
    one = result("a", median_ms, spread=spread).latency
    other = result("b", 1.0, spread=spread, seed=1).latency
    assert compare_latencies(one, other, within=0.02) == expected


def test_a_sure_difference_within_the_margin_is_none():
    one, other = result("a", 1.01, spread=1e-5), result("b", 1.0, spread=1e-5, seed=1)
    assert compare_latencies(one.latency, other.latency, within=0.02) == "equal"


def test_the_fastest_that_keeps_its_accuracy():
    careless = result("careless", 1.0, loss=0.03)
    best = result("best", 2.0, loss=0.001)
    equal = result("equal", 2.005, seed=1)
    vague = result("vague", 2.04, spread=0.3, seed=2)
    slow = result("slow", 3.0, seed=3)
    found = decide("toy:small", [slow, vague, equal, best, careless], 0.02)
    assert found.fastest is best
    assert found.equal == (equal,)
    assert found.undecided == (vague,)
    assert found.sentence.startswith(
        "toy:small: the fastest without losing accuracy is best on mobile with eager, 2 ms ("
    )
    assert "Equal to it within 2%: equal on mobile with eager." in found.sentence
    assert "Not told apart from it by this data: vague on mobile with eager." in found.sentence
    assert "careless" not in found.sentence


def test_when_nothing_keeps_its_accuracy():
    found = decide("toy:small", [result("a", 1.0, loss=0.3)], 0.02)
    assert found.fastest is None
    assert found.sentence == "toy:small: no strategy that was measured keeps its accuracy."


def test_without_accuracy_only_latency_is_compared_and_that_is_said():
    blind = [
        attrs.evolve(result(chain, ms), facts=Facts(no_accuracy="random weights"))
        for chain, ms in (("a", 2.0), ("b", 1.0))
    ]
    found = decide("toy:small", blind, 0.02)
    assert found.fastest is blind[1]
    assert "(accuracy is not known) is b on mobile" in found.sentence
    assert "None is equal to it within 2%." in found.sentence


def test_a_case_of_unknown_loss_does_not_win_against_known_ones():
    unknown, known = result("unknown", 1.0, loss=None), result("known", 2.0)
    assert decide("toy:small", [unknown, known], 0.02).fastest is known


def test_each_model_has_its_own_decision_and_unmeasured_ones_have_none():
    small = result_of(case_of("a", model="one"))
    other = result_of(case_of("a", model="two"))
    skipped = Result(case=case_of("a", model="three"), status="skipped", reason="no")
    found = run_of([small, other, skipped]).decisions
    assert [(one.title, one.fastest) for one in found] == [
        ("one:small", small),
        ("two:small", other),
    ]
