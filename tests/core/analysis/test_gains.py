import attrs
import pytest

from edgebench.analysis.gains import find_gain
from edgebench.testing.results import case_of, result_of, run_of


def gain_of(*results):
    run = run_of(results)
    by_id = {result.case.id: result for result in run.results}
    return find_gain(run.decisions[0], by_id)


PLAIN = result_of(case_of("identity", backend="eager"), median_s=8e-3, seed=1)
FASTER = result_of(case_of("shrink", backend="eager"), median_s=4e-3, seed=2)


def test_it_is_the_untransformed_median_over_the_answers():
    gain = gain_of(PLAIN, FASTER)
    assert (gain.case, gain.against) == (FASTER.case.id, PLAIN.case.id)
    assert gain.ratio == pytest.approx(PLAIN.median / FASTER.median)
    assert gain.ci95[0] < gain.ratio < gain.ci95[1]


def test_the_same_backend_comes_before_the_same_place_and_that_before_speed():
    elsewhere = result_of(case_of("identity", "edge", backend="eager"), median_s=6e-3, seed=3)
    other = result_of(case_of("identity", backend="lazy"), median_s=5e-3, seed=4)
    assert gain_of(other, elsewhere, PLAIN, FASTER).against == PLAIN.case.id
    assert gain_of(other, elsewhere, FASTER).against == elsewhere.case.id
    assert gain_of(other, FASTER).against == other.case.id


def test_of_those_that_are_as_near_it_is_the_fastest():
    far = [
        result_of(case_of("identity", tier, backend="eager"), median_s=ms, seed=seed)
        for seed, (tier, ms) in enumerate([("edge", 9e-3), ("cloud", 7e-3)])
    ]
    assert gain_of(*far, FASTER).against == far[1].case.id


def test_nothing_is_gained_where_nothing_untransformed_was_measured_or_that_is_the_answer():
    assert gain_of(FASTER) is None
    assert gain_of(attrs.evolve(PLAIN), result_of(case_of("slow"), median_s=2e-2)) is None


def test_where_nothing_is_decided_the_first_of_those_not_told_apart_stands_for_the_answer():
    alike = [
        result_of(case_of(chain, backend="eager"), median_s=4e-3, spread=0.4, seed=seed)
        for seed, chain in enumerate(["a", "b"])
    ]
    gain = gain_of(PLAIN, *alike)
    assert gain.case in {one.case.id for one in alike}
