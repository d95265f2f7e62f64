from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import Link, Placement
from edgebench.cases.routes import find_input_tier, find_route, list_placements, parse_placement
from edgebench.parts.errors import ChainError, UnknownName

NEAR = Link(between=("mobile", "edge"), rate=2e8)
FAR = Link(between=("edge", "cloud"), rate=1e6)
TIERS = ["mobile", "edge", "cloud"]


def route(placement: str, *links: Link):
    tiers, passed = find_route(Placement(placement.split("-")), links)
    return "-".join(tiers), passed


def test_the_input_is_where_the_links_begin():
    assert [find_input_tier(tier, [NEAR, FAR]) for tier in TIERS] == ["mobile"] * 3


def test_a_tier_without_links_holds_its_own_input():
    assert route("watch", NEAR, FAR) == ("watch", ())


def test_links_in_a_circle_end_somewhere():
    back = Link(between=("cloud", "mobile"), rate=1e6)
    assert find_input_tier("edge", [NEAR, FAR, back]) in TIERS


@pytest.mark.parametrize(
    ("placement", "passed"),
    [
        ("mobile", "mobile"),
        ("cloud", "mobile-edge-cloud"),
        ("mobile-cloud", "mobile-edge-cloud"),
        ("edge-cloud", "mobile-edge-cloud"),
        ("mobile-edge-cloud", "mobile-edge-cloud"),
        ("cloud-edge", "mobile-edge-cloud-edge"),
    ],
)
def test_a_request_is_relayed_between_tiers_that_are_not_neighbours(placement, passed):
    tiers, links = route(placement, NEAR, FAR)
    assert tiers == passed
    assert len(links) == passed.count("-")


def test_a_direct_link_is_taken_where_there_is_one():
    direct = Link(between=("mobile", "cloud"), rate=1e7)
    assert route("cloud", NEAR, direct) == ("mobile-cloud", (direct,))


def test_no_way_between_tiers_says_which_link_is_missing():
    with pytest.raises(
        ChainError, match="no link leads from mobile to cloud; give one with --link"
    ):
        route("mobile-cloud", NEAR)


def test_a_placement_names_known_tiers_once():
    assert parse_placement("mobile-edge", TIERS).tiers == ("mobile", "edge")
    with pytest.raises(UnknownName, match="no tier is called 'egde'; did you mean 'edge'"):
        parse_placement("mobile-egde", TIERS)
    with pytest.raises(ChainError, match="names a tier twice"):
        parse_placement("edge-edge", TIERS)


def test_all_placements_of_three_tiers():
    assert list_placements(TIERS) == [
        "mobile", "edge", "cloud", "mobile-edge", "mobile-cloud", "edge-cloud", "mobile-edge-cloud",
    ]  # fmt: skip


@given(st.permutations(TIERS), st.integers(1, 3))
def test_a_route_visits_the_placement_in_order_over_real_links(order, length):
    chosen = order[:length]
    tiers, links = find_route(Placement(chosen), [NEAR, FAR])
    rest = iter(tiers)
    assert all(tier in rest for tier in chosen)
    for link, (here, there) in zip(links, pairwise(tiers), strict=True):
        assert link.joins(here, there)
