"""Executing a plan into a database: what the command line calls, and a program can call too."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import attrs

from edgebench.analysis.repeatability import NOT_KNOWN, Repeatability, find_equal_spread
from edgebench.cases.plan import Plan
from edgebench.catalogue.plugins import Plugins
from edgebench.conduct.conductor import Conductor
from edgebench.conduct.deployments import Deployments
from edgebench.conduct.fingerprint import describe_environment, fingerprint
from edgebench.conduct.profiling import Profiling
from edgebench.conduct.settings import describe_settings
from edgebench.conduct.turns import adds_blocks, count_blocks
from edgebench.conduct.verifying import Verification, verify
from edgebench.conduct.watcher import Watcher
from edgebench.measure.stand.overheads import measure_overheads
from edgebench.parts.errors import CaseFailed
from edgebench.prepare.preparer import Preparer
from edgebench.prepare.recipe import Recipes
from edgebench.records.database import Database
from edgebench.records.equal_cases import find_quick, keep_spread
from edgebench.records.outcome import Run
from edgebench.records.quick import Quick, Setting
from edgebench.store.artifacts import Store
from edgebench.store.scratch import clear_up, open_scratch


def execute(
    plan: Plan,
    database: Database,
    plugins: Plugins,
    *,
    store: Store | None = None,
    watcher: Watcher | None = None,
    limit_s: float = 300.0,
    prepare_limit_s: float = 1800.0,
    resume: bool = False,
    verification: Verification | None = None,
    tag: str = "",
    arguments: tuple[str, ...] = (),
) -> str:
    """Prepare, score and measure everything that is planned, and return the id of the run.

    Args:
        plan: The cases, made with the same plugins.
        database: Where everything is kept, open for writing.
        plugins: What the cases are made of; loaded, so that other processes can load the same.
        store: Where artifacts are kept; the user's own if not given.
        watcher: Who is told how it goes, and may end the run between two blocks.
        limit_s: Seconds after which a block is ended, and scoring or profiling where nothing is
            heard.
        prepare_limit_s: Seconds of silence after which the preparing of a case is ended.
        resume: Whether to go on with the latest unfinished run of such a plan, where there is one.
        verification: Which predictions are measured when everything planned is.
        tag: A text kept with the run.
        arguments: The command line, kept with the run.

    Raises:
        DataError: What a user gave for a model or a dataset is not what it must be.
        StoreError, DatabaseError: The store or the database cannot be used.
        Stopped: The watcher wanted an end before the run began.
    """
    watcher = watcher or Watcher()
    recipes = Recipes(plugins, store or Store(), plan.chains)
    planned = fingerprint(plan, recipes)
    # Before anything is measured: files may be others when it is.
    asked = plan.study.copies > 1 or plan.study.quick
    settings = describe_settings(plan.cases, recipes.keys) if asked else {}
    run_id = database.find_unfinished(planned) if resume else None
    resumed = run_id is not None
    watcher.begun(run_id or "")
    clear_up()
    recipes.store.clear_up()
    with open_scratch() as scratch:
        profiling = _open_profiling(recipes, watcher, limit_s, scratch)
        preparer = _open_preparer(profiling, recipes, watcher, prepare_limit_s)
        _check(plan, preparer)
        if run_id is None:
            record = _describe_run(plan, recipes, scratch, database, settings)
            run_id = database.begin_run(
                attrs.evolve(record, tag=tag, arguments=arguments, plan_digest=planned)
            )
        skipped = [(one.case, one.reason) for one in plan.skipped]
        database.add_cases(run_id, plan.cases, blocks=count_blocks(plan.study), skipped=skipped)
        deployments = Deployments(plan=plan, preparer=preparer, limit_s=limit_s, scratch=scratch)
        Conductor(
            database=database,
            run=database.find_run(run_id),
            resumed=resumed,
            deployments=deployments,
            watcher=watcher,
        ).conduct()
        verify(verification, run_id, database, deployments, watcher)
    if not watcher.stopping():
        _finish(plan, database, run_id, settings)
    return run_id


def _finish(plan: Plan, database: Database, run_id: str, settings: Mapping[str, Setting]) -> None:
    """Note that a run came to its end, and what equal cases differ by where it measured that."""
    for case in plan.cases if plan.study.copies > 1 else ():
        blocks = database.read_outcome(run_id, case.id).measured
        if found := Repeatability.of(blocks, plan.study.copies):
            known = {f"aa_{name}": value for name, value in attrs.asdict(found).items()}
            database.save_aa(attrs.evolve(database.find_run(run_id), **known))
        else:
            facts = database.read_outcome(run_id, case.id, timed=False).facts
            doubts = (*facts.doubts, NOT_KNOWN)
            database.finish_case(run_id, case.id, attrs.evolve(facts, doubts=doubts))
    database.finish_run(run_id, _now())
    # Last, as a cache that cannot be written must not cost what was measured.
    for case in plan.cases if plan.study.copies > 1 else ():
        blocks, run = database.read_outcome(run_id, case.id).measured, database.find_run(run_id)
        setting, copies = settings[case.id], plan.study.copies
        if spread := find_equal_spread(blocks, copies, case, setting, run.started):
            keep_spread(spread, case.id)


def _open_preparer(
    profiling: Profiling, recipes: Recipes, watcher: Watcher, limit_s: float
) -> Preparer:
    """Return what prepares cases."""
    return Preparer(
        recipes=recipes,
        progress=watcher.preparing,
        limit_s=limit_s,
        stopping=watcher.stopping,
        measure=profiling.find_or_measure,
    )


def _open_profiling(recipes: Recipes, watcher: Watcher, limit_s: float, scratch: Path) -> Profiling:
    """Return what measures the profiles that operators need."""
    return Profiling(
        plugins=recipes.plugins,
        store=recipes.store,
        progress=watcher.preparing,
        stopping=watcher.stopping,
        limit_s=limit_s,
        scratch=scratch,
    )


def _describe_run(
    plan: Plan,
    recipes: Recipes,
    scratch: Path,
    database: Database,
    settings: Mapping[str, Setting],
) -> Run:
    """Return the record of a run that begins now, on this machine."""
    environment = describe_environment(recipes)
    run = Run(
        started=_now(),
        suite=plan.study.suite.name,
        seed=plan.study.seed,
        registry_digest=recipes.plugins.registry.digest,
        environment=environment,
        overheads_s=measure_overheads(scratch),
        max_blocks=plan.study.suite.max_blocks if adds_blocks(plan.study) else None,
        quick=_describe_quick(plan, settings),
    )
    # A quick run has figures of its own, and another run is not to take them for this machine's.
    own = plan.study.copies > 1 or plan.study.quick
    before = None if own else database.find_aa(environment)
    names = [name for name in attrs.fields_dict(Run) if name.startswith("aa_")]
    return attrs.evolve(run, **{name: getattr(before, name) for name in names if before})


def _describe_quick(plan: Plan, settings: Mapping[str, Setting]) -> Quick | None:
    """Return how a quick run is measured, with what is known of equal cases; None for others."""
    if not plan.study.quick:
        return None
    suite = plan.study.suite
    return attrs.evolve(find_quick(settings), blocks=suite.blocks, requests=suite.requests)


def _check(plan: Plan, preparer: Preparer) -> None:
    """Make of files that are given or pinned what they are to become, once each, before a run.

    What else goes wrong is left to the cases that meet it again: their rows keep the reason.

    Raises:
        DataError: One of them is not what it must be, or cannot be downloaded.
    """
    # A file that is not what it must be then leaves no run behind.
    own = {case.own: case for case in plan.cases if case.weights.brought or case.data is not None}
    for case in own.values():
        with suppress(CaseFailed):
            preparer.check(case)


def _now() -> str:
    """Return the time, UTC, as ISO 8601 writes it, in whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
