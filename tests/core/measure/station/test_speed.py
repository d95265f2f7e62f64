from itertools import pairwise

import pytest

from edgebench.measure.station import speed
from edgebench.measure.station.speed import (
    FEW_TIMES,
    LEAST_S,
    LONG_S,
    TIMES,
    compare,
    tier_check,
)

ENFORCED = {"cpu": "emulated: waits 1 x each computation"}


def check(plain, limited, slowdown=2.0):
    found = {"plain": plain, "limited": limited}
    return tier_check("edge", slowdown, 1, ENFORCED, found)


def test_the_speed_is_the_ratio_of_the_medians():
    made = check([1e-3] * 7, [2e-3] * 7)
    assert (made.claimed, made.measured, made.measured_p95) == (0.5, 0.5, 0.5)
    assert made.ok
    assert made.work_s == 1e-3
    assert made.enforced == ENFORCED


@pytest.mark.parametrize(("took", "ok"), [(2.2e-3, True), (2.5e-3, False), (1.6e-3, False)])
def test_a_tier_is_what_it_claims_within_15_percent(took, ok):
    assert check([1e-3] * 7, [took] * 7).ok is ok


def test_the_tail_is_told_apart_from_the_median():
    made = check([1e-3] * 7, [2e-3] * 6 + [60e-3])
    assert made.ok
    assert made.measured_p95 < 0.1


class Clock:
    """A clock that only the work and the waiting of a test move; each product takes so long."""

    def __init__(self, product=5_000):
        self.ns, self.product, self.products = 0, product, 0
        self.interrupted = set()

    def multiply(self, *_):
        self.products += 1
        self.ns += self.product * (100 if self.products in self.interrupted else 1)

    def wait_until(self, due):
        self.ns = max(self.ns, due)
        return self.ns


@pytest.fixture
def clock(monkeypatch):
    """Let the work of `compare` take the time of a clock that is no machine's."""
    clock = Clock()
    monkeypatch.setattr(speed, "now", lambda: clock.ns)
    monkeypatch.setattr(speed, "wait_until", clock.wait_until)
    monkeypatch.setattr(speed.np, "matmul", clock.multiply)
    return clock


@pytest.mark.parametrize("seconds", [1e-3, 16e-3, 99e-3])
def test_the_fixed_computation_is_as_long_as_asked(clock, seconds):
    found = compare(seconds, 1.0)
    assert found["plain"] == pytest.approx([seconds] * TIMES, abs=5e-6)
    assert found["limited"] == found["plain"]


def test_an_interrupted_calibration_makes_the_work_no_shorter(clock):
    clock.interrupted = set(range(10, 100))
    assert compare(1e-3, 1.0)["plain"] == pytest.approx([1e-3] * TIMES, abs=5e-6)


def test_the_slower_tier_is_slower_by_the_factor(clock):
    found = compare(1e-3, 4.0)
    assert found["limited"] == pytest.approx([4 * took for took in found["plain"]])
    assert tier_check("edge", 4.0, 1, ENFORCED, found).measured == pytest.approx(0.25)


def test_with_and_without_limits_alternate(clock, monkeypatch):
    waits = []
    monkeypatch.setattr(
        speed, "wait_until", lambda due: waits.append(clock.ns) or clock.wait_until(due)
    )
    found = compare(1e-3, 2.0)
    period = round(1e9 * (found["plain"][0] + found["limited"][0]))
    assert {after - before for before, after in pairwise(waits)} == {period}


def test_very_short_work_is_stretched_to_what_can_be_timed(clock):
    assert compare(0.0, 1.0)["plain"] == pytest.approx([LEAST_S] * TIMES, abs=5e-6)


def test_long_work_is_done_a_few_times_and_is_no_longer_than_a_quotas_period(clock):
    assert compare(0.11, 1.0)["plain"] == pytest.approx([LONG_S] * FEW_TIMES, abs=5e-6)


def test_the_work_is_real():
    """Timed on this machine it takes some time; how much is for `benchmarks/tier_speed.py`."""
    assert min(compare(1e-3, 1.0)["plain"]) > 0
