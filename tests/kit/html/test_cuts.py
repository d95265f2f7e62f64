from __future__ import annotations

import attrs
import pytest

from edgebench import Link
from edgebench.records.facts import StageFacts
from edgebench.testing.results import case_of, result_of, run_of
from edgebench_kit.html.cuts import find_curves, find_share
from edgebench_kit.reports.answers import describe_run


def cut(chain, first, second, *, counted=True):
    """A result in two pieces with so many operations each, or so many bytes."""
    result = result_of(case_of(chain, "mobile", "edge"))
    stages = [
        StageFacts(tier=tier, bytes=size, operations=size if counted else None)
        for tier, size in (("mobile", first), ("edge", second))
    ]
    return attrs.evolve(result, facts=attrs.evolve(result.facts, stages=tuple(stages)))


def cases_of(*results):
    return describe_run(run_of(results))["cases"]


@pytest.mark.parametrize("counted", [True, False])
def test_the_share_of_the_first_tier_is_of_operations_or_else_of_bytes(counted):
    (case,) = cases_of(cut("cut", 30, 90, counted=counted))
    assert find_share(case) == 0.25


def test_no_share_is_known_where_nothing_is_counted():
    (case,) = cases_of(cut("cut", None, 90))
    assert find_share(case) is None


def test_cuts_of_one_chain_make_a_curve_whatever_their_options_hold():
    found = cases_of(
        cut('cut(at="a+b(c)")', 75, 25),
        cut("cut(at=x)", 25, 75),
        cut("cut", 50, 50),
        cut("b", 1, 2),
    )
    (curve,) = find_curves(found)
    assert curve.shares == [25, 50, 75]
    assert curve.label == "cut on mobile-edge with eager"


def test_two_cuts_make_no_curve():
    assert list(find_curves(cases_of(cut("cut(at=a)", 1, 2), cut("cut(at=b)", 2, 2)))) == []


def test_the_same_cuts_under_several_networks_are_a_curve_each_that_says_which():
    found = []
    for rate in (1e6, 1e7):
        for share in (25, 50, 75):
            one = cut(f"cut(at={share})", share, 100 - share)
            links = [Link(between=link.between, rate=rate, delay=0.01) for link in one.case.links]
            found.append(attrs.evolve(one, case=attrs.evolve(one.case, links=links)))
    assert [curve.label for curve in find_curves(cases_of(*found))] == [
        f"cut on mobile-edge with eager, mobile-edge {rate} Mbit/s 10 ms" for rate in (1, 10)
    ]
