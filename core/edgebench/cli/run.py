"""`edgebench run`: prepare, score and measure, into the results database."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from edgebench.analysis.results import RunResults
from edgebench.cases.study import Study
from edgebench.catalogue.rows import ACCURACY_MARGIN, Suite
from edgebench.cli.common import INTERRUPTED, Common
from edgebench.cli.logs import write_log
from edgebench.cli.numbers import count, seconds
from edgebench.cli.progress import Interrupts, hear_interrupts, show_progress
from edgebench.cli.project import take_project
from edgebench.cli.quick import describe_sound, note_unreadable
from edgebench.cli.report import print_results
from edgebench.cli.speeds import note_other_speeds
from edgebench.cli.study import HOW, PRODUCT, declare, plan_study, refuse_empty
from edgebench.parts.errors import EdgebenchError, UnknownName
from edgebench.parts.places import Tier
from edgebench.records.database import Database

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgebench.cases.case import Case
    from edgebench.cases.plan import Plan
    from edgebench.conduct.verifying import Verification
    from edgebench.conduct.watcher import Watcher
    from edgebench.toml.profiles import NetworkRow

LIMIT_S = 300.0
"""Seconds that a block may take, and that scoring may be silent."""
PREPARE_LIMIT_S, LEAST_PREPARE_LIMIT_S = 1800.0, 60.0
"""Seconds that preparing may be silent; and at least as many, however short blocks are to be: so
long may it take on a busy machine to import a framework and export a graph."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    declare(parser)
    more = parser.add_argument_group("this run")
    more.add_argument("--resume", action="store_true",
                      help="go on with the last unfinished run, or begin one")  # fmt: skip
    more.add_argument("--time-limit", type=seconds, metavar="S",
                      help="end a block that takes longer, and scoring that is silent "
                           f"for as long, in seconds ({LIMIT_S:g})")  # fmt: skip
    more.add_argument("--prepare-limit", type=seconds, metavar="S",
                      help="end preparing that is silent for as long, in seconds "
                           f"({PREPARE_LIMIT_S:g}; what --time-limit says where that is given, "
                           f"and at least {LEAST_PREPARE_LIMIT_S:g})")  # fmt: skip
    more.add_argument("--verify-predictions", type=count, metavar="N",
                      help="measure as well what `predict` would name: of each model the N best "
                           "cuts that were not measured, or strategies under --predict-link"
                      )  # fmt: skip
    more.add_argument("--predict-link", action="append", default=[], metavar="A-B=RATE[,DELAY]",
                      help="with --verify-predictions: predict under this link; repeats for other "
                           "pairs of tiers")  # fmt: skip
    more.add_argument("--tag", default="", metavar="TEXT", help="kept with the run")
    more.add_argument("--case", metavar="ID", help="measure one case of the last run again")
    more.add_argument("--debug", action="store_true",
                      help="with --case: one block, and show what its processes print")  # fmt: skip


def run(args: argparse.Namespace, common: Common) -> int:
    """Run, print the report, and return 1 if a case failed or nothing was measured."""
    if args.debug and not args.case:
        raise EdgebenchError("--debug shows one case; say which with --case ID")
    args, common = take_project(args, common)
    reporter = common.find_reporter()  # that it is missing is to be known before measuring
    plan = _plan_of_case(args, common) if args.case else plan_what_is_asked(args, common)
    if args.quick:
        note_unreadable(common)
    with hear_interrupts(common) as interrupts:
        with Database.open(args.db, write=True) as database:
            if args.resume:
                note_other_speeds(plan.cases, database, common)
            try:
                name = _execute(plan, database, interrupts, args, common)
            except KeyboardInterrupt:
                common.note(f"edgebench: interrupted; go on with --resume (in {args.db})")
                return INTERRUPTED
            results = RunResults.of(database.read_run(name))
            logs = database.read_logs(name, results.results[0].case.id) if args.debug else {}
        print_results(results, reporter, None, common)
        for (number, role), text in logs.items():
            common.note(write_log(number, role, text))
        if interrupts.asked:
            common.note(f"edgebench: interrupted; go on with --resume (run {name} in {args.db})")
            return INTERRUPTED
    if args.quick:
        common.note(f"edgebench: {describe_sound(plan, args, common)}")
    statuses = {result.status for result in results.results}
    return int("ok" not in statuses or not statuses <= {"ok", "skipped"})


