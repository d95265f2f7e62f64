from types import SimpleNamespace

import attrs
import pytest

from edgebench import Placement
from edgebench.measure.stand.deployment import Stand
from edgebench.measure.transport.pace import Pacing


def hosts(**changes):
    def put(path):
        return path

    def host():
        plain = {"paced": True, "slowdown": 4.0, "threads": 2, "put": put}
        return SimpleNamespace(**{**plain, **changes})

    return {name: host() for name in ("mobile", "edge", "cloud")}


@pytest.fixture
def stand(deploy):
    def make(placement, shaped=True, case=None, **changes):
        return Stand(deploy(placement, case=case), hosts(**changes), shaped)

    return make


def orders(stand):
    return {node.tier: order for node, order in stand.orders("ipc://x")}


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
def test_who_stands_where_and_what_each_way_is_called(stand, placement, nodes, forward, backward):
    made = stand(placement)
    assert {node.tier: node.piece for node in made.nodes} == nodes
    assert [order.forward_phase for order in orders(made).values()] == forward
    assert made.driver("ipc://x").backward_phase[0] == backward
    for order in orders(made).values():
        assert order.backward_phase == ("downlink", 0)
        assert (order.work is None) == (nodes[order.tier] is None)
    assert [order.last for order in orders(made).values()] == [False] * (len(nodes) - 1) + [True]


def test_each_direction_of_a_link_is_paced_by_its_receiver(stand):
    made = stand("mobile-edge-cloud")
    got = orders(made)
    first, second = (Pacing.of(link) for link in made.deployment.case.links)
    assert (got["mobile"].forward_pacing, got["mobile"].backward_pacing) == (None, first)
    assert (got["edge"].forward_pacing, got["edge"].backward_pacing) == (first, second)
    assert (got["cloud"].forward_pacing, got["cloud"].backward_pacing) == (second, None)
    assert made.driver("ipc://x").backward_pacing is None
    assert stand("edge").driver("ipc://x").backward_pacing == first


def test_a_link_that_is_real_is_not_paced(stand):
    for order in orders(stand("mobile-edge", paced=False)).values():
        assert (order.forward_pacing, order.backward_pacing) == (None, None)


def test_scoring_feels_neither_links_nor_slowdowns(stand):
    for order in orders(stand("mobile-edge", shaped=False)).values():
        assert (order.forward_pacing, order.backward_pacing) == (None, None)
        assert order.work.slowdown == 1.0
    assert orders(stand("mobile-edge"))["edge"].work.slowdown == 4.0


def test_the_sending_end_of_a_link_is_the_driver_where_no_host_is(stand):
    assert [stand("cloud").sender(n) for n in (0, 1)] == ["driver", "host edge"]
    assert stand("mobile-edge").sender(0) == "host mobile"


def test_the_user_decides_on_threads_before_the_host(stand):
    assert orders(stand("mobile"))["mobile"].work.threads == 2
    assert orders(stand("mobile", case={"threads": 3}))["mobile"].work.threads == 3


def test_a_placement_must_have_as_many_tiers_as_pieces(deploy):
    made = deploy("mobile-edge")
    wrong = attrs.evolve(
        made.case, placement=Placement(["mobile"]), backends=made.case.backends[:1]
    )
    with pytest.raises(ValueError, match="mobile needs 1 pieces, not 2"):
        attrs.evolve(made, case=wrong)


def test_tiers_and_links_must_be_those_of_the_route(deploy):
    made = deploy("mobile-edge")
    with pytest.raises(ValueError, match="must be those of the route"):
        attrs.evolve(made, tiers=made.tiers[:1])
    with pytest.raises(ValueError, match="a route of 2 tiers needs"):
        attrs.evolve(made, case=attrs.evolve(made.case, links=()))
