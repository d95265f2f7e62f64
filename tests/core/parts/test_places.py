"""Links and placements between tiers."""

from __future__ import annotations

import pytest

from edgebench import Link, Placement, Tier


def test_a_link_joins_its_tiers_both_ways():
    link = Link(between=["mobile", "edge"], rate=1.0)
    assert link.joins("edge", "mobile")
    assert link.joins("mobile", "edge")
    assert not link.joins("mobile", "cloud")
    assert str(Placement(["mobile", "edge"])) == "mobile-edge"


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Tier(name="a", summary="A.", cpus="four", memory=1), "cpus"),
        (lambda: Tier(name="a", summary="A.", cpus=1, memory=None), "memory"),
        (lambda: Tier(name="a", summary="A.", cpus=True, memory=1), "cpus"),
        (lambda: Link(between=("a", "b"), rate="1mbit"), "rate"),
        (lambda: Link(between=("a", "b"), rate=1, delay="1ms"), "delay"),
    ],
)
def test_what_is_no_number_is_refused_by_the_name_of_its_field(make, field):
    with pytest.raises(ValueError, match=f"^{field} must be a number, not "):
        make()
