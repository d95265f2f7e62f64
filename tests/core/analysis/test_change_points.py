from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from edgebench.analysis.change_points import find_change_points

MARGIN = math.log(1.02)


def places(values):
    return [one.place for one in find_change_points(values, MARGIN)]


def test_a_step_is_found_where_it_is():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 0.01, 8), rng.normal(0.1, 0.01, 5)])
    (found,) = find_change_points(values.tolist(), MARGIN)
    assert found.place == 8
    assert found.before == pytest.approx(values[:8].mean())
    assert found.after == pytest.approx(values[8:].mean())


def test_there_and_back_are_two_changes():
    rng = np.random.default_rng(1)
    steps = [0.0] * 8 + [0.2] * 6 + [0.0] * 7
    assert places((np.array(steps) + rng.normal(0, 0.01, 21)).tolist()) == [8, 14]


def test_the_chance_is_that_of_students_test_times_the_places():
    values = [0.0, 0.01, 0.3, 0.31, 0.29]
    (found,) = find_change_points(values, MARGIN)
    theirs = stats.ttest_ind(values[:2], values[2:], equal_var=True)
    assert found.chance == pytest.approx(
        2 * theirs.pvalue
    )  # two places, and no stretch between two others


@pytest.mark.parametrize("count", [4, 6, 10, 20])
def test_runs_that_do_not_differ_seldom_show_a_change(count):
    rng = np.random.default_rng(count)
    rows = rng.normal(0, 0.05, (400, count)).tolist()
    assert sum(bool(places(row)) for row in rows) <= 400 * 0.05 + 13  # three deviations


def test_of_few_runs_and_of_single_ones_nothing_is_told():
    assert places([]) == []
    assert places([0.0, 0.5, 1.0]) == []
    assert places([0.0, 0.001, 0.0, 0.001, 0.5]) != [4]


def test_values_that_are_all_equal_do_not_change_and_those_of_two_kinds_do():
    assert places([math.log(0.3)] * 9) == []
    assert places([math.log(0.3)] * 4 + [math.log(0.5)] * 4) == [4]


def test_what_is_within_the_margin_is_no_change():
    assert places([0.0] * 5 + [0.01] * 5) == []


@given(st.lists(st.floats(-10, 10), max_size=25))
def test_any_row_is_read_and_a_change_has_two_runs_on_each_side(values):
    found = find_change_points(values, MARGIN)
    ends = [0, *(one.place for one in found), len(values)]
    assert all(b - a >= 2 for a, b in itertools.pairwise(ends) if found)
    assert all(0 <= one.chance <= 0.05 for one in found)
