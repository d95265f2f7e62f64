from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import Link, Placement
from edgebench.cases.routes import find_route, list_placements, parse_placement
from edgebench.parts.errors import ChainError, UnknownName

NEAR = Link(between=("mobile", "edge"), rate=2e8)
FAR = Link(between=("edge", "cloud"), rate=1e6)
TIERS = ["mobile", "edge", "cloud"]


def route(placement: str, *links: Link, input_at: str = "", default: str = "mobile"):
    tiers, passed = find_route(Placement(placement.split("-")), links, input_at, default)
    return "-".join(tiers), passed


def test_the_input_is_where_it_is_said_to_be():
    assert route("edge", NEAR, FAR) == ("mobile-edge", (NEAR,))
    assert route("edge", NEAR, FAR, input_at="cloud") == ("cloud-edge", (FAR,))
    assert route("edge", NEAR, FAR, input_at="edge") == ("edge", ())
    assert route("edge", NEAR, FAR, default="cloud") == ("cloud-edge", (FAR,))


def test_a_link_that_leads_to_the_input_does_not_move_it():
    watch = Link(between=("watch", "mobile"), rate=2e6)
    assert route("mobile", NEAR, FAR, watch) == ("mobile", ())
    assert route("watch-mobile", watch, input_at="watch") == ("watch-mobile", (watch,))


PHONE = Link(between=("phone", "server"), rate=1e7)


@pytest.mark.parametrize(
    ("default", "said"),
    [
        ("", "say --input-at: which of phone, server holds the input?"),
        (
            "mobile",
            (
                "say --input-at: which of phone, server holds the input? "
                "(no link leads to server from mobile, the default)"
            ),
        ),
    ],
)
def test_which_of_several_holds_the_input_is_asked(default, said):
    with pytest.raises(ChainError) as caught:
        route("server", NEAR, PHONE, default=default)
    assert str(caught.value) == said
    assert route("server", NEAR, PHONE, input_at="phone", default=default)[0] == "phone-server"


def test_a_tier_without_links_is_not_taken_for_the_one_that_holds_the_input():
    with pytest.raises(ChainError) as caught:
        route("server", NEAR, FAR)
    assert str(caught.value) == (
        "no link leads from mobile to server; give one with --link mobile-server=RATE, or say "
        "--input-at server if it holds the input"
    )
    assert route("server", NEAR, FAR, input_at="server") == ("server", ())


def test_where_no_tier_but_one_can_hold_the_input_it_does():
    assert route("server", NEAR, FAR, default="") == ("server", ())


def test_from_a_tier_that_was_named_without_a_link_the_link_is_missing():
    with pytest.raises(ChainError) as caught:
        route("phone", NEAR, FAR, input_at="mobile")
    assert str(caught.value) == (
        "no link leads from mobile to phone; give one with --link mobile-phone=RATE"
    )


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
    tiers, links = find_route(Placement(chosen), [NEAR, FAR], "mobile")
    rest = iter(tiers)
    assert all(tier in rest for tier in chosen)
    for link, (here, there) in zip(links, pairwise(tiers), strict=True):
        assert link.joins(here, there)
