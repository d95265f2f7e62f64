"""Rank tests give what scipy and scikit-posthocs give, and something sensible where they stop."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edgebench.analysis.rank_tests import (
    adjust,
    cliffs_delta,
    conover_friedman,
    conover_iman,
    friedman,
    kruskal_wallis,
    name_magnitude,
    shapiro_wilk,
    wilcoxon_exact,
)

RNG = np.random.default_rng(3)
GROUPS = {
    "unequal sizes": [RNG.normal(0, 1, 9), RNG.normal(1, 1, 14), RNG.normal(0.5, 2, 5)],
    "ties": [RNG.integers(0, 4, 20), RNG.integers(1, 5, 11), RNG.integers(0, 5, 15)],
    "two groups": [RNG.normal(0, 1, 30), RNG.normal(0.3, 1, 30)],
    "a group of one": [np.array([2.0]), RNG.normal(0, 1, 8), RNG.normal(0, 1, 6)],
    "one group is constant": [np.full(6, 3.0), RNG.integers(0, 9, 12)],
}


@pytest.fixture(scope="module")
def posthocs():
    """scikit-posthocs, an oracle that only tests need; its parts warn when they are imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("scikit_posthocs")


@pytest.mark.parametrize("name", GROUPS)
def test_kruskal_wallis_is_scipys(name):
    groups, found = GROUPS[name], kruskal_wallis(GROUPS[name])
    expected = stats.kruskal(*groups)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))


@pytest.mark.framework
@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("correction", ["none", "bonferroni", "holm"])
def test_conover_iman_is_that_of_scikit_posthocs(posthocs, name, correction):
    groups = GROUPS[name]
    wanted = None if correction == "none" else correction
    expected = posthocs.posthoc_conover([list(one) for one in groups], p_adjust=wanted).to_numpy()
    pairs = conover_iman(groups, correction)
    assert len(pairs) == math.comb(len(groups), 2)
    for pair in pairs:
        assert pair.adjusted == pytest.approx(expected[pair.first, pair.second], rel=1e-9)
        assert pair.delta == cliffs_delta(groups[pair.first], groups[pair.second])
        assert pair.magnitude == name_magnitude(pair.delta)


def test_where_all_values_are_equal_nothing_differs():
    groups = [np.full(4, 2.0), np.full(3, 2.0)]
    assert kruskal_wallis(groups).p == 1.0
    (pair,) = conover_iman(groups)
    assert (pair.t, pair.p, pair.delta, pair.magnitude) == (0.0, 1.0, 0.0, "negligible")


def test_one_value_a_group_tells_nothing():
    pairs = conover_iman([[1.0], [2.0], [3.0]], "holm")
    assert [pair.adjusted for pair in pairs] == [1.0, 1.0, 1.0]


def test_groups_that_vary_only_among_each_other_differ_for_certain():
    (pair,) = conover_iman([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    assert pair.p < 1e-20
    assert pair.delta == -1.0


VALUES = st.lists(st.integers(0, 6), min_size=1, max_size=12)


@given(VALUES, VALUES)
def test_cliffs_delta_is_the_count_of_all_pairs(one, other):
    counted = sum((a > b) - (a < b) for a in one for b in other) / (len(one) * len(other))
    assert cliffs_delta(one, other) == pytest.approx(counted, abs=1e-15)


@pytest.mark.parametrize(
    ("delta", "name"),
    [(0, "negligible"), (-0.146, "negligible"), (0.147, "small"), (-0.33, "medium"),
     (0.473, "medium"), (0.474, "large"), (-1, "large")],
)  # fmt: skip
def test_magnitudes_begin_at_their_thresholds(delta, name):
    assert name_magnitude(delta) == name


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_adjusted_p_values_are_ordered_as_the_others_and_holm_is_never_worse(p_values):
    holm, bonferroni = adjust(p_values, "holm"), adjust(p_values, "bonferroni")
    assert adjust(p_values, "none") == tuple(p_values)
    for p, h, b in zip(p_values, holm, bonferroni, strict=True):
        assert p <= h <= b <= 1.0
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert all(holm[a] <= holm[b] for a, b in itertools.pairwise(order))


def test_holm_is_that_of_its_paper():
    assert adjust([0.01, 0.04, 0.03, 0.005], "holm") == pytest.approx((0.03, 0.06, 0.06, 0.02))


def test_another_correction_is_refused():
    with pytest.raises(ValueError, match="none, bonferroni, holm, not 'sidak'"):
        adjust([0.5], "sidak")


def test_shapiro_wilk_is_scipys_and_says_nothing_where_it_cannot():
    values = RNG.gamma(2, 1, 40)
    expected, found = stats.shapiro(values), shapiro_wilk(values)
    assert (found.statistic, found.p) == (expected.statistic, expected.pvalue)
    assert [shapiro_wilk(v) for v in ([1.0], [1.0, 2.0], np.ones(9), np.arange(5001))] == [None] * 4


@pytest.mark.parametrize("count", [1, 2, 5, 18, 40])
def test_the_exact_wilcoxon_is_scipys_where_nothing_is_tied(count):
    one, other = RNG.normal(0, 1, count), RNG.normal(0.4, 1, count)
    expected, found = stats.wilcoxon(one, other, method="exact"), wilcoxon_exact(one, other)
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))


DIFFERENCES = st.lists(st.integers(-3, 3), min_size=1, max_size=9)


@given(DIFFERENCES)
def test_the_exact_wilcoxon_counts_every_sign_with_ties_and_zeros_too(differences):
    found = wilcoxon_exact(differences, np.zeros(len(differences)))
    kept = [one for one in differences if one]
    ranks = stats.rankdata(np.abs(kept)) if kept else []
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
        for signs in itertools.product((0, 1), repeat=len(kept))
    ]
    least = min(sum(ranks) - found.statistic, found.statistic)
    share = sum(one <= least for one in sums) / len(sums)
    assert found.p == pytest.approx(min(1.0, 2 * share), abs=1e-12)


BLOCKS = {
    "no ties": RNG.normal(0, 1, (8, 4)),
    "ties": RNG.integers(0, 3, (9, 3)).astype(float),
    "a shift": RNG.normal(0, 1, (6, 3)) + np.array([0.0, 0.2, 1.5]),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_friedman_is_scipys(name):
    expected, found = stats.friedmanchisquare(*BLOCKS[name].T), friedman(BLOCKS[name])
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))


@pytest.mark.framework
@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("correction", ["none", "holm"])
def test_conover_friedman_is_that_of_scikit_posthocs(posthocs, name, correction):
    wanted = None if correction == "none" else correction
    expected = posthocs.posthoc_conover_friedman(BLOCKS[name], p_adjust=wanted).to_numpy()
    for pair in conover_friedman(BLOCKS[name], correction):
        assert pair.adjusted == pytest.approx(expected[pair.first, pair.second], rel=1e-9)


def test_friedman_of_two_treatments_is_the_sign_test_and_of_equal_ones_nothing():
    blocks = [[1.0, 2.0]] * 5 + [[2.0, 1.0]]
    assert friedman(blocks).statistic == pytest.approx((5 - 1) ** 2 / 6)
    assert friedman(np.ones((4, 3))).p == 1.0


@pytest.mark.parametrize(("rounds", "least"), [(1, 1.0), (3, 0.25), (5, 1 / 16)])
def test_so_few_rounds_that_agree_show_no_more_than_they_can(rounds, least):
    """Two equal strategies stand in one order in all of n rounds with a chance of 2^(1-n)."""
    (pair,) = conover_friedman([[1.0, 2.0]] * rounds)
    assert pair.p == pytest.approx(least)
