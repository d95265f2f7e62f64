"""How many requests a block should have."""

from __future__ import annotations

import math

import attrs
import numpy as np
import pytest

from edgebench.analysis.block_size import Costs, choose_requests, find_best_count, find_costs
from edgebench.testing.results import block_of, case_of, result_of


def simulate_width(count, costs, budget_s):
    """The variance of the mean of block medians that so much time affords."""
    blocks = budget_s / (costs.start_s + count * costs.request_s)
    return (costs.between + math.pi / 2 * costs.within / count) / blocks


def test_no_other_count_gives_a_narrower_interval_in_the_same_time():
    """As measured: requests differ by 5 %, blocks by 1.2 %, starting takes 0.44 s."""
    costs = Costs(within=0.05**2, between=0.012**2, start_s=0.44, request_s=6.5e-3)
    best = round(find_best_count(costs))
    assert 35 < best < 50
    widths = {count: simulate_width(count, costs, 100.0) for count in range(2, 400)}
    assert min(widths, key=widths.get) == pytest.approx(best, abs=1)


def test_where_blocks_do_not_differ_one_long_block_is_best():
    assert find_best_count(Costs(0.01, 0.0, 1.0, 0.01)) == math.inf


def results(between, within, *, start_s=0.5, count=4):
    rng = np.random.default_rng(1)
    for name in "abc":
        case = case_of(name)
        blocks = []
        for number in range(12):
            block = block_of(case, number)
            middle = 2e-3 * math.exp(between * rng.standard_normal())
            seconds = middle * np.exp(within * rng.standard_normal(100))
            blocks.append(attrs.evolve(block, latency_s=seconds, phases_s={},
                                       duration_s=start_s + seconds.sum()))  # fmt: skip
        yield attrs.evolve(result_of(case), blocks=tuple(blocks))


def test_what_blocks_differ_by_and_cost_is_read_from_them():
    costs = [find_costs(one) for one in results(0.05, 0.1)]
    assert [one.start_s for one in costs] == pytest.approx([0.5] * 3)
    assert [one.request_s for one in costs] == pytest.approx([2e-3] * 3, rel=0.1)
    assert [one.within for one in costs] == pytest.approx([0.01] * 3, rel=0.4)
    assert np.mean([one.between for one in costs]) == pytest.approx(0.05**2, rel=0.6)
    assert find_costs(result_of(case_of(), blocks=1)) is None


def test_requests_are_as_many_as_most_cases_want_within_bounds():
    assert choose_requests(list(results(0.05, 0.1)), 200) == pytest.approx(40, abs=20)
    assert choose_requests(list(results(0.0, 0.1)), 100) == 100
    assert choose_requests(list(results(0.3, 0.001)), 100) == 10
    assert choose_requests([result_of(case_of(), blocks=1)], 77) == 77
