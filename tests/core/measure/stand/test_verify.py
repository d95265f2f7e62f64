import pytest

from edgebench import Link
from edgebench.measure.stand.verify import check_link, check_tier

LINK = Link(between=("mobile", "edge"), rate=8e6, delay=1e-3)


def found(forward=(1000, 3e-3), backward=(10, 2e-3), round_trip=2e-3):
    return {
        "round_trip": round_trip,
        "forward": {"bytes": forward[0], "seconds": forward[1]},
        "backward": {"bytes": backward[0], "seconds": backward[1]},
    }


def test_a_check_each_way_with_what_is_expected():
    forward, backward = check_link(LINK, "mobile", "edge", "before", found())
    assert (forward.source, forward.target, backward.source, backward.target) == (
        "mobile",
        "edge",
        "edge",
        "mobile",
    )
    # A thousand bytes at a megabyte a second, and the round trip of an empty message.
    assert forward.expected_s == pytest.approx(3e-3)
    assert forward.goodput_bit_s == pytest.approx(8e6)
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


def test_no_goodput_is_made_of_what_is_within_the_noise():
    _, backward = check_link(LINK, "mobile", "edge", "before", found())
    assert backward.goodput_bit_s is None


ENFORCED = {"cpu": "emulated: waits 1 x each computation"}


def tier(plain, limited, slowdown=2.0):
    return check_tier("edge", slowdown, 1, ENFORCED, {"plain": plain, "limited": limited})


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
