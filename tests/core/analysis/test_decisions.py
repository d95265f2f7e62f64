from __future__ import annotations

import attrs
import pytest
from scipy import stats

from edgebench.analysis import decisions
from edgebench.analysis.decisions import find_margin
from edgebench.analysis.result import Result
from edgebench.analysis.verdicts import Verdicts
from edgebench.records.facts import Facts
from edgebench.records.outcome import Run
from edgebench.testing.results import block_of, case_of, result_of, run_of


def result(chain, median_ms, *, loss=0.0, spread=0.001, seed=0, **fields):
    case = case_of(chain)
    return result_of(case, median_s=median_ms / 1e3, loss=loss, spread=spread, seed=seed, **fields)


def decide(title, results, within):
    return decisions.decide(title, results, Verdicts.of(results, within))


def test_the_margin_is_two_percent_or_what_equals_differ_by():
    assert find_margin(Run(started="2026")) == 0.02
    assert find_margin(Run(started="2026", aa_difference=0.001)) == 0.02
    assert find_margin(Run(started="2026", aa_difference=0.05)) == 0.05
    known = Run(started="2026", aa_difference=0.05, aa_blocks=5)
    assert [find_margin(known, blocks) for blocks in (3, 5, 6)] == [0.05, 0.05, 0.02]


def test_the_fastest_that_keeps_its_accuracy():
    careless = result("careless", 1.0, loss=0.03)
    best = result("best", 2.0, loss=0.001)
    equal = result("equal", 2.005, seed=1)
    slow = result("slow", 3.0, seed=3)
    found = decide("toy:small", [slow, equal, best, careless], 0.02)
    assert (found.fastest, found.equal, found.slower) == (best, (equal,), (slow,))
    assert (found.undecided, found.lost, found.open) == ((), (careless,), ())
    assert found.sentence.startswith(
        "toy:small: the fastest that is shown to keep its accuracy is best on mobile with eager, "
        "2 ms ("
    )
    assert "Equal to it within 2%: equal on mobile with eager." in found.sentence
    assert (
        "Out, as accuracy is lost: careless on mobile with eager (by 3.0 points)." in found.sentence
    )


def test_what_cannot_be_told_apart_has_no_winner():
    best, vague = result("best", 2.0), result("vague", 2.06, spread=0.3, seed=2)
    equal, slow = result("equal", 2.005, seed=1), result("slow", 3.0, seed=3)
    found = decide("toy:small", [slow, vague, equal, best], 0.02)
    assert (found.fastest, found.equal) == (None, ())
    assert found.undecided == (best, equal, vague)
    assert found.slower == (slow,)
    assert found.blocks_needed >= 1
    assert found.sentence.startswith(
        "toy:small: not decided: these 3 cannot be told apart: best on mobile with eager; equal "
    )
    assert f"; about {found.blocks_needed} more block" in found.sentence
    assert "the fastest" not in found.sentence


def test_an_open_one_that_may_be_faster_is_named_with_what_is_open():
    """It is neither beaten nor chosen."""
    best, slow = result("best", 2.0), open_result("slow", 3.0)
    fast, vague = open_result("fast", 1.0), open_result("vague", 2.1, spread=0.5, seed=2)
    found = decide("toy:small", [slow, fast, best, vague], 0.02)
    assert found.fastest is best
    assert found.open == (fast, vague, slow)
    assert found.open_faster == (fast, vague)
    why = "may lose up to 15.5 points, 21 labels; about 381 would settle it"
    said = f"Not shown to keep accuracy, and perhaps faster (2 cases, each: {why}): "
    assert f"{said}fast on mobile with eager, 1 ms (" in found.sentence
    assert found.sentence.count(why) == 1
    assert "slow" not in found.sentence


def test_where_one_alone_is_shown_it_has_beaten_nothing():
    whole, fast = result("whole", 2.0), open_result("fast", 1.0)
    found = decide("toy:small", [whole, fast], 0.02)
    assert found.fastest is whole
    assert "the only one that is shown to keep its accuracy is whole on mobile" in found.sentence
    assert "the fastest" not in found.sentence


def test_when_all_are_open_nothing_is_decided():
    fast, slow = open_result("fast", 1.0), open_result("slow", 3.0)
    found = decide("toy:small", [slow, fast], 0.02)
    assert (found.fastest, found.open_faster) == (None, (fast, slow))
    assert found.sentence.startswith(
        "toy:small: not decided: no strategy is shown to keep its accuracy. "
        "Not shown to keep accuracy, and perhaps faster (2 cases, each: may lose up to 15.5 points, "
    )


def test_open_ones_that_differ_in_why_each_say_it():
    fast, slow = open_result("fast", 1.0), open_result("slow", 3.0)
    figure = attrs.evolve(slow.figure, samples=22)
    slow = attrs.evolve(slow, facts=attrs.evolve(slow.facts, figures=(figure,)))
    said = decide("toy:small", [slow, fast], 0.02).sentence
    assert "perhaps faster: fast on mobile with eager, 1 ms (" in said
    assert "would settle it; slow on mobile with eager, 3 ms (" in said


def open_result(chain, median_ms, **fields):
    made = result(chain, median_ms, **fields)
    figure = attrs.evolve(made.figure, samples=21, loss_ci95=(-0.155, 0.155), labels_needed=381)
    return attrs.evolve(made, facts=attrs.evolve(made.facts, figures=(figure,)))


