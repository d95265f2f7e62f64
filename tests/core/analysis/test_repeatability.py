"""What equal cases differ by, from copies of one case in rounds."""

from __future__ import annotations

import math

import attrs
import numpy as np
import pytest

from edgebench.analysis.repeatability import Repeatability
from edgebench.testing.results import block_of, case_of


def blocks_of(table):
    """Blocks whose medians have these logarithms, shape (rounds, copies)."""
    rounds, copies = table.shape
    for number in range(rounds * copies):
        block = block_of(case_of(), number)
        seconds = np.full(9, 2e-3 * math.exp(table[number // copies, number % copies]))
        yield attrs.evolve(block, latency_s=seconds, phases_s={})


def test_the_deviations_are_those_that_were_put_in():
    rng = np.random.default_rng(2)
    table = rng.normal(0, 0.017, (40, 20)) + rng.normal(0, 0.03, (40, 1))
    found = Repeatability.of(list(blocks_of(table)), 20)
    assert found.within == pytest.approx(0.017, rel=0.1)
    assert found.between == pytest.approx(0.03, rel=0.3)
    assert found.blocks == 40


def test_the_difference_is_that_of_the_medians_that_results_show():
    """By hand: copies of 0, 1, 2 and 3 % more in every round differ by those of six pairs."""
    copies = np.log1p([0.0, 0.01, 0.02, 0.03])
    found = Repeatability.of(list(blocks_of(np.tile(copies, (3, 1)))), 4)
    apart = [0.01, 0.02, 0.03, 1.02 / 1.01 - 1, 1.03 / 1.01 - 1, 1.03 / 1.02 - 1]
    assert found.difference == pytest.approx(np.quantile(apart, 0.95))
    assert (found.within, found.between) == (pytest.approx(0, abs=1e-9), 0.0)


def test_a_round_that_is_not_whole_does_not_count():
    table = np.random.default_rng(3).normal(0, 0.01, (4, 5))
    blocks = list(blocks_of(table))
    assert Repeatability.of(blocks[:-1], 5).blocks == 3
    assert Repeatability.of(blocks, 5) != Repeatability.of(blocks[:-1], 5)


def test_a_round_that_two_starts_of_a_run_measured_is_not_whole():
    blocks = list(blocks_of(np.random.default_rng(4).normal(0, 0.01, (4, 5))))
    torn = [attrs.evolve(one, resumption=int(one.number >= 8)) for one in blocks]
    assert Repeatability.of(torn, 5).blocks == 3


@pytest.mark.parametrize(("rounds", "copies"), [(1, 20), (5, 1)])
def test_of_one_round_or_one_copy_nothing_is_known(rounds, copies):
    assert Repeatability.of(list(blocks_of(np.zeros((rounds, copies)))), copies) is None
