"""`edgebench runs [rm RUN...]`: what runs a database holds."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from edgebench.cli.common import Common, add_database
from edgebench.parts.errors import EdgebenchError
from edgebench.records.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench.records.outcome import Run, RunOutcome

SCHEMA = 2
"""The version of the document that this command prints."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("action", nargs="?", choices=["rm"], metavar="rm", help="remove runs")
    parser.add_argument("runs", nargs="*", metavar="RUN", help="their ids, in full")
    add_database(parser)


def run(args: argparse.Namespace, common: Common) -> int:
    """List the runs, or remove some."""
    if args.action:
        _remove(args, common)
        return 0
    with Database.open(args.db) as database:
        found = [database.read_run(one.id, timed=False) for one in database.read_runs()]
    if common.json:
        common.emit(
            {"schema": SCHEMA, "db": str(args.db), "runs": [_describe(one) for one in found]}
        )
        return 0
    from edgebench.cli.tables import table

    rows = [
        (
            one.run.id,
            one.run.started.replace("T", " ")[:16],
            one.run.suite or "-",
            one.run.tag or "-",
            len(one.cases),
            ", ".join(f"{count} {status}" for status, count in _count(one).items()),
            ", ".join(_describe_state(one.run)),
        )
        for one in found
    ]
    columns = ("run", "started (UTC)", "suite", "tag", "cases", "status", "")
    common.show(table(f"runs of {args.db}", columns, rows))
    return 0


def _describe_state(run: Run) -> Iterator[str]:
    if run.quick:
        yield "quick"
    if not run.finished:
        yield "not finished"


def _count(found: RunOutcome) -> dict[str, int]:
    return dict(Counter(one.status for one in found.cases).most_common())


def _describe(found: RunOutcome) -> dict[str, object]:
    names = ("started", "finished", "suite", "tag")
    return {
        "run": found.run.id,
        **{name: getattr(found.run, name) for name in names},
        "cases": len(found.cases),
        "quick": found.run.quick is not None,
        "statuses": _count(found),
        "models": list(dict.fromkeys(one.case.subject for one in found.cases)),
    }


def _remove(args: argparse.Namespace, common: Common) -> None:
    """Remove runs, all or none of them.

    Raises:
        EdgebenchError: None is named, or one is not named in full.
    """
    if not args.runs:
        raise EdgebenchError("say which run to remove: edgebench runs rm RUN")
    # Before it is opened for writing, which would make a file where there is none.
    with Database.open(args.db) as database:
        for name in args.runs:
            found = database.read_run(name, timed=False).run.id
            if found != name:
                raise EdgebenchError(
                    f"{name!r} stands for run {found}; to remove that, give its id in full"
                )
    with Database.open(args.db, write=True) as database, database.write_at_once():
        for name in args.runs:
            database.remove_run(name)
    if common.json:
        common.emit({"schema": SCHEMA, "db": str(args.db), "removed": list(args.runs)})
    else:
        common.show(f"removed {', '.join(args.runs)}")
