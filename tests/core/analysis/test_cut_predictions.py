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
    return predict_cuts(model, candidates, links)


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
