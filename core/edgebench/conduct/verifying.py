"""Measuring what was predicted to be the best, so that predictions are held against measurements.

What is measured becomes cases of the same run, in rounds of their own behind the others, each with
the prediction that was made of it before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from edgebench.analysis.predictions import Prediction
from edgebench.analysis.result import Result
from edgebench.cases.plan import plan_again
from edgebench.conduct.conductor import Conductor
from edgebench.conduct.deployments import Deployments
from edgebench.conduct.predicting import forecast
from edgebench.conduct.watcher import Watcher
from edgebench.parts.grouping import group_by
from edgebench.parts.places import Link
from edgebench.records.database import Database
from edgebench.records.facts import Predicted
from edgebench.sessions.asking import ask_in_processes


@attrs.frozen(kw_only=True)
class Verification:
    """Which predictions are measured."""

    count: int
    """As many of the best of each model."""
    links: tuple[Link, ...] = ()
    """Under these; without them cuts that were not measured, under the links of those that were."""


def verify(
    verification: Verification | None,
    run_id: str,
    database: Database,
    deployments: Deployments,
    watcher: Watcher,
) -> None:
    """Measure the best predictions of a run as further cases of it, and keep what was predicted.

    Nothing is measured where nothing is to be verified, or can be predicted.
    """
    if verification is None or watcher.stopping():
        return
    plan = deployments.plan
    planned = {case.id for case in plan.cases}
    # A run that goes on verifies what it began to: its own further cases predict nothing.
    found = database.read_run(run_id)
    kept = [one for one in found.cases if one.case.id in planned]
    results = [Result.of(one, found.run.quick) for one in kept]
    chosen = choose(results, verification, deployments)
    if not chosen:
        return
    # As many blocks as anything else is measured in that nobody waits for to be decided.
    suite = attrs.evolve(plan.study.suite, until="")
    study = attrs.evolve(plan.study, suite=suite, precision=None, copies=1)
    cases = [one.case for one in chosen]
    more = plan_again(study, cases, deployments.plugins, ask_in_processes)
    begin = len(plan.cases) + len(plan.skipped)
    database.add_cases(run_id, more.cases, blocks=suite.blocks, begin=begin)
    for one in chosen:
        _note(one, run_id, database)
    Conductor(
        database=database,
        run=database.find_run(run_id),
        resumed=True,
        deployments=attrs.evolve(deployments, plan=more),
        watcher=watcher,
    ).conduct()
    # What is found out of a case while it is prepared and measured replaces what was known before.
    for one in chosen:
        _note(one, run_id, database)


def choose(
    results: Sequence[Result], verification: Verification, deployments: Deployments
) -> list[Prediction]:
    """Return the best predictions of each model that no case of the run has measured."""
    found = forecast(results, verification.links, deployments.preparer.recipes)
    known = {one.case.id for one in results}
    every = sorted((*found.strategies, *found.cuts), key=lambda one: one.median_s)
    new = [one for one in every if one.case.id not in known]
    return list(_take(new, verification.count))


def _take(predictions: Sequence[Prediction], count: int) -> Iterator[Prediction]:
    for found in group_by(predictions, lambda one: (one.case.subject, one.case.weights)).values():
        yield from found[:count]


def _note(prediction: Prediction, run_id: str, database: Database) -> None:
    """Keep a prediction with its case."""
    facts = database.read_outcome(run_id, prediction.case.id, timed=False).facts
    predicted = Predicted(
        median_s=prediction.median_s,
        ci95_s=prediction.ci95_s,
        kind=prediction.kind,
        base=prediction.base,
        basis=prediction.basis,
        extrapolated=prediction.extrapolated,
    )
    database.finish_case(run_id, prediction.case.id, attrs.evolve(facts, prediction=predicted))
