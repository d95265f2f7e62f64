import attrs
import pytest

from edgebench import Placement


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
