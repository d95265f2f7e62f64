import pytest

from edgebench.measure.station.speed import FEW_TIMES, LEAST_S, TIMES, compare, tier_check

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


def test_the_fixed_computation_is_about_as_long_as_asked():
    short, long = compare(1e-3, 1.0), compare(16e-3, 1.0)
    assert len(short["plain"]) == len(short["limited"]) == TIMES
    # Sixteen times as long, give or take what else the machine does.
    assert 4 < min(long["plain"]) / min(short["plain"]) < 64


def test_the_slower_tier_is_slower_by_the_factor():
    found = compare(1e-3, 4.0)
    assert min(found["limited"]) >= 4 * min(found["plain"]) * 0.9


def test_very_short_work_is_stretched_to_what_can_be_timed():
    assert max(compare(0.0, 1.0)["plain"]) >= LEAST_S / 3


def test_long_work_is_done_a_few_times():
    assert len(compare(0.11, 1.0)["plain"]) == FEW_TIMES
