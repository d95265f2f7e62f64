from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.analysis import intervals
from edgebench.analysis.intervals import (
    PERCENTILES,
    Latency,
    count_needed,
    find_widening,
)


@pytest.fixture(autouse=True)
def _drawn_anew():
    """Keep nothing that was drawn under another test's limits."""
    intervals._keep_drawn.cache_clear()
    yield
    intervals._keep_drawn.cache_clear()


def latency(*blocks):
    return Latency(blocks=tuple(np.asarray(block, dtype=float) for block in blocks))


def drawn(rng, blocks, requests, between, within):
    """Draw blocks whose true median is 1, with scatter between and within them."""
    return latency(
        *(np.exp(rng.normal(0, between) + rng.normal(0, within, requests)) for _ in range(blocks))
    )


def test_how_many_samples_a_percentile_needs():
    """The figures of the method: p90 46, p95 93, p99 473, p99.9 4742."""
    assert [count_needed(q) for q in PERCENTILES.values()] == [46, 93, 473, 4742]


@given(st.floats(0.5, 0.995))
def test_the_need_is_that_two_samples_lie_beyond(quantile):
    def chance_of_two(count):
        none, one = quantile**count, count * quantile ** (count - 1) * (1 - quantile)
        return 1 - none - one

    count = count_needed(quantile)
    assert chance_of_two(count) >= 0.95 - 1e-9
    assert count == 2 or chance_of_two(count - 1) < 0.95 + 1e-9


def test_percentiles_by_hand():
    sample = latency(range(1, 51), range(51, 102))  # 1 to 101
    assert sample.median == 51
    assert sample.percentile("p90") == 91
    assert sample.percentile("p95") == 96
    assert sample.percentile("p99") is None
    assert latency(range(92)).percentile("p95") is None
    assert latency(range(93)).percentile("p95") is not None


def test_equal_values_have_an_interval_of_no_width():
    sample = latency([2.0] * 50, [2.0] * 50)
    assert sample.interval() == (2.0, 2.0)
    assert sample.interval("p90") == (2.0, 2.0)


def test_one_request_is_all_there_is():
    sample = latency([3.0])
    assert (sample.median, sample.interval()) == (3.0, (3.0, 3.0))


@pytest.mark.parametrize("at_once", [1, 10**9])
def test_the_same_requests_are_drawn_of_all_cases_whose_blocks_have_the_same_sizes(
    at_once, monkeypatch
):
    """So cases that scale each other have intervals that do, and no case depends on another."""
    monkeypatch.setattr(intervals, "AT_ONCE", at_once)
    blocks = np.random.default_rng(5).lognormal(size=(3, 40))
    first = latency(*blocks).interval("p90")
    assert latency(*(2 * blocks)).interval("p90") == pytest.approx([2 * end for end in first])
    latency(*blocks[:, :30], blocks[0]).interval("p90")
    assert latency(*blocks).interval("p90") == first


def test_an_interval_holds_its_estimate_and_no_negative_time():
    sample = latency([1e-6, 1e-3], [5e-3, 9e-3])
    for name in ("median", *PERCENTILES):
        low, high = sample.interval(name)
        assert 0 <= low <= np.quantile(sample.seconds, PERCENTILES.get(name, 0.5)) <= high


def test_blocks_are_resampled_before_requests():
    """Blocks that differ make the interval wide, however many requests each has."""
    rng = np.random.default_rng(1)
    alike = drawn(rng, 5, 2000, 0.0, 0.02)
    apart = drawn(rng, 5, 2000, 0.05, 0.02)
    width = [sample.interval()[1] - sample.interval()[0] for sample in (alike, apart)]
    assert width[0] < 0.01 < 0.05 < width[1]


def test_blocks_of_unequal_length_weigh_alike():
    long_, short = [1.0] * 1000, [2.0] * 10
    sample = latency(long_, short, short, long_)
    ones = float(np.mean(sample.draws[:, 0] < 1.5))
    assert 0.4 < ones < 0.75  # half of the draws or, at a tie, between the two


