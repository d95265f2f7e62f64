from __future__ import annotations

import attrs
import numpy as np
import pytest

from edgebench.analysis.cut_predictions import Candidate, find_models, find_share, predict_cuts
from edgebench.parts.units import parse_link
from edgebench.records.facts import Facts, StageFacts
from edgebench.testing.results import case_of, result_of

LINK = parse_link("mobile-edge=10mbit")
WHOLE_S, ANSWER = 8e-3, 100.0
"""What this machine takes for all of it, in seconds; the testing tiers are half as fast."""


def measured(chain, *tiers, share=1.0, sent=10e3, blocks=3):
    """A case that has a share of the operations on its first tier, the rest on the other."""
    case = case_of(chain, *tiers)
    case = attrs.evolve(case, links=(LINK,) if case.links else ())
    made = result_of(case, blocks=blocks)
    shares = [share, 1 - share][: len(tiers)]
    stages = tuple(
        StageFacts(tier=tier, operations=round(1e6 * own))
        for tier, own in zip(tiers, shares, strict=True)
    )
    found = []
    for number in range(blocks):
        slow = 1 + 0.05 * number
        phases = {
            f"inference-{n}": np.full(50, slow * own * WHOLE_S) for n, own in enumerate(shares)
        }
        # Each tier claims half of this machine's speed: it waits as long as it computes.
        phases["emulated-wait"] = np.full(50, slow * sum(shares) * WHOLE_S)
        if len(tiers) > 1:
            phases["transfer-0"] = np.full(50, sent * 8 / LINK.rate)
            phases["downlink"] = np.full(50, ANSWER * 8 / LINK.rate)
        found.append(
            attrs.evolve(
                made.blocks[number],
                latency_s=sum(phases.values()),
                phases_s=phases,
                bytes_out={"mobile": sent, "answer": ANSWER},
            )
        )
    return attrs.evolve(made, blocks=tuple(found), facts=Facts(stages=stages))


def predict(results, *candidates, links=()):
    uncut = {one.case.id: "plain" for one in results if len(one.case.placement.tiers) > 1}
    (model,) = find_models(results, uncut)
    found, refused = predict_cuts(model, candidates, links)
    assert not refused
    return found


def refuse(results, *candidates):
    uncut = {one.case.id: "plain" for one in results if len(one.case.placement.tiers) > 1}
    (model,) = find_models(results, uncut)
    found, (refused, *_) = predict_cuts(model, candidates, ())
    assert not found
    return refused


def slowed(result, factor, link=LINK, **fields):
    """The same as measured when the machine was so many times slower, under another link."""
    more = (link.delay - LINK.delay) * 2 + (10e3 + ANSWER) * 8 * (1 / link.rate - 1 / LINK.rate)
    blocks = [
        attrs.evolve(
            block,
            latency_s=block.latency_s * factor + (more if result.case.links else 0),
            phases_s={name: spent * factor for name, spent in block.phases_s.items()},
            **fields,
        )
        for block in result.blocks
    ]
    links = (link,) if result.case.links else ()
    return attrs.evolve(result, case=attrs.evolve(result.case, links=links), blocks=tuple(blocks))


CUT = measured("cut(at=1)", "mobile", "edge", share=0.4)
WHOLE = (measured("plain", "mobile"), measured("plain", "edge"))


def test_the_share_of_the_front_is_read_from_the_stages():
    assert find_share(CUT) == pytest.approx(0.4)
    assert find_share(result_of(case_of("plain"))) is None


def test_a_cut_elsewhere_takes_its_operations_and_its_bytes():
    elsewhere = Candidate(chain="cut(at=2)", bytes=30e3, share=0.7)
    (found,) = predict([CUT, *WHOLE], elsewhere)
    truth = measured("cut(at=2)", "mobile", "edge", share=0.7, sent=30e3)
    assert found.median_s == pytest.approx(truth.median, rel=1e-6)
    assert found.case.chain == "cut(at=2)"
    assert (found.kind, found.base, found.extrapolated) == ("cut", CUT.case.id, "")
    assert found.basis == (
        "the cut measured behind 40 % of the operations, and the whole on mobile and edge"
    )
    low, high = found.ci95_s
    assert low < found.median_s < high


def test_other_links_are_counted_too():
    elsewhere = Candidate(chain="cut(at=2)", bytes=30e3, share=0.7)
    (found,) = predict([CUT, *WHOLE], elsewhere, links=[parse_link("mobile-edge=1mbit,5ms")])
    slower = (30e3 + ANSWER) * 8 * (1 / 1e6 - 1 / 10e6) + 2 * 5e-3
    truth = measured("cut(at=2)", "mobile", "edge", share=0.7, sent=30e3)
    assert found.median_s == pytest.approx(truth.median + slower, rel=1e-6)
    assert "mobile-edge was measured at 10mbit" in found.extrapolated


