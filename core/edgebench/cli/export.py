"""`edgebench export CASE -o DIR`: a measured strategy, ready to run without edgebench."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgebench.cli.common import Common, add_database


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("case", metavar="CASE", help="the id of a case, or how it begins")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR",
                        help="an empty directory, or one that is not there yet")  # fmt: skip
    parser.add_argument("--run", default="", dest="run_id", metavar="RUN",
                        help="a run, by id or how it begins (the latest with it)")  # fmt: skip
    add_database(parser)


def run(args: argparse.Namespace, common: Common) -> int:
    """Write the directory, and say what is in it."""
    from edgebench.analysis.result import Result
    from edgebench.export.exporting import Export
    from edgebench.records.database import Database

    common.refuse_faults()
    with Database.open(args.db) as database:
        found, case = database.find_case(args.case, args.run_id)
        outcome = database.read_outcome(found.id, case.id)
    made = Export(
        run=found,
        result=Result.of(outcome, found.quick),
        plugins=common.plugins,
        store=common.store,
        directory=args.output,
    ).write()
    if common.json:
        common.emit(
            {
                "run": found.id,
                "case": case.id,
                "directory": str(made.directory),
                "pieces": list(made.pieces),
                "licence": made.licence,
                "example": made.example,
                "doubts": list(made.doubts),
            }
        )
        return 0
    common.show(
        f"{case.label} of run {found.id}: exported to {made.directory}; README.txt says how to run "
        "it"
    )
    common.show(f"weights: {made.licence}")
    for doubt in made.doubts:
        common.note(f"edgebench: {doubt}")
    return 0
