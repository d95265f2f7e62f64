"""Intervals of shares hold published values, and what an inversion of their tests finds."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from edgebench.analysis.proportions import find_loss_interval, find_share_interval

NINETY = 1.6448536
"""The 95 % quantile of the normal distribution."""


@pytest.mark.parametrize(
    ("worse", "better", "of", "quantile", "expected", "rounded"),
    [
        # Bentur et al. 2009, in Fagerland, Lydersen and Laake 2014: -0.517 to -0.026.
        (1, 7, 21, 1.959964, (-0.517, -0.026), 5e-4),
        # Cavo et al. 2012, by the R package contingencytables: -0.1240 to -0.0054.
        (6, 16, 161, 1.959964, (-0.1240, -0.0054), 5e-5),
        # The R package PropCIs, scoreci.mp(25, 28, 618, 0.90): -0.0148 to 0.0247.
        (28, 25, 618, NINETY, (-0.0148, 0.0247), 5e-5),
    ],
)
def test_a_paired_difference_is_what_others_publish(worse, better, of, quantile, expected, rounded):
    assert find_loss_interval(worse, better, of, quantile) == pytest.approx(expected, abs=rounded)


def likelihood(worse, better, of, difference):
    """The largest log likelihood of a paired table whose difference is given, by search."""

    def minus(gained):
        shares = (gained + difference, gained, 1 - 2 * gained - difference)
        counts = (worse, better, of - worse - better)
        return -sum(n * math.log(max(p, 1e-300)) for n, p in zip(counts, shares, strict=True) if n)

    low, high = max(0.0, -difference), (1 - difference) / 2
    return optimize.minimize_scalar(
        minus, bounds=(low, high), options={"xatol": 1e-12}, method="bounded"
    )


def score_by_search(worse, better, of, difference):
    gained = likelihood(worse, better, of, difference).x
    variance = of * (2 * gained + difference - difference**2)
    return (worse - better - of * difference) / math.sqrt(max(variance, 1e-300))


@pytest.mark.parametrize(
    ("worse", "better", "of"), [(0, 0, 21), (1, 0, 128), (5, 2, 60), (3, 9, 40), (30, 1, 200)]
)
def test_a_paired_difference_is_what_the_score_test_does_not_refuse(worse, better, of):
    """The likeliest table under each difference is searched for, not computed as Tango does."""
    low, high = find_loss_interval(worse, better, of)
    tried = np.linspace(-0.999, 0.999, 4001)
    kept = [one for one in tried if abs(score_by_search(worse, better, of, one)) <= 1.959964]
    assert (min(kept), max(kept)) == pytest.approx((low, high), abs=0.0011)


def test_where_no_answer_differs_it_has_a_width():
    """Then Tango's ends are z^2 / (n + z^2): 15.5 points of 21 samples."""
    z = 1.959964**2
    assert find_loss_interval(0, 0, 21) == pytest.approx((-z / (21 + z), z / (21 + z)))
    assert find_loss_interval(0, 0, 21)[1] == pytest.approx(0.155, abs=5e-4)


@given(st.integers(1, 300), st.data())
def test_it_holds_what_was_seen_and_mirrors(of, data):
    worse = data.draw(st.integers(0, of))
    better = data.draw(st.integers(0, of - worse))
    low, high = find_loss_interval(worse, better, of)
    assert -1 <= low <= (worse - better) / of <= high <= 1
    assert find_loss_interval(better, worse, of) == (-high, -low)


@pytest.mark.parametrize("of", [21, 128, 569])
@pytest.mark.parametrize("worse", [0.002, 0.02, 0.1])
@pytest.mark.parametrize("better", [0.0, 0.01])
def test_a_loss_lies_below_the_upper_end_as_often_as_it_should(of, worse, better):
    """By all tables that can come about, each with its probability: no draw is made.

    97.5 % are meant on each side; a score interval holds that on average, not in every case.
    """
    covered = 0.0
    for lost, gained in itertools.product(range(of + 1), repeat=2):
        if lost + gained > of or lost > of * worse + 25 or gained > of * better + 25:
            continue
        chance = stats.multinomial.pmf(
            [lost, gained, of - lost - gained], of, [worse, better, 1 - worse - better]
        )
        if chance > 1e-9:
            covered += chance * (worse - better <= find_loss_interval(lost, gained, of)[1] + 1e-12)
    assert covered >= 0.95


@given(st.integers(1, 2000), st.data())
def test_a_share_is_clopper_and_pearsons(of, data):
    found = data.draw(st.integers(0, of))
    known = stats.binomtest(found, of).proportion_ci(0.95, method="exact")
    assert find_share_interval(found, of) == pytest.approx((known.low, known.high), abs=1e-9)


def test_all_of_21_are_not_all_of_them():
    assert find_share_interval(21, 21) == pytest.approx((0.839, 1.0), abs=5e-4)
    assert find_share_interval(0, 21) == pytest.approx((0.0, 0.161), abs=5e-4)
