from __future__ import annotations

import attrs
import numpy as np
import pytest

from edgebench.analysis.explanation import Explainer
from edgebench.analysis.prices import Prices, find_carried, find_slowdown, find_tier_seconds
from edgebench.catalogue.registry import Registry
from edgebench.parts.places import Link
from edgebench.records.facts import StepFacts
from edgebench.testing.results import case_of, result_of

PRICED = """
    [tiers.mobile]
    summary = "Mine."
    cpus = 1
    memory_gib = 1
    price_per_hour = 0
    source = "the device is there anyway"

    [tiers.edge]
    summary = "Rented."
    cpus = 1
    memory_gib = 1
    price_per_hour = 3.6
    source = "the list price of a provider, seen on 2026-01-02"

    [[links]]
    between = ["mobile", "edge"]
    rate = "100mbit"
    price_per_gb = 0.5
    source = "the tariff of a provider, seen on 2026-01-02"
"""


def cut_in_two():
    """A case on two tiers: 1 ms on the first, slowed to half, 3 ms on the other."""
    case = case_of("cut", "mobile", "edge")
    made = result_of(case, blocks=2)
    phases = {
        "decode": np.full(4, 0.25e-3),
        "inference-0": np.full(4, 0.75e-3),
        "serialise-0": np.full(4, 0.5e-3),
        "emulated-wait": np.full(4, 4.0e-3),
        "transfer-0": np.full(4, 9e-3),
        "inference-1": np.full(4, 2.5e-3),
        "queue": np.full(4, 7e-3),
        "postprocess": np.full(4, 0.5e-3),
        "downlink": np.full(4, 1e-3),
    }
    total = sum(phases.values())
    blocks = [attrs.evolve(b, phases_s=phases, latency_s=total) for b in made.blocks]
    return attrs.evolve(made, blocks=tuple(blocks))


@pytest.fixture
def prices(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(PRICED)
    registry = Registry.of([file])
    return Prices(tiers=registry.tiers, links=registry.links)


def test_each_phase_keeps_the_tier_at_work_that_it_runs_on():
    # Both tiers claim half of this machine's speed, so each waits as long as it computes.
    found = find_tier_seconds(cut_in_two())
    assert found == pytest.approx({"mobile": 1.5e-3 + 4e-3 / 3, "edge": 3e-3 + 8e-3 / 3})


def test_a_price_is_seconds_of_tiers_and_bytes_of_links(prices):
    result = cut_in_two()
    edge_s = find_tier_seconds(result)["edge"]
    # 3.6 an hour is 0.001 a second; 10,000 bytes there and 100 back, 0.5 a gigabyte.
    expected = 1e-3 * edge_s + 10_100 / 1e9 * 0.5
    assert prices.find_price(result) == (pytest.approx(expected), "")
    assert find_carried(result) == {("mobile", "edge"): 10_100.0}


def test_a_price_that_is_not_stated_is_named():
    price, why = Prices(tiers={}, links=()).find_price(cut_in_two())
    assert price is None
    assert why == (
        "the registry states no price of the tier mobile and the tier edge and the link mobile-edge"
    )


def test_a_link_of_the_case_s_own_suite_may_have_the_price(prices):
    result = cut_in_two()
    (own,) = result.case.links
    priced = attrs.evolve(result.case, links=(attrs.evolve(own, price_per_gb=1.0),))
    alone = Prices(tiers=prices.tiers, links=())
    assert alone.find_price(attrs.evolve(result, case=priced))[0] is not None
    assert alone.find_price(result)[0] is None


def test_a_price_is_a_number_of_at_least_nothing(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(PRICED.replace("3.6", "-1"))
    with pytest.raises(Exception, match=r"price_per_hour: must be a number greater than 0, not -1"):
        Registry.of([file])
    assert Link(between=("a", "b"), rate=1.0).price_per_gb is None


def test_what_each_operator_and_hop_contributed():
    steps = [
        StepFacts(what="built"),
        StepFacts(what="shrink", chain="shrink", operator=True),
        StepFacts(what="cut", chain="shrink+cut", operator=True),
    ]
    plain = result_of(case_of("identity"), median_s=4e-3, spread=0.001)
    small = result_of(case_of("shrink"), median_s=2e-3, spread=0.001, seed=1)
    case = case_of("shrink+cut", "mobile", "edge")
    whole = result_of(case, median_s=3e-3, spread=0.001, seed=2)
    whole = attrs.evolve(whole, facts=attrs.evolve(whole.facts, steps=tuple(steps)))
    found = Explainer([plain, small, whole]).explain(whole)
    shrink, cut = found.steps
    assert (shrink.operator, shrink.against) == ("shrink", "identity on mobile")
    assert shrink.ratio[0] == pytest.approx(0.5, rel=0.01)
    assert (cut.operator, cut.against) == ("cut", "shrink on mobile")
    assert cut.ratio[0] == pytest.approx(1.5, rel=0.01)
    assert cut.bytes_ratio == pytest.approx(2.0)
    (hop,) = found.hops
    assert (hop.source, hop.target, hop.bytes) == ("mobile", "edge", 10_100.0)
    assert hop.claimed_s == pytest.approx(10_100 * 8 / 100e6 + 2e-3)
    alone = Explainer([whole]).explain(whole)
    assert [one.why_not for one in alone.steps] == [
        "identity was not measured in this run",
        "shrink was not measured in this run",
    ]


def test_what_leaves_on_the_first_tier_brings_no_answer_back():
    result = cut_in_two()
    # Of four requests one is sent on; the others have left behind the first stage.
    gone = np.array([np.nan, np.nan, np.nan, 2.5e-3])
    blocks = [
        attrs.evolve(b, phases_s={**b.phases_s, "inference-1": gone}, exit_rates={"0": 0.75})
        for b in result.blocks
    ]
    result = attrs.evolve(result, blocks=tuple(blocks))
    assert find_carried(result) == {("mobile", "edge"): pytest.approx(10_100 / 4)}
    (hop,) = Explainer([result]).explain(result).hops
    assert hop.claimed_s == pytest.approx((10_100 * 8 / 100e6 + 2e-3) / 4)


def test_a_tier_that_enforces_its_speed_is_not_slowed_once_more():
    result = cut_in_two()
    blocks = [
        attrs.evolve(b, tiers=tuple(attrs.evolve(t, enforced={"cpu": "a quota"}) for t in b.tiers))
        for b in result.blocks
    ]
    assert [find_slowdown(result, tier) for tier in ("mobile", "edge")] == [2.0, 2.0]
    held = attrs.evolve(result, blocks=tuple(blocks))
    assert [find_slowdown(held, tier) for tier in ("mobile", "edge")] == [1.0, 1.0]
