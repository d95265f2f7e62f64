from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edgebench.analysis.estimates import Estimate, find_levels
from edgebench.analysis.spread import find_t


def mean(blocks):
    return float(np.mean([block.mean() for block in blocks]))


def of_numbers(numbers):
    return Estimate.of_blocks([np.array([one]) for one in numbers], mean)


def test_of_means_it_is_the_difference_of_welch():
    one, other = [3.1, 2.9, 3.3, 3.0], [2.0, 2.6, 2.2]
    found = of_numbers(one).less(of_numbers(other))
    theirs = stats.ttest_ind(one, other, equal_var=False)
    assert found.freedom == pytest.approx(theirs.df)
    assert found.interval() == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert found.find_chance_of_none() == pytest.approx(theirs.pvalue)
    assert found.blocks == 3


def test_of_proportions_it_is_the_interval_of_newcombe():
    """The first example of Newcombe 1998, method 10: 56/70 less 48/80, 0.0524 to 0.3339."""

    def wilson(found, of):
        z = 1.959964
        p, root = found / of, z * math.sqrt(z * z / 4 + found * (of - found) / of)
        low, high = ((found + z * z / 2 + sign * root) / (of + z * z) for sign in (-1, 1))
        return Estimate.of_interval(p, low, high)

    low, high = wilson(56, 70).less(wilson(48, 80)).interval()
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)


def test_equal_blocks_leave_no_doubt():
    same, more = of_numbers([0.1] * 3), of_numbers([0.3] * 3)
    assert same.less(same).interval() == (0, 0)
    assert same.less(same).find_chance_of_none() == 1
    assert more.less(same).find_chance_of_none() == 0


def test_one_block_says_nothing():
    with pytest.raises(ValueError, match="one block"):
        of_numbers([1.0])


def test_blocks_that_are_foreseen_would_tell():
    rng = np.random.default_rng(0)
    one, other = of_numbers(rng.normal(1.0, 1, 6)), of_numbers(rng.normal(0.4, 1, 6))
    found = one.less(other)
    more = found.count_more_blocks(0.0)
    spread = found.below / math.sqrt(2 / 6)  # what these blocks take the deviation of one for
    told = 0
    for _ in range(400):
        again = [of_numbers(rng.normal(middle, spread, 6 + more)) for middle in (found.value, 0.0)]
        told += again[0].less(again[1]).interval()[0] > 0
    assert 0.7 < told / 400 < 0.95
    assert found.count_more_blocks(found.value) is None
    assert Estimate(value=1, below=1, above=1).count_more_blocks(0.0) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_levels_reject_what_holm_rejects(chances):
    order = sorted(range(len(chances)), key=lambda one: chances[one])
    rejected = set()
    for step, place in enumerate(order):
        if chances[place] > 0.05 / (len(chances) - step):
            break
        rejected.add(place)
    levels = find_levels(chances)
    assert {n for n, (p, level) in enumerate(zip(chances, levels, strict=True)) if p <= level} == (
        rejected
    )


@given(st.floats(1, 500), st.floats(0.6, 0.999))
def test_quantiles_are_those_of_student(freedom, share):
    assert find_t(freedom, 1 - share) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-6)
    assert find_t(math.inf, 1 - share) == pytest.approx(stats.norm.ppf(share), rel=1e-4)
