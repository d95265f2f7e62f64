"""`edgebench logs CASE`: what the processes of a case printed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edgebench.cli.common import Common

__all__ = ["configure", "run"]


def configure(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "logs", help="show what the processes of a case printed"
    )
    parser.add_argument("case", metavar="CASE", help="the id of a case, or how it begins")
    parser.add_argument("--run", default="latest", dest="run_id", metavar="RUN")
    parser.add_argument("--db", type=Path, default=Path("edgebench.db"), metavar="FILE")
    return parser


def run(args: argparse.Namespace, common: Common) -> int:
    """Print the logs, block by block."""
    from edgebench.database import Database

    with Database.open(args.db) as database:
        results = database.run(args.run_id)
        result = results.find(args.case)
        logs = database.logs(results.run.id, result.case.id)
    if common.json:
        rows = [{"block": n, "process": role, "text": text} for (n, role), text in logs.items()]
        common.emit({"case": result.case.id, "logs": rows})
        return 0
    common.show(result.case.label)
    for (number, role), text in logs.items():
        where = role if number is None else f"block {number}, {role}"
        common.show(f"--- {where}\n{text.rstrip() or '(nothing)'}")
    if not logs:
        common.note("its processes printed nothing")
    return 0
