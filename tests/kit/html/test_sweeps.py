from __future__ import annotations

import attrs
import pytest

from edgebench import Link
from edgebench.testing.results import case_of, result_of, run_of
from edgebench_kit.html.sweeps import find_crossings, find_sweeps
from edgebench_kit.reports.answers import describe_run

RATES = (1e6, 4e6, 16e6, 64e6)


def at(rate, chain, *tiers, seconds, delay=1e-3):
    """A result of a case whose link has some rate, that takes just so many seconds."""
    case = case_of(chain, *tiers)
    links = [Link(between=link.between, rate=rate, delay=delay) for link in case.links]
    case = attrs.evolve(case, links=links)
    return result_of(case, median_s=seconds, spread=1e-9, blocks=2)


def sweeps_of(results):
    unique = {result.case.id: result for result in results}
    return list(find_sweeps(describe_run(run_of(list(unique.values())))["cases"]))


@pytest.fixture
def swept():
    """Local takes 100 ms; the cloud 10 ms and 1 Mbit; a cut 40 ms and 0.2 Mbit."""
    results = []
    for rate in RATES:
        results.append(at(rate, "plain", seconds=0.1))
        results.append(at(rate, "plain", "cloud", seconds=0.01 + 1e6 / rate))
        results.append(at(rate, "cut", "mobile", "cloud", seconds=0.04 + 2e5 / rate))
    (sweep,) = sweeps_of(results)
    return sweep


def test_a_strategy_that_does_not_use_the_link_is_the_same_at_all_its_settings(swept):
    assert (swept.link, swept.rates, swept.settings) == ("mobile-cloud", True, RATES)
    seconds = {
        line.cases[0]["chain"] + line.cases[0]["placement"]: line.seconds for line in swept.lines
    }
    assert seconds["plainmobile"] == pytest.approx([0.1] * 4)
    assert seconds["plaincloud"] == pytest.approx([1.01, 0.26, 0.0725, 0.025625])


def test_the_crossing_points_are_where_the_formulas_meet(swept):
    # 0.04 + 2e5 / r = 0.1 and 0.01 + 1e6 / r = 0.04 + 2e5 / r
    first, second = find_crossings(swept, swept.lines)
    assert first.at == pytest.approx(2e5 / 0.06)
    assert first.seconds == pytest.approx(0.1)
    assert second.at == pytest.approx(8e5 / 0.03)
    assert [one.after.cases[0]["placement"] for one in (first, second)] == ["mobile-cloud", "cloud"]
    assert first.after is second.before


def test_one_that_is_passed_within_a_span_is_found_though_it_is_first_at_no_setting():
    # At 1 and at 64 Mbit/s the cut is first nowhere; between 3.3 and 26.7 it is.
    results = []
    for rate in (1e6, 64e6):
        results.append(at(rate, "plain", seconds=0.1))
        results.append(at(rate, "plain", "cloud", seconds=0.01 + 1e6 / rate))
        results.append(at(rate, "cut", "mobile", "cloud", seconds=0.04 + 2e5 / rate))
    (sweep,) = sweeps_of(results)
    assert [round(one.at / 1e6, 1) for one in find_crossings(sweep, sweep.lines)] == [3.3, 26.7]


def test_delays_are_swept_too():
    results = [
        at(1e7, chain, *tiers, seconds=seconds, delay=delay)
        for delay in (0.01, 0.05)
        for chain, tiers, seconds in (
            ("plain", ("mobile",), 0.1),
            ("plain", ("cloud",), 0.02 + 2 * delay),
        )
    ]
    (sweep,) = sweeps_of(results)
    assert (sweep.rates, sweep.fixed, sweep.settings) == (False, 1e7, (0.01, 0.05))
    (crossing,) = find_crossings(sweep, sweep.lines)
    assert crossing.at == pytest.approx(0.04)
    assert sweep.write(crossing.at) == "40 ms"


def test_nothing_is_swept_where_a_link_has_one_setting():
    assert sweeps_of([at(1e6, "plain", seconds=0.1), at(1e6, "plain", "cloud", seconds=0.2)]) == []


def test_those_settings_are_swept_at_which_the_most_was_measured():
    results = [at(1e9, "plain", "cloud", seconds=0.1)]
    for rate in RATES:
        results.append(at(rate, "cut", "mobile", "cloud", seconds=0.04 + 2e5 / rate))
        results.append(at(rate, "other", "mobile", "cloud", seconds=0.05 + 2e5 / rate))
    results.append(at(1e9, "cut", "mobile", "cloud", seconds=0.04))
    (sweep,) = sweeps_of(results)
    assert sweep.settings == RATES
    assert [line.cases[0]["chain"] for line in sweep.lines] == ["cut", "other"]
