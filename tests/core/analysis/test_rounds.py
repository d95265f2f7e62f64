"""The ratio of two cases within the rounds that they share."""

from __future__ import annotations

import math

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edgebench.analysis.rounds import FARTHEST, Rounds
from edgebench.testing.results import block_of, case_of, result_of

CASES = [case_of(f"c{number}") for number in range(14)]


def rounds_of(table):
    """Rounds of the logarithms of block medians, a row a case."""
    return Rounds(
        {
            case: {(0, n): value for n, value in enumerate(row) if not math.isnan(value)}
            for case, row in zip(CASES, table, strict=False)
        }
    )


def test_what_a_round_shares_is_no_difference():
    minutes = np.array([0.0, 0.5, -0.5, 0.2])
    jitter = np.array([0.001, -0.001, 0.0005, -0.0005])
    ratio = rounds_of([minutes + math.log(1.1) + jitter, minutes]).compare(*CASES[:2])
    assert ratio.middle == pytest.approx(1.1)
    assert 1.09 < ratio.low < ratio.high < 1.11
    assert (ratio.rounds, ratio.freedom) == (4, 3)


def test_of_two_cases_it_is_the_paired_t_test():
    rng = np.random.default_rng(4)
    one, other = rng.normal(0.05, 0.02, 6), rng.normal(0.0, 0.02, 6)
    ratio = rounds_of([one, other]).compare(*CASES[:2])
    test = stats.ttest_rel(one, other)
    assert ratio.p == pytest.approx(test.pvalue)
    interval = test.confidence_interval(0.95)
    assert (math.log(ratio.low), math.log(ratio.high)) == pytest.approx(tuple(interval))


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=1, max_size=12))
def test_swapping_the_two_mirrors_the_ratio(pairs):
    table = np.array(pairs).T
    rounds = rounds_of(table)
    one, other = rounds.compare(*CASES[:2]), rounds.compare(*CASES[1::-1])
    back = other.invert()
    for name in ("middle", "low", "high", "p"):
        assert getattr(back, name) == pytest.approx(getattr(one, name), rel=1e-6)


def test_the_cases_of_a_model_lend_each_other_degrees_of_freedom():
    rng = np.random.default_rng(5)
    table = rng.normal(size=(14, 3)) * 0.017
    alone = rounds_of(table[:2]).compare(*CASES[:2])
    among = rounds_of(table).compare(*CASES[:2])
    assert alone.freedom == 2
    # Half of what is left of 14 cases and 3 rounds may be theirs: (14 - 2) 2, and their own 2.
    assert 6 < among.freedom <= 26
    assert among.half_width < alone.half_width


def test_cases_of_other_models_lend_nothing():
    table = np.random.default_rng(6).normal(size=(2, 4))
    strangers = {case_of(f"c{n}", model="other"): {(0, m): 0.0 for m in range(4)} for n in range(9)}
    assert rounds_of(table).compare(*CASES[:2]) == Rounds(
        {**rounds_of(table).medians, **strangers}
    ).compare(*CASES[:2])


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Blocks that differ by 1.7 % within a round and rounds by 1.0 %, as measured."""
    rng = np.random.default_rng(7)
    hits = []
    for _ in range(60):
        table = rng.normal(size=(14, 3)) * 0.017 + rng.normal(size=(1, 3)) * 0.01
        rounds = rounds_of(table)
        ratios = [rounds.compare(case, CASES[0]) for case in CASES[1:]]
        hits += [ratio.low <= 1 <= ratio.high for ratio in ratios]
    assert 0.91 <= np.mean(hits) <= 0.985


def test_a_torn_round_pairs_nothing():
    """A block of the second start has the number of a round of the first, and is none of it."""
    case, other = CASES[:2]
    rounds = Rounds(
        {
            case: {(0, 0): 0.0, (0, 1): 0.01, (1, 2): 0.5},
            other: {(0, 0): 0.02, (0, 1): 0.01, (0, 2): 0.0},
        }
    )
    assert rounds.compare(case, other).rounds == 2


def test_cases_without_shared_rounds_are_compared_as_welch_does():
    rng = np.random.default_rng(8)
    one, other = rng.normal(0.3, 0.02, 4), rng.normal(0.0, 0.05, 5)
    rounds = Rounds(
        {
            CASES[0]: {(0, n): value for n, value in enumerate(one)},
            CASES[1]: {(1, n): value for n, value in enumerate(other)},
        }
    )
    ratio = rounds.compare(*CASES[:2])
    test = stats.ttest_ind(one, other, equal_var=False)
    assert (ratio.rounds, ratio.p) == (0, pytest.approx(test.pvalue))
    interval = test.confidence_interval(0.95)
    assert (math.log(ratio.low), math.log(ratio.high)) == pytest.approx(tuple(interval))


def test_single_blocks_tell_nothing():
    ratio = rounds_of([[0.0], [1.0]]).compare(*CASES[:2])
    assert ratio.p == 1.0
    assert (ratio.low, ratio.high) == (pytest.approx(math.exp(-FARTHEST)), math.exp(13))


def test_equal_numbers_are_equal():
    ratio = rounds_of([[0.5] * 3] * 4).compare(*CASES[:2])
    assert (ratio.low, ratio.middle, ratio.high, ratio.p) == (1.0, 1.0, 1.0, 1.0)


def test_they_are_read_from_the_blocks_that_count():
    case = case_of("plain")
    blocks = [attrs.evolve(block_of(case, n), resumption=n // 2) for n in range(4)]
    blocks[1] = attrs.evolve(blocks[1], status="failed", reason="lost")
    (medians,) = Rounds.of([attrs.evolve(result_of(case), blocks=tuple(blocks))]).medians.values()
    assert list(medians) == [(0, 0), (1, 2), (1, 3)]
    assert medians[0, 0] == pytest.approx(math.log(np.median(blocks[0].latency_s)))


def test_cases_of_unequal_rounds_are_put_in_order_as_if_they_had_shared_all():
    """The second was dropped before the machine became slow, and is the slower all the same."""
    nothing = math.nan
    table = [[0.0, 0.0, 1.0, 1.0], [0.1, 0.1, nothing, nothing], [0.2, 0.2, 1.2, 1.2]]
    adjusted = rounds_of(table).adjust(CASES[:3])
    one, other, last = (adjusted[case] for case in CASES[:3])
    assert other - one == pytest.approx(0.1, abs=1e-6)
    assert last - one == pytest.approx(0.2, abs=1e-6)
