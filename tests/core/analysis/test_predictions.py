from __future__ import annotations

import attrs
import numpy as np
import pytest

from edgebench.analysis.predictions import predict_links
from edgebench.parts.units import parse_link
from edgebench.testing.results import case_of, result_of

SIZES = np.random.default_rng(0).uniform(50e3, 150e3, 200)
"""Bytes of inputs, by their places."""
ANSWER = 100.0


def sent(
    link, *, blocks=3, chain="plain", tiers=("edge",), sizes=SIZES, imported=False, answer=2e-3
):
    """A case that sends inputs of given sizes over a link, computes 5 ms, and takes 0.2 ms more."""
    link = parse_link(link)
    case = attrs.evolve(case_of(chain, *tiers), links=(link,))
    made = result_of(case, blocks=1 if imported else blocks)
    measured = []
    for block in range(1 if imported else blocks):
        rng = np.random.default_rng(block)
        bytes_ = sizes[rng.integers(0, len(sizes), 100)]
        computing = 5e-3 * np.exp(0.01 * rng.standard_normal(100))
        there = bytes_ * 8 / link.rate + link.delay + 0.2e-3 * rng.uniform(0.9, 1.1, 100)
        back = ANSWER * 8 / link.rate + link.delay + 1e-5 * rng.uniform(0.9, 1.1, 100)
        phases = {"uplink": there, "inference-0": computing, "downlink": back}
        measured.append(
            attrs.evolve(
                made.blocks[0],
                number=block,
                latency_s=there + computing + back,
                phases_s={} if imported else phases,
                bytes_out={"mobile": float(np.median(bytes_)), "answer": ANSWER},
            )
        )
    return attrs.evolve(made, blocks=tuple(measured), planned=len(measured))


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        ("mobile-edge=10mbit", "mobile-edge=100mbit"),
        ("mobile-edge=100mbit", "mobile-edge=10mbit"),
        ("mobile-edge=100mbit", "mobile-edge=1mbit,20ms"),
        ("mobile-edge=10mbit,20ms", "mobile-edge=10mbit"),
    ],
)
def test_a_strategy_is_predicted_at_another_rate_with_its_percentiles(known, wanted):
    (found,), refused = predict_links([sent(known)], [parse_link(wanted)])
    truth = sent(wanted)
    assert refused == []
    assert found.median_s == pytest.approx(truth.median, rel=0.02)
    assert found.percentiles_s["p95"] == pytest.approx(truth.latency.percentile("p95"), rel=0.05)
    low, high = found.ci95_s
    assert low < found.median_s < high
    assert (found.kind, found.base) == ("links", sent(known).case.id)
    assert known.split(",")[0] in found.basis
    assert bool(found.extrapolated) == (known.split(",")[0] != wanted.split(",")[0])


def test_what_was_measured_at_the_wanted_rate_is_predicted_from_elsewhere():
    results = [sent("mobile-edge=10mbit"), sent("mobile-edge=100mbit")]
    (found,), _ = predict_links(results, [parse_link("mobile-edge=100mbit")])
    assert found.measured is results[1]
    assert found.base == results[0].case.id
    assert abs(found.error) < 0.02


def test_the_nearest_rate_predicts_and_what_lies_between_is_no_extrapolation():
    results = [sent("mobile-edge=10mbit"), sent("mobile-edge=100mbit"), sent("mobile-edge=1gbit")]
    (found,), _ = predict_links(results, [parse_link("mobile-edge=80mbit")])
    assert found.base == results[1].case.id
    assert found.extrapolated == ""
    (beyond,), _ = predict_links(results, [parse_link("mobile-edge=1mbit")])
    assert beyond.extrapolated == "mobile-edge was measured at 10mbit to 1gbit"


def test_of_one_rate_the_nearest_delay_predicts():
    results = [sent("mobile-edge=50mbit,5ms"), sent("mobile-edge=50mbit,50ms")]
    for known in (results, results[::-1]):
        (found,), _ = predict_links(known, [parse_link("mobile-edge=50mbit,49ms")])
        assert found.base == results[1].case.id


def test_a_case_that_does_not_use_the_link_is_as_it_was():
    alone = result_of(case_of("plain"))
    (found,), _ = predict_links([alone], [parse_link("mobile-edge=1mbit")])
    assert (found.median_s, found.measured) == (alone.median, None)
    assert found.basis == "as measured: no link differs"


