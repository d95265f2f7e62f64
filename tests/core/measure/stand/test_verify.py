from types import SimpleNamespace

import pytest

from edgebench import Link, Tier
from edgebench.measure.stand.verify import check_link, check_tier

LINK = Link(between=("mobile", "edge"), rate=8e6, delay=1e-3)


def found(forward=(1000, 3e-3), backward=(10, 2e-3), round_trip=2e-3):
    return {
        "round_trip": round_trip,
        "forward": {"bytes": forward[0], "seconds": forward[1]},
        "backward": {"bytes": backward[0], "seconds": backward[1]},
    }


def test_a_check_each_way_with_what_is_claimed():
    forward, backward = check_link(LINK, "mobile", "edge", "before", found())
    assert (forward.source, forward.target, backward.source, backward.target) == (
        "mobile",
        "edge",
        "edge",
        "mobile",
    )
    # A thousand bytes at a megabyte a second, and the delay there and back.
    assert forward.expected_s == pytest.approx(3e-3)
    assert (forward.message_bytes, backward.message_bytes) == (1000, 10)
    assert forward.ok
    assert forward.when == "before"


@pytest.mark.parametrize(
    ("size", "extra", "ok"),
    [
        (1000, 0.4e-3, True),
        (1000, 0.6e-3, False),
        (1000, -0.6e-3, False),
        (100_000, 4e-3, True),
        (100_000, 6e-3, False),
    ],
)
def test_the_bound_is_a_twentieth_or_half_a_millisecond(size, extra, ok):
    seconds = size * 8 / LINK.rate + 2e-3 + extra
    forward, _ = check_link(LINK, "mobile", "edge", "after", found(forward=(size, seconds)))
    assert forward.ok is ok
    assert [one.ok for one in forward.deviations] == [True, ok]


def test_a_late_round_trip_fails_alone_and_is_not_expected_of_the_transfer():
    """A busy machine: 49.39 kB at 1 Mbit/s took what they should, an empty message 4.7 ms."""
    slow = Link(between=("edge", "cloud"), rate=1e6)
    noisy = found(forward=(49_390, 395.6e-3), backward=(31, 4.5e-3), round_trip=4.7e-3)
    forward, _ = check_link(slow, "edge", "cloud", "before", noisy)
    assert not forward.ok
    assert forward.expected_s == pytest.approx(395.12e-3)
    idle, transfer = forward.deviations
    assert (idle.figure, idle.ok, idle.claimed_s, idle.allowed_s) == ("round trip", False, 0, 5e-4)
    assert (transfer.figure, transfer.ok) == ("transfer", True)
    assert transfer.allowed_s == pytest.approx(395.12e-3 * 0.05)


@pytest.mark.parametrize(
    ("rate", "delay", "size", "goodput"),
    [
        (200e6, 0.0, 200_000, 200e6),
        (1e6, 0.0, 200_000, 1e6),
        (200e6, 0.0, 31, None),
        (1e6, 0.0, 31, None),
        (2e6, 0.3, 31, None),
        (2e6, 0.3, 50_000, None),
        (2e6, 0.3, 1_000_000, 2e6),
    ],
)
def test_a_rate_is_told_only_where_the_bytes_take_longer_than_the_round_trip(
    rate, delay, size, goodput
):
    link = Link(between=("mobile", "edge"), rate=rate, delay=delay)
    idle = 2 * delay + 0.3e-3
    seen = found(forward=(size, size * 8 / rate + idle), round_trip=idle)
    forward, _ = check_link(link, "mobile", "edge", "before", seen)
    assert forward.goodput_bit_s == (goodput and pytest.approx(goodput))


def test_no_rate_is_told_of_a_short_message_that_was_late():
    """31 bytes that took 1.9 ms are no link of 0.15 Mbit/s."""
    fast = Link(between=("mobile", "edge"), rate=200e6)
    late = found(backward=(31, 1.9e-3), round_trip=0.2e-3)
    _, backward = check_link(fast, "mobile", "edge", "before", late)
    assert backward.goodput_bit_s is None


ENFORCED = {"cpu": "emulated: waits 1 x each computation"}


def tier(plain, limited, slowdown=2.0, **facts):
    edge = Tier(name="edge", summary="A tier.", cpus=8, memory=2**30, **facts)
    host = SimpleNamespace(tier=edge, slowdown=slowdown, enforced=ENFORCED)
    found = {"plain": plain, "limited": limited, "processors": 2.0}
    return check_tier(host, 1, found, "cpu")


def test_the_speed_is_the_ratio_of_the_medians():
    made = tier([1e-3] * 7, [2e-3] * 7)
    assert (made.claimed, made.measured, made.measured_p95) == (0.5, 0.5, 0.5)
    assert made.ok
    assert made.work_s == 1e-3
    assert made.enforced == ENFORCED


@pytest.mark.parametrize(("took", "ok"), [(2.2e-3, True), (2.5e-3, False), (1.6e-3, False)])
def test_a_tier_is_what_it_claims_within_15_percent(took, ok):
    assert tier([1e-3] * 7, [took] * 7).ok is ok


def test_the_tail_is_told_apart_from_the_median():
    made = tier([1e-3] * 7, [2e-3] * 6 + [60e-3])
    assert made.ok
    assert made.measured_p95 < 0.1


def test_what_a_tier_states_is_what_it_claims():
    stated = tier([1e-3] * 7, [2e-3] * 7, speed=0.5)
    assert (stated.claimed, stated.stated, stated.ok) == (0.5, 0.5, True)
    silent = tier([1e-3] * 7, [1e-3] * 7, slowdown=1.0)
    assert (silent.claimed, silent.stated, silent.ok) == (1.0, None, True)


def test_a_tier_that_states_more_than_this_machine_is_not_what_it_claims():
    fast = tier([1e-3] * 7, [1e-3] * 7, slowdown=1.0, speed=2.5)
    assert (fast.claimed, fast.measured, fast.ok) == (2.5, 1.0, False)


def test_what_it_ran_on_stands_beside_what_it_has():
    made = tier([1e-3] * 7, [2e-3] * 7, accelerator="A100")
    assert (made.accelerator, made.device, made.processors) == ("A100", "cpu", 2.0)
