"""`edgebench run`: prepare, score and measure, into the results database."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from edgebench.cli.common import Common
from edgebench.cli.numbers import seconds
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.places import Reporter

if TYPE_CHECKING:
    from edgebench.cases.plan import Plan
    from edgebench.records.database import Database

INTERRUPTED = 130


def configure(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    from edgebench.cli.study import declare

    parser: argparse.ArgumentParser = commands.add_parser(
        "run", help="measure a suite, or the product of models, operators, placements, ..."
    )
    declare(parser)
    more = parser.add_argument_group("this run")
    more.add_argument("--resume", action="store_true",
                      help="go on with the last unfinished run, or begin one")  # fmt: skip
    more.add_argument("--time-limit", type=seconds, default=300.0, metavar="S",
                      help="end a block that takes longer, and scoring that is silent "
                           "for as long, in seconds (300)")  # fmt: skip
    more.add_argument("--tag", default="", metavar="TEXT", help="kept with the run")
    more.add_argument("--case", metavar="ID", help="measure one case of the last run again")
    more.add_argument("--debug", action="store_true",
                      help="with --case: one block, and show what its processes print")  # fmt: skip
    return parser


def run(args: argparse.Namespace, common: Common) -> int:
    """Run, print the report, and return 1 if a case failed."""
    from edgebench.analysis.results import RunResults
    from edgebench.cli.logs import log_text
    from edgebench.cli.progress import Interrupts
    from edgebench.cli.report import print_results
    from edgebench.records.database import Database

    if args.debug and not args.case:
        raise EdgebenchError("--debug shows one case; say which with --case ID")
    reporter = "json" if common.json else "terminal"
    common.plugins.get(Reporter, reporter)  # that it is missing is to be known before measuring
    plan = _plan_of_case(args) if args.case else _plan(args, common)
    with Interrupts(common) as interrupts:
        with Database.open(args.db, write=True) as database:
            name = _execute(plan, database, interrupts, args, common)
            results = RunResults.of(database.run(name))
            logs = database.logs(name, results.results[0].case.id) if args.debug else {}
        print_results(results, reporter, None, common)
        for (number, role), text in logs.items():
            common.note(log_text(number, role, text))
        if interrupts.asked:
            common.note(f"edgebench: interrupted; go on with --resume (run {name} in {args.db})")
            return INTERRUPTED
    return int(any(result.status in ("failed", "timeout", "partial") for result in results.results))


def _plan(args: argparse.Namespace, common: Common) -> Plan:
    from edgebench.cases.plan import make_plan
    from edgebench.cli.study import make_study

    plan = make_plan(make_study(args, common), common.plugins, common.registry)
    if not plan.cases:
        reasons = dict.fromkeys(one.reason for one in plan.skipped)
        raise EdgebenchError(f"no case can be run: {'; '.join(reasons) or 'none was asked for'}")
    return plan


def _plan_of_case(args: argparse.Namespace) -> Plan:
    """Return a plan of one case of the last run that holds it, as it was."""
    from edgebench.cases.plan import Plan
    from edgebench.cases.study import Study
    from edgebench.catalogue.rows import Suite
    from edgebench.cli.study import HOW, PRODUCT
    from edgebench.records.database import Database

    given = ("suite", *PRODUCT, *HOW, "resume")
    if args.batch != 1 or any(getattr(args, name) for name in given):
        raise EdgebenchError("--case measures a case as it was; leave out what else to run")
    with Database.open(args.db) as database:
        _, case = database.find_case(args.case)
    blocks = 1 if args.debug else args.blocks or 1
    suite = Suite(name="", summary="", blocks=blocks, requests=args.requests or 20)
    study = Study(suite=suite, bounded=not args.requests, seed=case.seed)
    return Plan(study=study, cases=(case,), skipped=(), references={})


def _execute(
    plan: Plan, database: Database, interrupts: Any, args: argparse.Namespace, common: Common
) -> str:
    """Execute a plan into the database with progress shown, and return the id of the run."""
    from edgebench.cli.progress import Progress
    from edgebench.conduct.execute import execute

    with Progress(plan, common) as bar:
        return execute(
            plan,
            database,
            common.plugins,
            store=common.store,
            watcher=bar.watching(interrupts, args),
            limit_s=args.time_limit,
            resume=args.resume,
            tag=args.tag,
            arguments=common.words,
        )
