"""`edgebench run`: prepare, score and measure, into the results database."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cli.common import Common
from edgebench.errors import EdgebenchError

if TYPE_CHECKING:
    from edgebench.database import Database
    from edgebench.plan import Plan
    from edgebench.results import RunResults

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
                      help="go on with the last run of the same plan that did not end")  # fmt: skip
    more.add_argument("--time-limit", type=float, default=300.0, metavar="S",
                      help="end a block that takes longer, in seconds (300)")  # fmt: skip
    more.add_argument("--tag", default="", metavar="TEXT", help="kept with the run")
    more.add_argument("--case", metavar="ID", help="measure one case of the last run again")
    more.add_argument("--debug", action="store_true",
                      help="with --case: one block, and show what its processes print")  # fmt: skip
    return parser


def run(args: argparse.Namespace, common: Common) -> int:
    """Run, print the report, and return 1 if a case failed."""
    from edgebench.cli.progress import Interrupts
    from edgebench.database import Database

    if args.debug and not args.case:
        raise EdgebenchError("--debug shows one case; say which with --case ID")
    if args.time_limit <= 0:
        raise EdgebenchError(f"--time-limit must be more than 0 s, not {args.time_limit:g}")
    plan = _plan_of_case(args) if args.case else _plan(args, common)
    with Interrupts(common) as interrupts:
        with Database.open(args.db, write=True) as database:
            name = _conducted(plan, database, interrupts, args, common)
            results = database.run(name)
            logs = database.logs(name, results.results[0].case.id) if args.debug else {}
        _show(results, logs, common)
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
    """Return a plan of one case of the last run, as it was."""
    from edgebench.database import Database
    from edgebench.plan import Plan, Request

    if args.suite or args.model or args.resume:
        raise EdgebenchError("--case measures a case of the last run; leave out what else to run")
    with Database.open(args.db) as database:
        case = database.run().find(args.case).case
    blocks = 1 if args.debug else args.blocks or 1
    request = Request(products=(), blocks=blocks, requests=args.requests or 20, seed=args.seed)
    return Plan(request=request, cases=(case,), skipped=(), references={})


def _conducted(
    plan: Plan, database: Database, interrupts: Any, args: argparse.Namespace, common: Common
) -> str:
    """Conduct a run into the database, and return its id."""
    from datetime import UTC, datetime

    from edgebench.cli.progress import Progress
    from edgebench.prepare.control import Preparer
    from edgebench.prepare.recipe import Recipes
    from edgebench.run import Conductor, Settings

    blocks = plan.request.blocks
    name = database.unfinished(plan.digest) if args.resume else None
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch, Progress(plan, common) as bar:
        if name is None:
            name = database.begin_run(_record(plan, args, common, Path(scratch)))
        skipped = [(one.case, one.reason) for one in plan.skipped]
        database.add_cases(name, plan.cases, blocks=blocks, skipped=skipped)
        recipes = Recipes(common.plugins, common.registry, common.store)
        Conductor(
            plan=plan,
            preparer=Preparer(recipes=recipes, progress=bar.preparing),
            database=database,
            run=name,
            settings=Settings(limit_s=args.time_limit, scratch=Path(scratch)),
            watcher=bar.watching(interrupts),
        ).conduct()
    if not interrupts.asked:
        database.finish_run(name, datetime.now(UTC).isoformat(timespec="seconds"))
    return name


def _record(plan: Plan, args: argparse.Namespace, common: Common, scratch: Path) -> Any:
    """Return what the database keeps of a run that begins: the machine, and the harness's cost."""
    from datetime import UTC, datetime

    from edgebench.environment import describe
    from edgebench.measure.overheads import harness_overheads
    from edgebench.results import Run

    needed = {name for row in common.registry.plugins.values() for name in row.requires}
    return Run(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        suite=plan.request.suite,
        seed=plan.request.seed,
        tag=args.tag,
        arguments=tuple(sys.argv[1:]),
        registry_digest=common.registry.digest,
        plan_digest=plan.digest,
        environment=attrs.asdict(describe(sorted(needed))),
        overheads_s=harness_overheads(scratch),
    )


def _show(results: RunResults, logs: Any, common: Common) -> None:
    from edgebench.cli.report import print_results

    print_results(results, "json" if common.json else "terminal", None, common)
    for (block, role), text in sorted(logs.items(), key=str):
        common.note(f"--- block {block}, {role}\n{text.rstrip() or '(nothing)'}")