def test_what_left_early_has_no_way_to_be_exchanged():
    link = parse_link("mobile-edge=10mbit")
    case = attrs.evolve(case_of("exits", "mobile", "edge"), links=(link,))
    made = result_of(case, blocks=2)
    left = np.arange(100) % 4 > 0
    way = np.where(left, np.nan, 10e3 * 8 / link.rate)
    back = np.where(left, np.nan, ANSWER * 8 / link.rate)
    latency = 1e-3 + np.nan_to_num(way) + np.nan_to_num(back)
    blocks = [
        attrs.evolve(
            b,
            latency_s=latency,
            phases_s={"inference-0": np.full(100, 1e-3), "transfer-0": way, "downlink": back},
            bytes_out={"mobile": 10e3, "answer": ANSWER},
            exit_rates={"0": 0.75},
        )
        for b in made.blocks
    ]
    result = attrs.evolve(made, blocks=tuple(blocks))
    (found,), _ = predict_links([result], [parse_link("mobile-edge=1mbit")])
    assert found.median_s == pytest.approx(1e-3)
    (slow,) = {*found.latency.blocks[0][~left].round(9).tolist()}
    assert slow == pytest.approx(1e-3 + (10e3 + ANSWER) * 8 / 1e6, rel=1e-6)


def test_medians_at_several_rates_are_fitted_where_no_phases_are_known():
    rates = ("10mbit", "50mbit", "200mbit")
    results = [sent(f"mobile-edge={rate}", imported=True) for rate in rates]
    (found,), _ = predict_links(results, [parse_link("mobile-edge=100mbit")])
    assert found.kind == "fit"
    assert found.median_s == pytest.approx(sent("mobile-edge=100mbit").median, rel=0.03)
    assert found.basis.startswith("3 medians at several rates, off by at most ")
    assert found.extrapolated == ""
    (two,), _ = predict_links(results[:2], [parse_link("mobile-edge=1mbit")])
    assert "as many as are fitted, so nothing checks them" in two.basis
    assert two.extrapolated == "mobile-edge was measured at 10mbit to 50mbit"
    assert two.median_s == pytest.approx(sent("mobile-edge=1mbit").median, rel=0.1)


def test_one_rate_is_not_fitted():
    found, (refusal,) = predict_links(
        [sent("mobile-edge=10mbit", imported=True)], [parse_link("mobile-edge=1mbit")]
    )
    assert found == []
    assert "measured at one rate only" in refusal.why


def test_hops_that_vary_together_are_not_told_apart():
    results = []
    for rate in ("10mbit", "50mbit", "100mbit"):
        case = case_of("plain", "cloud")
        links = (parse_link(f"mobile-edge={rate}"), parse_link(f"edge-cloud={rate}"))
        case = attrs.evolve(case, links=links, route=("mobile", "edge", "cloud"))
        made = result_of(case, blocks=1)
        results.append(
            attrs.evolve(made, blocks=tuple(attrs.evolve(b, phases_s={}) for b in made.blocks))
        )
    found, (refusal,) = predict_links(results, [parse_link("edge-cloud=1mbit")])
    assert found == []
    assert "do not tell 2 hops and computing apart" in refusal.why


def test_a_fit_says_that_what_did_not_vary_is_counted_with_computing():
    results = []
    for rate in ("10mbit", "50mbit", "100mbit"):
        case = case_of("plain", "cloud")
        links = (parse_link(f"mobile-edge={rate}"), parse_link("edge-cloud=20mbit"))
        case = attrs.evolve(case, links=links, route=("mobile", "edge", "cloud"))
        made = result_of(case, blocks=1)
        results.append(
            attrs.evolve(made, blocks=tuple(attrs.evolve(b, phases_s={}) for b in made.blocks))
        )
    (found,), _ = predict_links(results, [parse_link("mobile-edge=20mbit")])
    assert " s of computing and links of one rate, " in found.basis
    (single,), _ = predict_links(
        [sent(f"mobile-edge={rate}", imported=True) for rate in ("10mbit", "50mbit")],
        [parse_link("mobile-edge=20mbit")],
    )
    assert " s of computing, " in single.basis
