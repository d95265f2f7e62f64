"""Quick runs: what two blocks of ten requests say, simulated under deviations that are known."""

from __future__ import annotations

import math

import attrs
import numpy as np
import pytest

from edgebench.analysis.advice import advise
from edgebench.analysis.advised import Wish
from edgebench.analysis.decisions import decide_all, find_margin
from edgebench.analysis.evidence import find_evidence
from edgebench.analysis.intervals import Latency
from edgebench.analysis.prices import Prices
from edgebench.analysis.quick import describe_quick, estimate_ratio, settle_spread
from edgebench.analysis.repeatability import find_equal_spread
from edgebench.analysis.result import Result
from edgebench.analysis.rounds import Rounds
from edgebench.analysis.verdicts import count_pairs, judge
from edgebench.parts.units import write_link
from edgebench.records.outcome import Run
from edgebench.records.quick import EqualSpread, Quick, Setting
from edgebench.testing.results import block_of, case_of, result_of, run_of

from .test_repeatability import blocks_of

WITHIN, BETWEEN = 0.03, 0.02
SPREAD = EqualSpread(
    difference=math.expm1(1.96 * WITHIN),
    within=WITHIN,
    between=BETWEEN,
    copies=20,
    rounds=5,
    requests=10,
    case="toy:small plain on mobile with eager",
    subject="toy:small",
    measured="2026-01-02T03:04:05+00:00",
)
SETTING = Setting(subject="toy:small 0123", conditions="on mobile")
CASES = [case_of(f"c{number}") for number in range(6)]


def rounds_of(table, spread=SPREAD):
    medians = {
        case: dict(enumerate_rounds(row)) for case, row in zip(CASES, table.tolist(), strict=False)
    }
    return Rounds(medians, Quick(spread=spread))


def enumerate_rounds(row):
    return (((0, number), value) for number, value in enumerate(row))


def draw(rng, cases, rounds=2):
    """Logarithms of the block medians of equal cases, shape (cases, rounds)."""
    return rng.normal(0, WITHIN, (cases, rounds)) + rng.normal(0, BETWEEN, (1, rounds))


def measure_equals(rng):
    """What an A/A run of 20 copies in 5 rounds finds."""
    blocks = list(blocks_of(draw(rng, 20, 5).T))
    return find_equal_spread(blocks, 20, case_of(), SETTING, "2026-01-02T03:04:05+00:00")


def call(rounds, one, other, pairs=1):
    margin = find_margin(Run(started="2026", quick=rounds.quick))
    return judge(rounds.compare(one, other), margin, pairs)