def test_reasons_to_doubt_the_fastest_stand_where_it_is_named():
    case = case_of("best")
    blocks = [block_of(case, n, spread=0.001, sound=False) for n in range(3)]
    best = attrs.evolve(result("best", 2.0), blocks=tuple(blocks))
    sentence = decide("toy:small", [best, result("slow", 9.0)], 0.02).sentence
    named, _, _ = sentence.partition(". ")
    assert named.endswith("ms (2 to 2); there is reason to doubt it (tiers).")
    assert named.startswith("toy:small: the fastest that is shown")


def test_when_nothing_keeps_its_accuracy():
    found = decide("toy:small", [result("a", 1.0, loss=0.3)], 0.02)
    assert found.fastest is None
    assert found.sentence == (
        "toy:small: no strategy that was measured keeps its accuracy. "
        "Out, as accuracy is lost: a on mobile with eager (by 30.0 points)."
    )


def test_without_accuracy_only_latency_is_compared_and_that_is_said():
    blind = [
        attrs.evolve(result(chain, ms), facts=Facts(no_accuracy="random weights"))
        for chain, ms in (("a", 2.0), ("b", 1.0))
    ]
    found = decide("toy:small", blind, 0.02)
    assert found.fastest is blind[1]
    assert "the fastest (accuracy is not known) is b on mobile" in found.sentence
    assert not found.accuracy_known
    assert found.open == ()


def test_a_case_of_unknown_loss_does_not_win_against_known_ones():
    unknown, known = result("unknown", 1.0, loss=None), result("known", 2.0)
    found = decide("toy:small", [unknown, known], 0.02)
    assert found.fastest is known
    assert found.open_faster == (unknown,)
    assert "unknown on mobile with eager, 1 ms (" in found.sentence
    assert ": its loss is not known." in found.sentence


def test_every_strategy_stands_somewhere_once():
    results = [result("a", 1.0, loss=0.3), result("b", 2.0), open_result("c", 1.5)]
    results += [result("d", 2.004, seed=1), result("e", 5.0), result("f", 2.0, loss=None)]
    found = decide("toy:small", results, 0.02)
    standing = [found.fastest, *found.equal, *found.undecided, *found.slower]
    standing += [*found.open, *found.lost]
    names = sorted(one.case.chain for one in standing if one)
    assert names == ["a", "b", "c", "d", "e", "f"]


def test_each_model_has_its_own_decision_and_unmeasured_ones_have_none():
    small = result_of(case_of("a", model="one"))
    other = result_of(case_of("a", model="two"))
    skipped = Result(case=case_of("a", model="three"), status="skipped", reason="no")
    found = run_of([small, other, skipped]).decisions
    assert [(one.title, one.fastest) for one in found] == [
        ("one:small", small),
        ("two:small", other),
    ]


def test_the_answer_says_what_it_gains_and_what_could_have_been_told():
    plain, best = result("identity", 4.0, seed=1), result("best", 2.0, seed=2)
    found = decide("toy:small", [plain, best], 0.02)
    assert (found.untransformed, found.fastest) == (plain, best)
    assert found.gain.middle == pytest.approx(2.0, rel=0.01)
    assert found.gain.low < found.gain.middle < found.gain.high
    alone = decide("toy:small", [plain], 0.02)
    assert (alone.untransformed, alone.gain, alone.differs_p) == (plain, None, None)


def test_that_nothing_differs_at_all_is_a_test_of_all_of_them_by_round():
    alike = [result(name, 2.0, spread=0.3, seed=seed) for seed, name in enumerate("abcd")]
    found = decide("toy:small", alike, 0.02)
    assert found.differs_p > 0.05
    medians = [one.latency.block_medians for one in found.undecided]
    assert found.differs_p == pytest.approx(stats.friedmanchisquare(*medians).pvalue)
    least = format(found.least_difference, ".1%" if found.least_difference < 0.1 else ".0%")
    told = f"; a difference of {least} could have been told, and that any differ"
    assert f"{told} is not shown (Friedman, p = {found.differs_p:.2g})." in found.sentence


@pytest.mark.parametrize("least", [0.5, 1.0, 1.01, 999999.0])
@pytest.mark.parametrize("p", [None, 0.5])
def test_a_difference_of_more_than_twofold_is_not_said_to_have_been_tellable(least, p):
    alike = [result(name, 2.0, spread=0.3, seed=seed) for seed, name in enumerate("ab")]
    found = attrs.evolve(decide("toy:small", alike, 0.02), least_difference=least, differs_p=p)
    assert ("could have been told" in found.sentence) == (least <= 1)
    assert ("Friedman" in found.sentence) == (p is not None)
    assert "; ." not in found.sentence
    assert ("; that any differ is not shown" in found.sentence) == (p is not None and least > 1)


def test_what_was_dropped_when_it_was_beaten_is_slower():
    """Its two blocks would tell no more at the end than they did when it was dropped."""
    best, beaten = result("best", 2.0, spread=0.2), result("beaten", 1.9, spread=0.2, seed=3)
    facts = attrs.evolve(beaten.facts, beaten_by=(best.case.id,))
    beaten = attrs.evolve(beaten, blocks=beaten.blocks[:2], planned=2, facts=facts)
    found = decide("toy:small", [beaten, best], 0.02)
    assert (found.fastest, found.slower) == (best, (beaten,))
    # Who beat it does not compete here, or turned out not to be whole.
    other = result("other", 2.0, spread=0.2, seed=5)
    assert decide("toy:small", [beaten, other], 0.02).slower == ()
    broken = attrs.evolve(best, status="partial")
    assert beaten in decide("toy:small", [beaten, broken, other], 0.02).undecided
