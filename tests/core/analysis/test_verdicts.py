"""Which of two cases is slower, what the blocks could have told, and how many more would."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgebench.analysis.rounds import Ratio, Rounds
from edgebench.analysis.spread import Estimate
from edgebench.analysis.verdicts import (
    Verdicts,
    count_more_rounds,
    count_pairs,
    find_least_difference,
    find_level,
    judge,
)
from edgebench.testing.results import case_of, result_of


def ratio(times, error, freedom=20, rounds=5):
    return Ratio.of(Estimate(math.log(times), error**2, freedom), rounds)


@pytest.mark.parametrize(
    ("times", "error", "expected"),
    [
        (1.001, 0.001, "equal"),
        (1.5, 0.001, "slower"),
        (0.6, 0.001, "faster"),
        (1.03, 0.05, "undecided"),
        (1.0, 0.05, "undecided"),
        (1.0199, 0.005, "undecided"),  # sure to differ, not sure by more than the margin or less
        (1.01, 0.001, "equal"),  # a sure difference within the margin is none
    ],
)
def test_the_verdict_on_two_strategies(times, error, expected):
    assert judge(ratio(times, error), within=0.02) == expected


def test_one_pair_of_many_must_differ_the_more():
    seen = ratio(1.05, 0.02)  # t = 2.4, p = 0.024
    assert judge(seen, 0.02) == "slower"
    assert judge(seen, 0.02, pairs=count_pairs(14)) == "undecided"
    assert [count_pairs(cases) for cases in (0, 1, 2, 14)] == [1, 1, 1, 91]


def test_equal_cases_are_hardly_ever_called_different():
    """Of 100 models of 14 equal cases, any wrong verdict against the lowest: 5 % and its scatter.

    The lowest is found by looking, which is why all pairs count.
    """
    rng = np.random.default_rng(3)
    cases = [case_of(f"c{n}") for n in range(14)]
    wrong = 0
    for _ in range(100):
        table = rng.normal(size=(14, 5)) * 0.017
        rounds = Rounds({case: {(0, n): v for n, v in enumerate(row)}
                         for case, row in zip(cases, table, strict=True)})  # fmt: skip
        best = cases[int(table.mean(axis=1).argmin())]
        told = {judge(rounds.compare(case, best), 0.02, 91) for case in cases if case != best}
        wrong += bool(told & {"slower", "faster"})
    assert wrong <= 10


def test_as_large_a_difference_as_is_named_is_told_in_most_cases():
    """Power is what it says: 80 of 100, with the error known to 1 in 200."""
    error, freedom, pairs = 0.012, 26, 91
    least = find_least_difference(ratio(1.0, error, freedom), 0.02, pairs)
    rng = np.random.default_rng(4)
    told = [
        judge(ratio(math.exp(rng.normal(math.log1p(least), error)), error, freedom), 0.02, pairs)
        for _ in range(400)
    ]
    assert 0.72 < told.count("slower") / 400 < 0.9


def test_no_less_than_the_margin_is_told():
    assert find_least_difference(ratio(1.0, 1e-4), 0.02) == 0.02
    assert find_least_difference(ratio(1.0, 0.1, freedom=0), 0.02) is None


def test_so_many_more_rounds_as_are_foreseen_would_tell():
    now = ratio(1.04, 0.02, freedom=8, rounds=3)
    more = count_more_rounds(now, 0.02, pairs=3)
    scale = math.sqrt(3 / (3 + more))
    later = ratio(1.04, 0.02 * scale, freedom=8 * (2 + more) / 2, rounds=3 + more)
    assert find_least_difference(later, 0.0, pairs=3) <= 0.04 * 1.02
    sooner = ratio(1.04, 0.02 * math.sqrt(3 / (2 + more)), 8 * (1 + more) / 2, 2 + more)
    assert find_least_difference(sooner, 0.0, pairs=3) > 0.04


def test_of_equal_cases_it_is_what_makes_the_interval_narrower_than_the_margin():
    now = ratio(1.0, 0.02, freedom=8, rounds=3)
    more = count_more_rounds(now, 0.02)
    later = ratio(1.0, 0.02 * math.sqrt(3 / (3 + more)), 8 * (2 + more) / 2, 3 + more)
    assert judge(later, 0.02) == "equal"
    assert later.half_width < 0.8 * 0.02


@pytest.mark.parametrize(
    "seen",
    [ratio(1.2, 0.1, freedom=0), ratio(1.0199999, 0.5)],
    ids=["of nothing", "near the margin"],
)
def test_what_is_not_foreseen_is_none(seen):
    assert count_more_rounds(seen, 0.02) is None


def test_results_are_judged_by_their_rounds():
    slow, fast = (
        result_of(case_of(name), median_s=seconds, spread=0.001, seed=seed)
        for name, seconds, seed in (("a", 2e-3, 1), ("b", 1e-3, 2))
    )
    verdicts = Verdicts.of([slow, fast], 0.02)
    assert (verdicts.judge(slow, fast), verdicts.judge(fast, slow)) == ("slower", "faster")
    assert verdicts.compare(slow, fast).middle == pytest.approx(2.0, rel=1e-2)


def test_looking_after_every_round_spends_one_in_a_hundred_in_all():
    levels = [find_level(rounds, 20) for rounds in range(2, 21)]
    assert sum(levels) == pytest.approx(0.01)
    assert min(levels) > 0
    assert find_level(7, None) == 0.05
    assert judge(ratio(1.05, 0.02), 0.02, most=20) == "undecided"


def test_cases_without_shared_rounds_can_be_told_apart_where_blocks_were_added():
    seen = Ratio.of(Estimate(math.log(3.0), 0.01**2, 10), 0, blocks=3)
    assert judge(seen, 0.02, most=20) == "slower"
    assert find_level(0, 20) == 0.01


def test_what_would_tell_rests_on_the_blocks_there_are_and_the_level_that_is_tested_at():
    paired = Ratio.of(Estimate(math.log(1.025), 0.01**2, 18), 10)
    unpaired = Ratio.of(Estimate(math.log(1.025), 0.01**2, 18), 0, blocks=10)
    assert count_more_rounds(unpaired, 0.02, 91) == count_more_rounds(paired, 0.02, 91) > 5
    assert find_least_difference(paired, 0.02, 91, 20) > find_least_difference(paired, 0.02, 91)
