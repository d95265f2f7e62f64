"""`edgebench plugins list`: installed, missing, faulty and blocked plugins."""

from __future__ import annotations

import argparse
from typing import Any

from edgebench.cli.common import Common
from edgebench.cli.list_ import catalogue


def configure(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "plugins", help="list plugins: installed, missing, faulty, blocked"
    )
    parser.add_argument("action", choices=["list"], metavar="list", help="the one thing to do yet")
    return parser


def run(args: argparse.Namespace, common: Common) -> int:
    """Print how every plugin stands; status 1 if one is faulty."""
    rows = catalogue(common, ["plugins"])["plugins"]
    if common.json:
        common.emit({"plugins": rows})
    else:
        from edgebench.cli.tables import origin, table

        cells = (
            [row["name"], row["status"], row["why_not"] or row["summary"], origin(row)]
            for row in rows
        )
        common.show(table("plugins", ("name", "status", "offers, or what is wrong", "from"), cells))
    return int(any(row["status"] == "faulty" for row in rows))
