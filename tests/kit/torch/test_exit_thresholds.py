"""Thresholds of exits, tuned on answers that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench_kit.torch.exit_thresholds import NEVER, Answered, tune_threshold


def answered(sure, right, whole):
    """One row an exit: how sure it was, and whether it was right; and whether the whole was."""

    def counts(flags):
        flags = np.asarray(flags, dtype=float)
        return np.stack([flags, np.ones_like(flags)], -1)

    return Answered(
        sure=np.asarray(sure, dtype=float),
        counts=counts(right),
        whole=counts(whole),
        value=lambda total: float(total[0] / total[1]),
    )


def test_all_leave_where_an_exit_is_as_right_as_the_whole():
    tuned = tune_threshold(answered([[0.9, 0.6, 0.8]], [[1, 1, 1]], [1, 1, 1]), 1)
    assert tuned.shares == (1.0,)
    assert tuned.threshold < 0.6


def test_it_lies_half_way_between_the_last_that_may_leave_and_the_next():
    sure = [[0.9, 0.8, 0.7, 0.6]]
    tuned = tune_threshold(answered(sure, [[1, 1, 0, 0]], [1, 1, 1, 1]), 1)
    assert tuned.threshold == pytest.approx(0.75)
    assert tuned.shares == (0.5,)


def test_no_answer_in_328_became_wrong_so_at_most_0_91_points_are_lost():
    every = answered([np.linspace(0.9, 0.5, 328)], [[1] * 328], [1] * 328)
    tuned = tune_threshold(every, 1)
    assert tuned.shares == (1.0,)
    # 1 - 0.05 ** (1 / 328): what has a chance of 5 % to be never seen.
    assert tuned.limit.points == pytest.approx(0.909, abs=1e-3)


def test_more_leave_the_more_may_be_lost():
    sure, right = [np.linspace(0.9, 0.5, 200)], [[*[1] * 100, 0, *[1] * 99]]
    # One of 200 is lost: 0.5 points, and at most 2.35 (Clopper and Pearson).
    every = answered(sure, right, [1] * 200)
    assert every.find_drop(0.4) == pytest.approx(0.5)
    assert tune_threshold(every, 2.3).shares == (0.5,)
    assert tune_threshold(every, 2.4).shares == (1.0,)


def test_answers_that_became_right_are_not_set_against_those_that_became_wrong():
    right, whole = [[*[1] * 100, 0, *[1] * 99]], [1] * 200
    whole[:10] = [0] * 10
    assert tune_threshold(answered([np.linspace(0.9, 0.5, 200)], right, whole), 1).shares == (0.5,)


def test_few_samples_that_lose_nothing_let_leave_and_say_what_they_do_not_show():
    tuned = tune_threshold(answered([[0.9, 0.8, 0.7]], [[1, 1, 0]], [1, 1, 1]), 1)
    assert tuned.shares == pytest.approx((2 / 3,))
    assert tuned.limit.points > 60


def test_answers_that_fall_a_little_are_judged_by_their_standard_error():
    share = np.random.default_rng(0).uniform(0.9, 1, 200)
    falls = np.where(np.arange(200) < 100, 0.002, 0.03)
    counts = np.stack([share, np.ones(200)], -1)
    every = Answered(
        sure=np.linspace(0.9, 0.5, 200)[None],
        counts=(counts - np.stack([falls, np.zeros(200)], -1))[None],
        whole=counts,
        value=lambda total: float(total[0] / total[1]),
    )
    tuned = tune_threshold(every, 1)
    assert 0.5 < tuned.shares[0] < 1
    assert every.find_drop(tuned.threshold) < 1
    assert tuned.limit.wrong == 0


def test_none_leaves_where_the_surest_is_wrong():
    tuned = tune_threshold(answered([[0.9, 0.6]], [[0, 1]], [1, 1]), 1)
    assert (tuned.threshold, tuned.shares) == (NEVER, (0.0,))
    assert tuned.first == pytest.approx(0.75)
    assert tuned.limit.points > 50


def test_a_sample_leaves_at_the_first_exit_that_is_sure():
    every = answered([[0.9, 0.1, 0.1], [0.9, 0.9, 0.1]], [[1, 0, 0], [0, 1, 0]], [1, 1, 1])
    assert every.find_shares(0.5) == pytest.approx((1 / 3, 1 / 3))
    assert every.find_drop(0.5) == pytest.approx(0)


@given(st.data())
def test_no_more_is_lost_than_is_allowed(data):
    exits, samples = data.draw(st.integers(1, 3)), data.draw(st.integers(2, 40))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    every = answered(
        random.random((exits, samples)),
        random.random((exits, samples)) < 0.8,
        random.random(samples) < 0.9,
    )
    allowed = data.draw(st.floats(0, 30))
    tuned = tune_threshold(every, allowed)
    assert tuned.shares == every.find_shares(tuned.threshold)
    if tuned.threshold == NEVER:
        assert tuned.limit.points > allowed
    else:
        assert every.find_drop(tuned.threshold) <= allowed + 1e-9
        assert tuned.limit.wrong == 0 or tuned.limit.points <= allowed
