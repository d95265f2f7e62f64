"""`edgebench logs CASE`: what the processes of a case printed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from edgebench.cli.common import Common


def configure(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "logs", help="show what the processes of a case printed"
    )
    parser.add_argument("case", metavar="CASE", help="the id of a case, or how it begins")
    parser.add_argument("--run", default="latest", dest="run_id", metavar="RUN",
                        help="the id of a run, or how it begins (the latest)")  # fmt: skip
    parser.add_argument("--db", type=Path, default=Path("edgebench.db"), metavar="FILE",
                        help="the results database (edgebench.db)")  # fmt: skip
    return parser


def run(args: argparse.Namespace, common: Common) -> int:
    """Print the logs, block by block."""
    from edgebench.records.database import Database

    with Database.open(args.db) as database:
        found, case = database.find_case(args.case, args.run_id)
        logs = database.logs(found.id, case.id)
    if common.json:
        rows = [
            {"block": number if number >= 0 else None, "process": role, "text": text}
            for (number, role), text in logs.items()
        ]
        common.emit({"run": found.id, "case": case.id, "logs": rows})
        return 0
    common.show(case.label)
    for (number, role), text in logs.items():
        common.show(log_text(number, role, text))
    if not any(logs.values()):
        common.note("its processes printed nothing")
    return 0


def log_text(number: int, role: str, text: str) -> str:
    """Lay out what one process printed; a number below 0 stands for no block."""
    where = role if number < 0 else f"block {number}, {role}"
    return f"--- {where}\n{text.rstrip() or '(nothing)'}"
