"""How long a run will take, by what earlier ones took."""

from __future__ import annotations

import attrs
import pytest

from edgebench.cases.operations import Chains
from edgebench.cases.plan import Plan
from edgebench.cases.study import Study
from edgebench.catalogue.rows import Suite
from edgebench.cli.common import Common
from edgebench.cli.estimates import estimate_run
from edgebench.cli.study import make_quick
from edgebench.records.database import Database
from edgebench.records.outcome import Run
from edgebench.records.quick import Quick
from edgebench.store.artifacts import Store
from edgebench.testing.results import block_of, case_of

CASE = case_of()
START_S, REQUEST_S = 1.0, 0.02


@pytest.fixture
def kept(tmp_path):
    """Keep runs of one case, by hand: a block starts for a second, a request takes 20 ms."""
    path = tmp_path / "r.db"

    def keep(requests, *, quick=False, start_s=START_S):
        with Database.open(path, write=True) as database:
            how = Run(started="2026-01-02T03:04:05+00:00", quick=Quick() if quick else None)
            run = database.begin_run(how)
            database.add_cases(run, [CASE], blocks=2)
            for number in range(2):
                made = block_of(CASE, number, median_s=REQUEST_S, spread=0.0, requests=requests)
                took = start_s + requests * REQUEST_S
                database.save_block(run, CASE.id, attrs.evolve(made, duration_s=took))
        return path

    return keep


def estimate(path, study):
    plan = Plan(
        study=study, cases=(CASE,), skipped=(), references={}, chains=Chains(Common().plugins)
    )
    found = estimate_run(plan, path, Store())
    assert found.estimate_from == "as 1 of 1 were measured before"
    return found.estimate_s


def study_of(requests, **how):
    return Study(suite=Suite(name="", summary="", blocks=3, requests=requests), **how)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("requests", [10, 60])
def test_blocks_are_foreseen_by_their_requests_whatever_run_was_kept(kept, quick, requests):
    path = kept(requests, quick=quick)
    for wanted in (1, 10, 1000):
        expected = 3 * (START_S + wanted * REQUEST_S)
        assert estimate(path, study_of(wanted)) == pytest.approx(expected)
    # Where nobody said how many, a block ends after five seconds.
    assert estimate(path, study_of(1000, bounded=True)) == pytest.approx(3 * (START_S + 5))
    expected = 2 * (START_S + 10 * REQUEST_S)
    assert estimate(path, make_quick(study_of(1000, bounded=True))) == pytest.approx(expected)


def test_a_run_that_is_no_quick_one_goes_before_those_and_the_latest_before_others(kept):
    kept(60, start_s=9.0)
    kept(60, start_s=2.0)
    path = kept(10, quick=True, start_s=5.0)
    assert estimate(path, study_of(10)) == pytest.approx(3 * (2.0 + 10 * REQUEST_S))


def test_quick_is_one_thing_wherever_a_study_is_made_so():
    """A suite that adds blocks, and a block that ends when it has taken long, are no quick run."""
    suite = Suite(name="", summary="", until="decided", blocks=7, requests=300)
    found = make_quick(Study(suite=suite, bounded=True))
    assert (found.suite.blocks, found.suite.requests, found.suite.until) == (2, 10, "")
    assert (found.bounded, found.quick, found.score_limit) == (False, True, 400)
    assert make_quick(Study(suite=suite, score_limit=7)).score_limit == 7
