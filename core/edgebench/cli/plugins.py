"""`edgebench plugins list`: installed, missing, faulty and blocked plugins."""

from __future__ import annotations

import argparse

from edgebench.cli.common import Common
from edgebench.cli.describe import list_rows


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("action", choices=["list"], metavar="list", help="the one thing to do yet")


def run(args: argparse.Namespace, common: Common) -> int:
    """Print how every plugin stands; status 1 if one is faulty."""
    rows = list_rows("plugins", common)
    if common.json:
        common.emit({"plugins": rows})
    else:
        from edgebench.cli.tables import table, write_origin

        cells = (
            [row["name"], row["status"], row["why_not"] or row["summary"], write_origin(row)]
            for row in rows
        )
        common.show(table("plugins", ("name", "status", "offers, or what is wrong", "from"), cells))
    return int(any(row["status"] == "faulty" for row in rows))