def test_without_the_whole_what_lies_beyond_the_cut_is_extrapolated():
    elsewhere = Candidate(chain="cut(at=2)", bytes=10e3, share=0.7)
    (found,) = predict([CUT], elsewhere)
    assert found.extrapolated == "mobile was measured with no more than 40%"


def test_of_cuts_that_divide_alike_the_one_that_sends_least_and_none_that_was_measured():
    near = [
        Candidate(chain="same", bytes=1e3, share=0.4),
        Candidate(chain="much", bytes=90e3, share=0.5),
        Candidate(chain="less", bytes=20e3, share=0.5),
        Candidate(chain="little", bytes=1e3, share=0.9),
    ]
    found = predict([CUT, *WHOLE], *near)
    assert [one.case.chain for one in found] == ["little", "less"]


def test_bytes_that_were_counted_with_assumed_sizes_are_said_to_be():
    elsewhere = Candidate(chain="cut(at=2)", bytes=10e3, share=0.7, assumed="height = 224")
    (found,) = predict([CUT, *WHOLE], elsewhere)
    assert found.extrapolated == "bytes are counted with height = 224, which the model leaves open"


@pytest.mark.parametrize(("share", "tier"), [(0.0, "mobile"), (1.0, "edge")])
def test_a_tier_that_computed_nothing_predicts_nothing(share, tier):
    cut = measured("cut(at=1)", "mobile", "edge", share=share)
    whole = WHOLE[tier == "mobile"]
    refused = refuse([cut, whole], Candidate(chain="cut(at=2)", bytes=30e3, share=0.5))
    assert refused.case == cut.case
    assert refused.why == (
        f"its other cuts are not predicted: no share of the operations was measured on {tier}"
    )


def test_what_would_take_less_than_nothing_is_not_predicted():
    # One request took a hundredth of the others: its way was not as its link claims.
    hasty = [
        attrs.evolve(block, latency_s=block.latency_s * np.where(np.arange(50), 1.0, 0.01))
        for block in CUT.blocks
    ]
    base = attrs.evolve(CUT, blocks=tuple(hasty))
    refused = refuse([base, *WHOLE], Candidate(chain="cut(at=2)", bytes=1.0, share=0.4001))
    assert refused.case.chain == "cut(at=2)"
    assert refused.why == "by what was measured a request would take less than nothing"


def test_each_setting_of_a_link_is_predicted_from_its_own_cuts():
    slow = parse_link("mobile-edge=1mbit")
    cuts = [slowed(CUT, 1.0, slow), CUT]
    elsewhere = Candidate(chain="cut(at=2)", bytes=30e3, share=0.7)
    quick, late = predict([*cuts, *WHOLE], elsewhere)
    truth = measured("cut(at=2)", "mobile", "edge", share=0.7, sent=30e3)
    assert (quick.case.links, quick.base) == ((LINK,), CUT.case.id)
    assert quick.median_s == pytest.approx(truth.median, rel=1e-6)
    assert (late.case.links, late.base) == ((slow,), cuts[0].case.id)
    more = (30e3 + ANSWER) * 8 * (1 / slow.rate - 1 / LINK.rate)
    assert late.median_s == pytest.approx(truth.median + more, rel=1e-3)
    (asked,) = predict([*cuts, *WHOLE], elsewhere, links=[parse_link("mobile-edge=5mbit")])
    assert asked.case.links == (parse_link("mobile-edge=5mbit"),)


def test_a_whole_of_another_fabric_or_scenario_says_nothing():
    other = [
        attrs.evolve(one, case=attrs.evolve(one.case, **{what: "another"}))
        for what in ("fabric", "scenario")
        for one in (slowed(whole, 9.0) for whole in WHOLE)
    ]
    elsewhere = Candidate(chain="cut(at=2)", bytes=30e3, share=0.7)
    (found,) = predict([CUT, *WHOLE, *other], elsewhere)
    (alone,) = predict([CUT, *WHOLE], elsewhere)
    assert found.median_s == alone.median_s


def test_a_block_is_predicted_from_its_own_round_after_a_run_went_on():
    """The machine is twice as slow in the second start of the run, whose numbers begin anew."""
    both = []
    for one in (CUT, *WHOLE):
        later = slowed(one, 2.0, resumption=1)
        both.append(attrs.evolve(one, blocks=(*one.blocks, *later.blocks)))
    (found,) = predict(both, Candidate(chain="cut(at=2)", bytes=10e3, share=0.7))
    truth = measured("cut(at=2)", "mobile", "edge", share=0.7)
    expected = [*truth.latency.block_medians, *(2 * one for one in truth.latency.block_medians)]
    assert found.latency.block_medians == pytest.approx(expected, rel=1e-6)
