"""Links and placements between tiers."""

from __future__ import annotations

from edgebench import Link, Placement


def test_a_link_joins_its_tiers_both_ways():
    link = Link(between=["mobile", "edge"], rate=1.0)
    assert link.joins("edge", "mobile")
    assert link.joins("mobile", "edge")
    assert not link.joins("mobile", "cloud")
    assert str(Placement(["mobile", "edge"])) == "mobile-edge"
