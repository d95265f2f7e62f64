"""How many more blocks are said to be needed, and whether so many are enough."""

from __future__ import annotations

import numpy as np
import pytest

from edgebench.analysis.decisions import compare_latencies
from edgebench.analysis.intervals import Latency, find_widening
from edgebench.analysis.power import count_more_blocks


def latency(median_s, blocks, seed, *, between=0.05, within=0.02):
    """A latency whose blocks differ, each of ten requests that differ less."""
    rng = np.random.default_rng((seed, int(median_s * 1e6)))
    centres = median_s * np.exp(between * rng.standard_normal(blocks))
    drawn = [one * np.exp(within * rng.standard_normal(10)) for one in centres]
    return Latency(blocks=tuple(drawn), seed=seed)


def count_truly(ratio, between=0.05):
    """How many blocks are needed, were the deviation and the difference known."""
    for count in range(2, 1000):
        deviation = between * np.sqrt(2 / count) * find_widening(count)
        if (1.96 + 0.84) * deviation < np.log(ratio):
            return count
    return None


@pytest.mark.parametrize("ratio", [1.06, 1.1])
def test_so_many_blocks_as_are_truly_needed_tell_a_difference_in_most_cases(ratio):
    count = count_truly(ratio)
    pairs = [(latency(ratio, count, seed), latency(1.0, count, seed)) for seed in range(60)]
    told = [compare_latencies(one, other, 0.02) for one, other in pairs]
    assert 0.55 * 60 < told.count("slower") < 0.95 * 60


def test_about_so_many_are_foreseen_from_five():
    pairs = [(latency(1.06, 5, seed), latency(1.0, 5, seed)) for seed in range(60)]
    foreseen = [5 + (count_more_blocks(one, other, 0.02) or 1000) for one, other in pairs]
    assert count_truly(1.06) / 2 < np.median(foreseen) < 2 * count_truly(1.06)


def test_a_smaller_difference_needs_more_blocks():
    base = latency(1.0, 4, 0)
    far, near = (count_more_blocks(latency(ratio, 4, 1), base, 0.02) for ratio in (1.5, 1.05))
    assert far < near


def test_equal_ones_need_as_many_as_show_that_they_are():
    one, other = latency(1.0, 4, 0, between=0.002), latency(1.0001, 4, 0, between=0.002)
    assert count_more_blocks(one, other, 0.02) < 20


def test_what_lies_on_the_margin_is_never_told():
    values = np.full(40, 1.0)
    wide = (values * 0.8, values, values * 1.2)
    one = Latency(blocks=tuple(block * 1.02 for block in wide))
    assert count_more_blocks(one, Latency(blocks=wide), np.nextafter(0.02, 1)) is None
