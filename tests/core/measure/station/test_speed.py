import os

import pytest

from edgebench.measure.station import speed, watch
from edgebench.measure.station.speed import FEW_TIMES, LEAST_S, TIMES, compare_speeds


@pytest.fixture
def products(monkeypatch):
    """Count the products of matrices, on a clock by which each takes 0.1 ms."""
    made = []
    monkeypatch.setattr(speed.np, "matmul", lambda *_: made.append(1))
    for module in (speed, watch):
        monkeypatch.setattr(module, "now", lambda: len(made) * 100_000)
    monkeypatch.setattr(watch, "wait_until", lambda due: due)
    return made


@pytest.mark.parametrize("seconds", [1e-3, 16e-3, 99e-3])
def test_the_fixed_computation_is_as_long_as_asked(products, seconds):
    found = compare_speeds(seconds, 1.0)
    assert found["plain"] == found["limited"] == [seconds] * TIMES


def test_the_slower_tier_is_slower_by_the_factor(products):
    found = compare_speeds(1e-3, 4.0)
    assert found["plain"] == [1e-3] * TIMES
    assert found["limited"] == [4e-3] * TIMES


def test_very_short_work_is_stretched_to_what_can_be_timed(products):
    assert compare_speeds(0.0, 1.0)["plain"] == [LEAST_S] * TIMES


def test_a_real_product_takes_time():
    found = compare_speeds(1e-3, 2.0)
    assert 0 < found["processors"] <= os.cpu_count()
    assert min(found["plain"]) > 0
    assert min(found["limited"]) > 0


@pytest.mark.parametrize("seconds", [0.1, 0.11, 5.0])
def test_long_work_is_done_a_few_times_and_made_no_longer_than_a_quota(products, seconds):
    assert compare_speeds(seconds, 1.0)["plain"] == [0.1] * FEW_TIMES