def plan_what_is_asked(args: argparse.Namespace, common: Common) -> Plan:
    """Plan what the options ask for.

    Raises:
        EdgebenchError: No case of it can be run.
    """
    plan = plan_study(args, common)
    refuse_empty(plan)
    return plan


def _plan_of_case(args: argparse.Namespace, common: Common) -> Plan:
    """Return a plan of one case of the last run that holds it, as it was."""
    # Imported here because `--help` need not load what plans.
    from edgebench.cases.plan import plan_again
    from edgebench.sessions.asking import ask_in_processes

    given = ("suite", *PRODUCT, *HOW, "resume", "verify_predictions")
    if args.batch != 1 or any(getattr(args, name) for name in given):
        raise EdgebenchError("--case measures a case as it was; leave out what else to run")
    with Database.open(args.db) as database:
        before, case = database.find_case(args.case)
        figure = database.read_outcome(before.id, case.id, timed=False).figure
        _refuse_lost_tiers(case, common)
        note_other_speeds([case], database, common)
    blocks = 1 if args.debug else args.blocks or 1
    margin = args.accuracy_margin or (100 * figure.margin if figure else ACCURACY_MARGIN)
    suite = Suite(
        name="",
        summary="",
        blocks=blocks,
        requests=args.requests or 20,
        accuracy_margin=margin,
    )
    bounded, limit = not args.requests, args.score_limit
    study = Study(suite=suite, bounded=bounded, seed=case.seed, score_limit=limit)
    return plan_again(study, [case], common.plugins, ask_in_processes)


def _refuse_lost_tiers(case: Case, common: Common) -> None:
    """Refuse a case on tiers that the file that was read then had, and none has now.

    Raises:
        UnknownName: There is such a tier.
    """
    tiers = common.plugins.all(Tier)
    for name in case.route:
        if name not in tiers:
            error = UnknownName.among("tier", name, tiers)
            raise UnknownName(f"{error}; give the file that has it, with --registry")


def _prepare_limit(args: argparse.Namespace) -> float:
    """Return the seconds that preparing may be silent."""
    if args.prepare_limit or not args.time_limit:
        return float(args.prepare_limit or PREPARE_LIMIT_S)
    return max(float(args.time_limit), LEAST_PREPARE_LIMIT_S)


def _read_verification(
    args: argparse.Namespace, plan: Plan, networks: Mapping[str, NetworkRow]
) -> Verification | None:
    """Return which predictions are to be measured; None if none are.

    Raises:
        EdgebenchError: A link is malformed, or no case of the plan uses it.
    """
    # Imported here because `--help` need not load what measures.
    from edgebench.cli.predict import read_links
    from edgebench.conduct.verifying import Verification

    if args.predict_link and not args.verify_predictions:
        raise EdgebenchError("--predict-link says what to verify; add --verify-predictions N")
    if not args.verify_predictions:
        return None
    return Verification(
        count=args.verify_predictions, links=read_links(args.predict_link, plan.cases, networks)
    )


def _execute(
    plan: Plan,
    database: Database,
    interrupts: Interrupts,
    args: argparse.Namespace,
    common: Common,
) -> str:
    """Execute a plan into the database with progress shown, and return the id of the run."""
    with show_progress(plan, interrupts, args, common) as progress:
        return execute_plan(plan, database, progress, args, common)


def execute_plan(
    plan: Plan, database: Database, watcher: Watcher, args: argparse.Namespace, common: Common
) -> str:
    """Execute a plan into the database as the options say, and return the id of the run."""
    # Imported here because `--help` need not load what measures.
    from edgebench.conduct.execute import execute

    verification = _read_verification(args, plan, common.registry.networks)
    return execute(
        plan,
        database,
        common.plugins,
        store=common.store,
        watcher=watcher,
        limit_s=args.time_limit or LIMIT_S,
        prepare_limit_s=_prepare_limit(args),
        resume=args.resume,
        verification=verification,
        tag=args.tag,
        arguments=common.words,
    )
