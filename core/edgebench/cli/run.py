"""`edgebench run`: prepare, score and measure, into the results database."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cli.common import Common
from edgebench.cli.numbers import seconds
from edgebench.components import Reporter
from edgebench.errors import CaseFailed, EdgebenchError

if TYPE_CHECKING:
    from edgebench.case import Case
    from edgebench.database import Database
    from edgebench.plan import Plan
    from edgebench.prepare.control import Preparer
    from edgebench.prepare.recipe import Recipes
    from edgebench.results import Run

__all__ = ["configure", "run"]

INTERRUPTED = 130


def configure(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    from edgebench.cli.request import declare

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
    from edgebench.cli.logs import log_text
    from edgebench.cli.progress import Interrupts
    from edgebench.cli.report import print_results
    from edgebench.database import Database

    if args.debug and not args.case:
        raise EdgebenchError("--debug shows one case; say which with --case ID")
    reporter = "json" if common.json else "terminal"
    common.plugins.get(Reporter, reporter)  # that it is missing is to be known before measuring
    plan = _plan_of_case(args) if args.case else _plan(args, common)
    with Interrupts(common) as interrupts:
        with Database.open(args.db, write=True) as database:
            name = _conducted(plan, database, interrupts, args, common)
            results = database.run(name)
            logs = database.logs(name, results.results[0].case.id) if args.debug else {}
        print_results(results, reporter, None, common)
        for (number, role), text in logs.items():
            common.note(log_text(number, role, text))
        if interrupts.asked:
            common.note(f"edgebench: interrupted; go on with --resume (run {name} in {args.db})")
            return INTERRUPTED
    return int(any(result.status in ("failed", "timeout", "partial") for result in results.results))


def _plan(args: argparse.Namespace, common: Common) -> Plan:
    from edgebench.cli.request import request_of
    from edgebench.plan import make_plan

    plan = make_plan(request_of(args, common), common.plugins, common.registry)
    if not plan.cases:
        reasons = dict.fromkeys(one.reason for one in plan.skipped)
        raise EdgebenchError(f"no case can be run: {'; '.join(reasons) or 'none was asked for'}")
    return plan


def _plan_of_case(args: argparse.Namespace) -> Plan:
    """Return a plan of one case of the last run that holds it, as it was."""
    from edgebench.cli.request import HOW, PRODUCT
    from edgebench.database import Database
    from edgebench.plan import Plan, Request

    given = ("suite", *PRODUCT, *HOW, "resume")
    if args.batch != 1 or any(getattr(args, name) for name in given):
        raise EdgebenchError("--case measures a case as it was; leave out what else to run")
    with Database.open(args.db) as database:
        case = _case(database, args.case)
    blocks = 1 if args.debug else args.blocks or 1
    request = Request(
        products=(),
        blocks=blocks,
        requests=args.requests or 20,
        bounded=not args.requests,
        seed=case.seed,
    )
    return Plan(request=request, cases=(case,), skipped=(), references={})


def _case(database: Database, wanted: str) -> Case:
    """Find a case in the latest run that holds it: one that was measured alone is not the last."""
    for run in reversed(database.runs()):
        results = database.run(run.id)
        if any(result.case.id.startswith(wanted) for result in results.results):
            return results.find(wanted).case
    return database.run().find(wanted).case


def _conducted(
    plan: Plan, database: Database, interrupts: Any, args: argparse.Namespace, common: Common
) -> str:
    """Conduct a run into the database, and return its id."""
    from datetime import UTC, datetime

    from edgebench.cli.progress import Progress
    from edgebench.prepare.control import Preparer
    from edgebench.prepare.recipe import Recipes
    from edgebench.run import Conductor, Settings, stamp

    blocks = plan.request.blocks
    recipes = Recipes(common.plugins, common.registry, common.store)
    rests_on = stamp(plan, recipes)
    name = database.unfinished(rests_on) if args.resume else None
    if args.resume and name is None:
        common.note(
            f"edgebench: {args.db} holds no unfinished run of this, here and with these versions; "
            "a new one begins"
        )
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch, Progress(plan, common) as bar:
        preparer = Preparer(recipes=recipes, progress=bar.preparing)
        _check(plan, preparer)
        if name is None:
            record = _record(plan, rests_on, recipes, args, common)
            name = database.begin_run(attrs.evolve(record, overheads_s=_overheads(Path(scratch))))
        skipped = [(one.case, one.reason) for one in plan.skipped]
        database.add_cases(name, plan.cases, blocks=blocks, skipped=skipped)
        Conductor(
            plan=plan,
            preparer=preparer,
            database=database,
            run=name,
            settings=Settings(limit_s=args.time_limit, scratch=Path(scratch)),
            watcher=bar.watching(interrupts),
        ).conduct()
    if not interrupts.asked:
        database.finish_run(name, datetime.now(UTC).isoformat(timespec="seconds"))
    return name


def _check(plan: Plan, preparer: Preparer) -> None:
    """Make of files that are given or pinned what they are to become, once each, before a run.

    What else goes wrong is left to the cases that meet it again: their rows keep the reason.

    Raises:
        DataError: One of them is not what it must be, or cannot be downloaded.
    """
    own = {
        (case.model, case.variant, case.weights, case.options, case.dataset, case.data): case
        for case in plan.cases
        if case.weights.path is not None or case.weights.kind == "hub" or case.data is not None
    }
    for case in own.values():
        with suppress(CaseFailed):
            preparer.check(case)


def _overheads(scratch: Path) -> dict[str, float | None]:
    """Return what the harness costs on this machine, in seconds."""
    from edgebench.measure.overheads import harness_overheads

    return dict(harness_overheads(scratch))


def _record(
    plan: Plan, rests_on: str, recipes: Recipes, args: argparse.Namespace, common: Common
) -> Run:
    """Return what the database keeps of a run that begins, and of the machine."""
    from datetime import UTC, datetime

    from edgebench.results import Run
    from edgebench.run import environment

    return Run(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        suite=plan.request.suite,
        seed=plan.request.seed,
        tag=args.tag,
        arguments=common.words,
        registry_digest=common.registry.digest,
        plan_digest=rests_on,
        environment=environment(recipes),
    )
