"""`edgebench import PATH`: results of another database, or of another program, into this one."""

from __future__ import annotations

import argparse
from pathlib import Path

import attrs

from edgebench.cli.common import Common, add_database
from edgebench.parts.errors import EdgebenchError
from edgebench.records.database import Database

SHOWN = 5
"""Notes that are printed unless more is to be said."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("path", type=Path, metavar="PATH",
                        help="a database of edgebench, or what an importer of `list importers` "
                             "claims")  # fmt: skip
    parser.add_argument("--run", default="", dest="run_id", metavar="RUN",
                        help="of a database one run: its id, or how it begins (all)")  # fmt: skip
    parser.add_argument("--tag", default="", metavar="TEXT", help="kept with what is no database")
    add_database(parser)


def run(args: argparse.Namespace, common: Common) -> int:
    """Import, and say what."""
    # Imported here because `--help` need not load what plans.
    from edgebench.conduct.importing import import_results

    common.refuse_faults()
    is_new = not args.db.exists()
    try:
        with Database.open(args.db, write=True) as database:
            found = import_results(
                args.path, database, common.plugins, run=args.run_id, tag=args.tag
            )
    except EdgebenchError:
        if is_new:
            # Made for what could not be read, it would be taken for somebody's results.
            args.db.unlink(missing_ok=True)
        raise
    if common.json:
        runs = [{**attrs.asdict(one), "notes": list(one.notes)} for one in found]
        common.emit({"db": str(args.db), "runs": runs})
        return 0
    for one in found:
        was = f" (there {one.was})" if one.was not in ("", one.run) else ""
        what = f"read by {one.importer}" if one.importer else "a database"
        common.show(
            f"run {one.run}{was}: {one.cases} case{'s' * (one.cases != 1)}, {one.blocks} "
            f"block{'s' * (one.blocks != 1)}, {one.requests:,} requests of {one.source}, {what}"
        )
        for note in one.notes if common.verbose else one.notes[:SHOWN]:
            common.show(f"  {note}")
        if more := len(one.notes[SHOWN:]) * (not common.verbose):
            common.show(f"  and {more} more, with --verbose")
    common.note(f"edgebench: imported into {args.db}; edgebench report lays it out")
    return 0
