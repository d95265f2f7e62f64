from types import SimpleNamespace

import attrs
import pytest

from edgebench.measure.stand.lineup import Lineup
from edgebench.measure.station.orders import SenderOrder


def hosts(**changes):
    def put(path):
        return path

    def host():
        plain = {"paced": True, "slowdown": 4.0, "threads": 2, "put": put}
        return SimpleNamespace(**{**plain, **changes})

    return {name: host() for name in ("mobile", "edge", "cloud")}


@pytest.fixture
def lineup(deploy):
    def make(placement, shaped=True, case=None, **changes):
        return Lineup(deploy(placement, case=case), hosts(**changes), shaped)

    return make


def orders(made):
    return {node.tier: order for node, order in made.host_orders("ipc://x")}


def test_the_scorer_stands_where_the_driver_stands(lineup):
    made = lineup("edge-cloud")
    driver, scorer = made.driver_order("ipc://x"), made.scorer_order("ipc://x")
    alike = [field.name for field in attrs.fields(SenderOrder)]
    assert [getattr(scorer, name) for name in alike] == [getattr(driver, name) for name in alike]
    assert scorer.case["model"] == "tiny"
    assert scorer.artifact == made.deployment.artifact


def test_only_a_scoring_of_a_few_samples_is_bounded(lineup):
    made = lineup("edge")
    bounded = attrs.evolve(made, deployment=attrs.evolve(made.deployment, bound_s=4.0))
    assert bounded.scorer_order("ipc://x").bound_s == 0.0
    few = attrs.evolve(made, deployment=attrs.evolve(bounded.deployment, scored=16))
    assert few.scorer_order("ipc://x").bound_s == 4.0


@pytest.mark.parametrize(
    ("placement", "nodes", "forward", "backward"),
    [
        ("mobile", {"mobile": 0}, [("local-hop", 0)], "local-hop"),
        ("edge", {"edge": 0}, [("uplink", 0)], "downlink"),
        ("cloud", {"edge": None, "cloud": 0}, [("uplink", 0), ("uplink", 0)], "downlink"),
        (
            "mobile-edge",
            {"mobile": 0, "edge": 1},
            [("local-hop", 0), ("transfer", 0)],
            "local-hop",
        ),
        (
            "mobile-cloud",
            {"mobile": 0, "edge": None, "cloud": 1},
            [("local-hop", 0), ("transfer", 0), ("transfer", 1)],
            "local-hop",
        ),
        (
            "edge-cloud",
            {"edge": 0, "cloud": 1},
            [("uplink", 0), ("transfer", 0)],
            "downlink",
        ),
        (
            "mobile-edge-cloud",
            {"mobile": 0, "edge": 1, "cloud": 2},
            [("local-hop", 0), ("transfer", 0), ("transfer", 1)],
            "local-hop",
        ),
    ],
)
def test_who_stands_where_and_what_each_way_is_called(lineup, placement, nodes, forward, backward):
    made = lineup(placement)
    assert {node.tier: node.piece for node in made.nodes} == nodes
    assert [order.forward_phase for order in orders(made).values()] == forward
    assert made.driver_order("ipc://x").backward_phase[0] == backward
    for order in orders(made).values():
        assert order.backward_phase == ("downlink", 0)
        assert (order.work is None) == (nodes[order.tier] is None)
    assert [order.last for order in orders(made).values()] == [False] * (len(nodes) - 1) + [True]


def test_each_direction_of_a_link_is_paced_by_its_receiver(lineup):
    made = lineup("mobile-edge-cloud")
    got = orders(made)
    first, second = made.deployment.case.links
    assert (got["mobile"].forward_link, got["mobile"].backward_link) == (None, first)
    assert (got["edge"].forward_link, got["edge"].backward_link) == (first, second)
    assert (got["cloud"].forward_link, got["cloud"].backward_link) == (second, None)
    assert made.driver_order("ipc://x").backward_link is None
    assert lineup("edge").driver_order("ipc://x").backward_link == first


def test_a_link_that_is_real_is_not_paced(lineup):
    for order in orders(lineup("mobile-edge", paced=False)).values():
        assert (order.forward_link, order.backward_link) == (None, None)


def test_scoring_feels_neither_links_nor_slowdowns(lineup):
    for order in orders(lineup("mobile-edge", shaped=False)).values():
        assert (order.forward_link, order.backward_link) == (None, None)
        assert order.work.slowdown == 1.0
    assert orders(lineup("mobile-edge"))["edge"].work.slowdown == 4.0


def test_the_sending_end_of_a_link_is_the_driver_where_no_host_is(lineup):
    assert [lineup("cloud").sender(n) for n in (0, 1)] == ["driver", "host edge"]
    assert lineup("mobile-edge").sender(0) == "host mobile"


def test_the_user_decides_on_threads_before_the_host(lineup):
    assert orders(lineup("mobile"))["mobile"].work.threads == 2
    assert orders(lineup("mobile", case={"threads": 3}))["mobile"].work.threads == 3
