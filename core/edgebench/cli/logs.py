"""`edgebench logs CASE`: what the processes of a case printed."""

from __future__ import annotations

import argparse

from edgebench.cli.common import Common, add_database
from edgebench.records.database import Database


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("case", metavar="CASE", help="the id of a case, or how it begins")
    parser.add_argument("--run", default="latest", dest="run_id", metavar="RUN",
                        help="the id of a run, or how it begins (the latest)")  # fmt: skip
    add_database(parser)


def run(args: argparse.Namespace, common: Common) -> int:
    """Print the logs, block by block."""
    with Database.open(args.db) as database:
        found, case = database.find_case(args.case, args.run_id)
        logs = database.read_logs(found.id, case.id)
    if common.json:
        items = [
            {"block": number if number >= 0 else None, "process": role, "text": text}
            for (number, role), text in logs.items()
        ]
        common.emit({"run": found.id, "case": case.id, "logs": items})
        return 0
    common.show(case.label)
    # Lines stay as they were printed, in text that programs read too.
    for (number, role), text in logs.items():
        common.print(write_log(number, role, text))
    if not any(logs.values()):
        common.note("its processes printed nothing")
    return 0


def write_log(number: int, role: str, text: str) -> str:
    """Write what one process printed; a number below 0 stands for no block."""
    where = role if number < 0 else f"block {number}, {role}"
    return f"--- {where}\n{text.rstrip() or '(nothing)'}"