def sorted_draws(blocks):
    """Draw as the method says, plainly: blocks, then requests, and the quantiles of each draw."""
    rng = np.random.default_rng(0)
    drawn, each = len(blocks) - 1, round(sum(map(len, blocks)) / len(blocks))
    which = rng.integers(0, len(blocks), (intervals.RESAMPLES, drawn))
    shares = rng.random((intervals.RESAMPLES, drawn, each), np.float32)
    for chosen, places in zip(which, shares, strict=True):
        parts = [
            blocks[number][(share * np.float32(len(blocks[number]))).astype(int)]
            for number, share in zip(chosen, places, strict=True)
        ]
        yield np.quantile(np.concatenate(parts), list(intervals.QUANTILES.values()))


@pytest.mark.parametrize("cached", [1000, 10**9])
def test_the_draws_are_those_of_the_plain_method(cached, monkeypatch):
    """Ties, unequal blocks and pieces of the drawing change nothing."""
    monkeypatch.setattr(intervals, "CACHED", cached)
    rng = np.random.default_rng(4)
    blocks = [rng.integers(1, 9, size) / 8 for size in (30, 45, 31)]
    expected = np.array(list(sorted_draws(blocks)))
    np.testing.assert_allclose(latency(*blocks).draws, expected, rtol=1e-12)


def test_resampling_in_parts_gives_as_many_draws(monkeypatch):
    sample = latency(*np.random.default_rng(2).lognormal(size=(4, 100)))
    whole = sample.draws
    monkeypatch.setattr(intervals, "AT_ONCE", 7_000)
    # Too much is not kept, but drawn again for each case.
    parts = latency(*sample.blocks).draws
    assert parts.shape == whole.shape == (1000, 1 + len(PERCENTILES))
    assert np.quantile(parts[:, 0], 0.5) == pytest.approx(np.quantile(whole[:, 0], 0.5), rel=0.02)


@pytest.mark.parametrize("blocks", [3, 5, 10])
@pytest.mark.parametrize(("between", "within"), [(0.0, 0.1), (0.05, 0.05), (0.1, 0.02)])
def test_the_interval_holds_the_truth_as_often_as_it_says(blocks, between, within, monkeypatch):
    """Of 200 simulated cases at least 89 %: 91 % less what the simulation may be off."""
    monkeypatch.setattr(intervals, "RESAMPLES", 300)
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        low, high = drawn(rng, blocks, 40, between, within).interval()
        hits += low <= 1 <= high
    assert hits / 200 >= 0.89


def count_hits(name, truth, *, between, within):
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        low, high = drawn(rng, 3, 40, between, within).interval(name)
        hits += low <= truth <= high
    return hits / 200


def test_without_widening_three_blocks_would_hold_a_percentile_too_rarely(monkeypatch):
    monkeypatch.setattr(intervals, "RESAMPLES", 300)
    # What blocks and requests differ by adds up: so does the percentile of all requests.
    truth = math.exp(1.2816 * math.hypot(0.02, 0.05))
    widened = count_hits("p90", truth, between=0.02, within=0.05)
    monkeypatch.setattr(intervals, "find_widening", lambda _: 1.0)
    assert count_hits("p90", truth, between=0.02, within=0.05) < 0.92 < widened


def test_widening_is_students_t_over_the_normal():
    assert find_widening(1) == 1.0
    assert find_widening(3) == pytest.approx(4.3027 / 1.959964)
    assert find_widening(31) == pytest.approx(2.0423 / 1.959964)
    assert find_widening(500) == 1.0
    assert all(find_widening(n) > find_widening(n + 1) for n in range(2, 31))


def test_the_interval_of_the_median_is_students_of_block_medians():
    """By hand: logarithms 0, 0.1 and 0.2, t(97.5 %, 2) = 4.3027, error 0.1 / sqrt(3)."""
    sample = latency(*(np.full(9, math.exp(value)) for value in (0.0, 0.1, 0.2)))
    half = 4.3027 * 0.1 / math.sqrt(3)
    assert sample.interval() == pytest.approx(
        (math.exp(0.1 - half), math.exp(0.1 + half)), rel=1e-4
    )
    assert sample.precision == pytest.approx(math.sinh(half), rel=1e-4)
    assert latency([1.0, 2.0]).precision is None


def test_the_interval_of_two_far_blocks_is_wide_and_finite():
    low, high = latency([1e-4], [1.0]).interval()
    assert 0 < low < 1e-4 < 1 < high < math.inf
