from __future__ import annotations

import math

import attrs
import numpy as np
import pytest

from edgebench.analysis.draws import Resampling, judge_ratio
from edgebench.testing.results import case_of, result_of


def noisy(chain, factors, *, median_s=2e-3, requests=40, seed=0):
    """A result whose blocks are slower by factors, one a round."""
    rng = np.random.default_rng(seed)
    made = result_of(case_of(chain), blocks=len(factors))
    blocks = [
        attrs.evolve(
            block,
            latency_s=median_s * factor * np.exp(0.001 * rng.standard_normal(requests)),
        )
        for block, factor in zip(made.blocks, factors, strict=True)
    ]
    return attrs.evolve(made, blocks=tuple(blocks))


MINUTES = (1.0, 1.3, 0.8, 1.1, 0.9)


def test_estimates_are_those_of_all_requests():
    one, other = noisy("one", MINUTES), noisy("other", (1.0, 1.0), median_s=5e-3)
    resampling = Resampling([one, other])
    for name, figure in (("median", np.median), ("mean", np.mean)):
        found = resampling.find(f"latency.{name}")
        expected = [figure(result.latency.seconds) for result in (one, other)]
        assert found.estimates == pytest.approx(expected)
    p95 = resampling.find("latency.p95")
    assert p95.estimates[0] == pytest.approx(np.quantile(one.latency.seconds, 0.95))
    assert (p95.ends[0] <= p95.estimates).all()
    assert (p95.estimates <= p95.ends[1]).all()


def test_what_a_round_does_to_both_cancels():
    one, other = noisy("one", MINUTES, seed=1), noisy("other", MINUTES, median_s=2.2e-3, seed=2)
    figure = Resampling([one, other]).find("latency.median")
    low, high = figure.ends[:, 0]
    assert high / low > 1.2
    middle, low, high = figure.compare(0)[:, 1]
    assert (middle, low, high) == pytest.approx((1.1, 1.1, 1.1), rel=0.01)
    assert figure.compare(0)[:, 0].tolist() == [1.0, 1.0, 1.0]


def test_rounds_of_other_starts_of_a_run_are_other_rounds():
    one, other = noisy("one", MINUTES, seed=1), noisy("other", MINUTES, seed=2)
    later = attrs.evolve(other, blocks=tuple(attrs.evolve(b, resumption=1) for b in other.blocks))
    _, low, high = Resampling([one, later]).find("latency.median").compare(0)[:, 1]
    assert high / low > 1.2


def test_a_case_of_fewer_rounds_spreads_as_by_itself():
    rng = np.random.default_rng(5)
    few = noisy("few", np.exp(0.05 * rng.standard_normal(4)))
    others = [noisy("other", np.exp(0.05 * rng.standard_normal(20)), seed=1)]
    alone = np.log(Resampling([few]).find("latency.median").values[:, 0]).std()
    among = np.log(Resampling([few, *others]).find("latency.median").values[:, 0]).std()
    assert among == pytest.approx(alone, rel=0.1)


def test_the_interval_of_a_median_covers():
    """Simulated: block medians differ by 1.7 %, three to five blocks, against the true median."""
    rng = np.random.default_rng(0)
    held = {3: 0, 5: 0}
    for blocks in held:
        for number in range(100):
            factors = np.exp(0.017 * rng.standard_normal(blocks))
            figure = Resampling([noisy("one", factors, seed=number)]).find("latency.median")
            held[blocks] += bool(figure.ends[0, 0] <= 2e-3 <= figure.ends[1, 0])
    assert min(held.values()) >= 88


def test_of_single_blocks_requests_are_drawn():
    rng = np.random.default_rng(3)
    one = noisy("one", [1.0], requests=500)
    seconds = np.exp(0.3 * rng.standard_normal(500))
    one = attrs.evolve(one, blocks=(attrs.evolve(one.blocks[0], latency_s=seconds),))
    resampling = Resampling([one])
    assert resampling.by_request
    figure = resampling.find("latency.median")
    # A second way: the plain bootstrap, request by request.
    plain = np.median(seconds[rng.integers(0, 500, (2000, 500))], axis=1)
    assert figure.values.std() == pytest.approx(plain.std(), rel=0.15)
    assert figure.values.mean() == pytest.approx(plain.mean(), rel=0.01)
    mean = resampling.find("latency.mean")
    assert mean.values.std() == pytest.approx(seconds.std() / math.sqrt(500), rel=0.1)


def test_several_blocks_are_no_single_ones():
    assert not Resampling([noisy("one", [1.0]), noisy("other", [1.0, 1.0])]).by_request


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        ((1.0, 0.99, 1.01), "equal"),
        ((1.5, 1.2, 1.8), "slower"),
        ((0.7, 0.6, 0.8), "faster"),
        ((1.1, 0.9, 1.3), "undecided"),
        ((1.015, 1.005, 1.03), "undecided"),
    ],
)
def test_ratios_are_judged(ratio, said):
    assert judge_ratio(ratio, 0.02) == said