@pytest.mark.parametrize("cases", [2, 6])
def test_of_equal_cases_hardly_ever_is_one_called_faster(cases):
    """At most in 5 of 100 runs, whichever of them is looked at, the A/A run drawn as well."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(400):
        table = draw(rng, cases)
        rounds = rounds_of(table, measure_equals(rng))
        best = CASES[int(table.mean(axis=1).argmin())]
        told = {call(rounds, one, best, count_pairs(cases)) for one in CASES[:cases]}
        wrong += "slower" in told
    assert wrong <= 0.05 * 400 + 2 * math.sqrt(400 * 0.05 * 0.95)


def test_three_times_what_equal_cases_differ_by_is_told_mostly():
    rng = np.random.default_rng(2)
    told = 0
    for _ in range(200):
        table = draw(rng, 2)
        found = measure_equals(rng)
        table[1] += 3 * math.log1p(found.difference)
        told += call(rounds_of(table, found), CASES[0], CASES[1]) == "faster"
    assert told >= 180


def test_of_no_difference_it_is_never_said_faster_by_what_equal_cases_differ_by():
    table = np.zeros((2, 2))
    table[1] += 0.9 * math.log1p(SPREAD.difference)
    assert call(rounds_of(table), *CASES[:2]) == "undecided"


def test_equals_are_called_equal_where_the_machine_is_steady_enough():
    steady = attrs.evolve(SPREAD, within=0.005, difference=0.01)
    assert call(rounds_of(np.zeros((2, 2)), steady), *CASES[:2]) == "equal"
    assert call(rounds_of(np.zeros((2, 2))), *CASES[:2]) == "undecided"


def test_without_a_stored_figure_nothing_is_told_apart():
    table = np.array([[0.0, 0.0], [3.0, 3.0], [0.0, 1e-9]])
    rounds = rounds_of(table, None)
    assert {call(rounds, one, other) for one in CASES[:3] for other in CASES[:3]} == {"undecided"}


def test_the_ratio_is_that_of_the_stored_deviation_by_hand():
    found = estimate_ratio(0.1, np.array([[0.1, 0.1], [0.0, 0.0]]), SPREAD)
    assert (found.middle, found.freedom) == (0.1, 19 * 4)
    assert found.error == pytest.approx(WITHIN)  # of two rounds: the root of 2 s^2 / 2


def test_cases_that_differ_more_than_equal_ones_would_are_held_against_themselves():
    """Another case than was copied, or a busier machine: a far difference is then not told."""
    table = np.array([[0.0, 0.0], [0.5, -0.1], [0.9, 0.2]])
    rounds = rounds_of(table)
    assert rounds.are_wild(CASES[:3])
    assert rounds.compare(CASES[2], CASES[0]).freedom == 2
    assert call(rounds, CASES[2], CASES[0]) == "undecided"
    assert not rounds_of(table * 0.03).are_wild(CASES[:3])


def test_rounds_that_were_torn_tell_nothing():
    torn = Rounds({CASES[0]: {(0, 0): 0.0, (0, 1): 0.0}, CASES[1]: {(0, 0): 1.0, (1, 1): 1.0}},
                  Quick(spread=SPREAD))  # fmt: skip
    assert call(torn, *CASES[:2]) == "undecided"


def test_the_interval_of_a_median_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(4)
    hits, known = 0, [measure_equals(rng) for _ in range(50)]
    for number in range(1000):
        found = known[number % 50]
        (logs,) = draw(rng, 1)
        blocks = tuple(np.full(10, math.exp(value)) for value in logs)
        low, high = Latency(blocks=blocks, spread=found).interval()
        hits += low <= 1 <= high
    assert 920 <= hits <= 985


def test_a_median_whose_blocks_differ_more_than_equal_ones_is_held_against_them():
    """Say the figures are those of a case over a slow link, which differs by next to nothing."""
    blocks = (np.full(10, 1.5e-3), np.full(10, 2.5e-3))
    steady = attrs.evolve(SPREAD, within=0.002, between=0.002)
    low, high = Latency(blocks=blocks, spread=steady).interval()
    assert (low, high) == Latency(blocks=blocks).interval()
    low, high = Latency(blocks=(blocks[0], blocks[0] * 1.005), spread=steady).interval()
    assert high / low < 1.02


def test_what_equal_cases_differ_by_is_taken_from_the_first_ten_requests():
    """What comes after the tenth is not looked at: a quick run does not measure it."""
    rng = np.random.default_rng(5)
    blocks = list(blocks_of(draw(rng, 20, 5).T))
    assert {len(one.latency_s) for one in blocks} == {9}
    found = find_equal_spread(blocks, 20, case_of(), SETTING, "2026")
    longer = [
        attrs.evolve(one, latency_s=np.append(np.repeat(one.latency_s[:1], 10), [9.0] * 90))
        for one in blocks
    ]
    later = find_equal_spread(longer, 20, case_of(), SETTING, "2026")
    assert (found.requests, later.requests) == (9, 10)
    assert later.within == pytest.approx(found.within)
    assert found.within == pytest.approx(WITHIN, rel=0.2)
    assert found.difference == pytest.approx(math.expm1(1.96 * WITHIN), rel=0.25)
    assert find_equal_spread(blocks[:20], 20, case_of(), SETTING, "2026") is None


def quick_results(spread, *medians, like=()):
    quick = Quick(spread=spread, like=like)
    found = []
    for case, seconds in zip(CASES, medians, strict=False):
        made = result_of(case, median_s=seconds, spread=1e-4)
        blocks = [block_of(case, n, median_s=seconds, requests=10, spread=1e-4) for n in range(2)]
        found.append(Result.of(attrs.evolve(made, planned=2, blocks=tuple(blocks)), quick))
    return run_of(found, quick=quick)


def test_the_answer_names_the_run_that_its_spread_is_from():
    results = quick_results(SPREAD, 2e-3, 3e-3)
    (decision,) = results.decisions
    assert decision.fastest.case == CASES[0]
    assert results.margin == SPREAD.difference
    assert (
        "A quick run, 2 blocks of 10 requests a case, is rough: intervals are made from what equal "
        "cases differed by on this machine, up to 6.1% in 95 of 100, in the A/A run of 2026-01-02 "
        "of toy:small plain on mobile with eager." in decision.sentence
    )
    document = results.to_json()
    assert document["quick"]["spread"] == attrs.asdict(SPREAD)
    low, high = document["cases"][0]["latency_s"]["ci95"]
    assert 1.07 < high / low < 1.16


def test_the_answer_without_figures_calls_nothing_faster():
    results = quick_results(None, 3e-3, 2e-3, 9e-3)
    (decision,) = decide_all(results.run, results.results)
    assert decision.fastest is None
    assert [one.case for one in decision.undecided] == [CASES[1], CASES[0], CASES[2]]
    assert (decision.slower, decision.equal, decision.gain) == ((), (), None)
    assert decision.sentence == (
        "toy:small: nothing is called faster: no A/A figures of this machine are stored; "
        "`edgebench run --aa --model M` stores them. A rough ranking by median, of 2 blocks of 10 "
        "requests: c1 on mobile with eager, 2 ms; c0 on mobile with eager, 3 ms; c2 on mobile with "
        "eager, 9 ms."
    )


LONG = attrs.evolve(
    SPREAD,
    case="toy:small plain on cloud with eager over mobile-cloud=10mbit,100ms",
    conditions="on cloud over mobile-cloud=10mbit,100ms",
    median_s=0.205,
)


@pytest.mark.parametrize(
    ("medians", "taken"),
    [
        ((0.3e-3, 0.2e-3), False),
        ((0.3, 0.2), True),
        ((0.07, 0.9), True),  # the shortest decides, as it differs by most
        ((0.06, 0.2), False),
        ((0.7, 0.8), False),
    ],
)
def test_figures_of_a_case_that_is_much_longer_are_not_taken(medians, taken):
    results = quick_results(LONG, *medians)
    (decision,) = results.decisions
    assert (decision.quick.spread is not None) == taken
    (advice,) = advise(results.run, results.results, Wish(bounds=(), drops=()),
                       Prices(tiers={}, links=()))  # fmt: skip
    for said in (decision.sentence, find_evidence(advice).quick):
        if taken:
            assert "of 2026-01-02 of toy:small plain on cloud with eager over mobile-cloud" in said
            assert "100ms, 205 ms" in said
        else:
            assert (
                "the A/A figures stored of this machine are of a case of 205 ms, toy:small plain "
                "on cloud with eager over mobile-cloud=10mbit,100ms: `edgebench run --aa --model "
                "M ...` stores nearer ones" in said
            )
    if not taken:
        assert (decision.fastest, decision.slower, decision.equal) == (None, (), ())
        own = results.results[0].latency
        assert own.spread is None
    assert results.to_json()["quick"]["spread"]["median_s"] == 0.205
    assert "unlike" not in results.to_json()["quick"]


LIKE = tuple(case.id for case in CASES)


def test_figures_of_the_same_conditions_are_taken_whatever_operators_do_to_the_length():
    results = quick_results(LONG, 0.3e-3, 0.2e-3, like=LIKE)
    assert results.decisions[0].fastest is not None
    assert "like" not in results.to_json()["quick"]


@pytest.mark.parametrize(("median_s", "taken"), [(0.205, True), (0.07, True), (0.8e-3, False)])
def test_what_is_untransformed_is_held_against_the_copied_case_by_what_it_took(median_s, taken):
    """It has as many operators as the model that was copied: as long it is only if it is that."""
    plain = result_of(case_of("identity"), median_s=median_s, spread=1e-4)
    results = quick_results(LONG, 0.3e-3, 0.2e-3, like=(*LIKE, plain.case.id))
    quick = results.run.quick
    lengths = {one.case: one.median for one in (*results.results, plain)}
    assert (settle_spread(quick, lengths).spread is not None) == taken
    # So is the very case that was copied, whatever its operators.
    own = attrs.evolve(quick, spread=attrs.evolve(LONG, case_id=CASES[0].id))
    assert settle_spread(own, {CASES[0]: median_s, CASES[1]: 1e-5}).spread is (
        own.spread if taken else None
    )


def test_what_an_a_a_run_stores_names_its_case_with_its_links_and_its_median():
    case = case_of("plain", "cloud")
    blocks = list(blocks_of(np.zeros((5, 20))))
    found = find_equal_spread(blocks, 20, case, SETTING, "2026")
    assert found.median_s == pytest.approx(2e-3)
    assert (found.case_id, found.is_like(SETTING)) == (case.id, True)
    for other in ({"subject": "toy:small 4567"}, {"conditions": "on cloud"}):
        assert not found.is_like(attrs.evolve(SETTING, **other))
    assert found.case == f"{case.label} over {write_link(case.links[0])}"


def test_times_of_seconds_are_written_as_elsewhere():
    results = quick_results(attrs.evolve(LONG, median_s=2.0), 12.5, 12.4)
    (decision,) = results.decisions
    assert "are of a case of 2000 ms, toy:small" in decision.sentence
    assert "c1 on mobile with eager, 12400 ms; c0" in decision.sentence
    near = describe_quick(Quick(spread=attrs.evolve(LONG, median_s=2.0)))
    assert near.endswith("100ms, 2000 ms")


@pytest.mark.parametrize("spread", [SPREAD, None])
def test_each_case_says_that_it_was_quick(spread):
    """A table of figures shows no answer: the doubts of its rows are all that tells."""
    for result in quick_results(spread, 3e-3, 2e-3).results:
        assert any(text.startswith("a quick run, of 2 blocks: ") for text in result.doubts)


def test_what_is_not_told_apart_is_left_to_a_sound_run():
    (decision,) = quick_results(SPREAD, 2e-3, 2.01e-3).decisions
    assert "a run without --quick tells more" in decision.sentence
    assert "how many more blocks" not in decision.sentence


def test_a_recommendation_goes_by_median_and_says_what_it_is_worth():
    """Two rounds that differ make the slower one the best as often as not."""
    results = quick_results(None, 3e-3, 2e-3)
    first, second = results.results
    slow_round = attrs.evolve(second.blocks[1], latency_s=second.blocks[1].latency_s * 2)
    wild = attrs.evolve(second, blocks=(second.blocks[0], slow_round))
    wish, prices = Wish(bounds=(), drops=()), Prices(tiers={}, links=())
    (advice,) = advise(results.run, (first, wild), wish, prices)
    medians = [one.median for one in advice.ranked]
    assert medians == sorted(medians)
    assert len(medians) == 2
    assert advice.ranked[1].standing == "undecided"
    assert "nothing is called faster" in find_evidence(advice).quick
