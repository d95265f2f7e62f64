"""The middle of few numbers, and variances that are weighed with those of like cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edgebench.analysis.spread import Estimate, Prior, estimate, find_p, find_t


def test_of_few_numbers_it_is_the_mean_with_its_usual_error():
    found = estimate([1.0, 2.0, 6.0])
    assert found.middle == 3.0
    assert found.error == pytest.approx(stats.sem([1.0, 2.0, 6.0]))
    assert found.freedom == 2


def test_of_more_it_is_scipys_trimmed_mean_with_yuens_error():
    numbers = np.random.default_rng(0).normal(size=11)
    found = estimate(numbers)
    assert found.middle == pytest.approx(stats.trim_mean(numbers, 0.2))
    # scipy's trimmed t test against a constant sample of the same size has that error alone.
    fixed = np.zeros(11)
    with np.errstate(all="ignore"):
        test = stats.ttest_ind(numbers, fixed, trim=0.2, equal_var=False)
    assert test.statistic == pytest.approx(found.middle / found.error)


def test_a_wild_number_moves_neither_middle_nor_error():
    calm = [0.0, 0.01, -0.01, 0.02, -0.02, 0.015, -0.015, 0.005, -0.005, 0.0]
    wild = [*calm[:-1], 5.0]
    assert abs(estimate(wild).middle - estimate(calm).middle) < 0.01
    assert estimate(wild).error < 2 * estimate(calm).error
    assert abs(np.mean(wild)) > 0.4


def test_one_number_says_nothing_of_its_error():
    assert estimate([4.0]) == Estimate(4.0, 0.0, 0)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.floats(-10, 10))
def test_shifting_all_numbers_shifts_the_middle_alone(values, by):
    one, other = estimate(values), estimate([value + by for value in values])
    assert other.middle == pytest.approx(one.middle + by, abs=1e-6)
    assert other.variance == pytest.approx(one.variance, rel=1e-4, abs=1e-6)


def draw(rng, cases, rounds, deviations):
    table = rng.normal(size=(cases, rounds)) * np.asarray(deviations)[:, None]
    return [estimate(row) for row in table]


def test_like_variances_pool_as_far_as_they_may():
    rng = np.random.default_rng(1)
    prior = Prior.fit(draw(rng, 40, 4, np.full(40, 0.02)), most=60)
    assert 20 < prior.freedom <= 60
    assert prior.variance == pytest.approx(0.02**2 / 4, rel=0.3)


def test_unlike_variances_say_little_of_each_other():
    rng = np.random.default_rng(1)
    spreads = np.exp(1.5 * rng.standard_normal(400))
    prior = Prior.fit(draw(rng, 400, 8, spreads), most=1e6)
    # The logarithms of variances that scatter by 3: trigamma(d / 2) = 9, so d is 0.67.
    assert prior.freedom == pytest.approx(0.67, rel=0.2)


def test_a_moderated_variance_lies_between_the_two():
    own, prior = Estimate(0.0, 4.0, 2), Prior(1.0, 6)
    assert prior.moderate(own) == Estimate(0.0, (6 * 1 + 2 * 4) / 8, 8)
    assert prior.moderate(own, times=2.0).variance == (6 * 2 + 2 * 4) / 8


@pytest.mark.parametrize("found", [[], [Estimate(0, 1.0, 2)], [Estimate(0, 0.0, 2)] * 5])
def test_too_few_or_equal_cases_make_no_prior(found):
    assert Prior.fit(found, 10) == Prior(0.0, 0.0)
    assert Prior(0.0, 0.0).moderate(Estimate(1.0, 2.0, 3)) == Estimate(1.0, 2.0, 3)
    assert Prior(0.0, 0.0).moderate(Estimate(1.0, 0.0, 0)) == Estimate(1.0, 0.0, 0)


def test_a_case_without_spread_does_not_break_the_others():
    rng = np.random.default_rng(2)
    prior = Prior.fit([*draw(rng, 9, 3, np.full(9, 0.02)), Estimate(0.0, 0.0, 2)], most=16)
    assert math.isfinite(prior.variance)
    assert prior.variance > 0


@pytest.mark.parametrize("freedom", [1, 2.5, 30, 1000])
def test_students_distribution_is_scipys(freedom):
    assert find_t(freedom) == pytest.approx(stats.t.ppf(0.975, freedom))
    assert find_t(freedom, 0.2) == pytest.approx(stats.t.ppf(0.8, freedom))
    assert find_p(-1.7, freedom) == pytest.approx(2 * stats.t.sf(1.7, freedom))
