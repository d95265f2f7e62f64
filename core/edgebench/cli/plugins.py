"""`edgebench plugins list`: installed, missing, faulty and blocked plugins."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from edgebench.cli.common import Common
from edgebench.cli.list_ import catalogue

SCHEMA = 2
"""The version of the document that this command prints."""


def configure(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "plugins", help="list plugins: installed, missing, faulty, blocked"
    )
    parser.add_argument("action", choices=["list"], metavar="list", help="the one thing to do yet")
    return parser


def run(args: argparse.Namespace, common: Common) -> int:
    """Print how every plugin stands; status 1 if one is faulty."""
    listed = catalogue(common, ["plugins"])["plugins"]
    found = zip(listed, common.plugins.rows(), strict=True)
    rows = [{**row, "hooks": list(status.hooks)} for row, status in found]
    if common.json:
        common.emit({"schema": SCHEMA, "plugins": rows})
    else:
        from edgebench.cli.tables import table

        columns = ("name", "status", "hooks", "offers, or what is wrong", "from")
        common.show(table("plugins", columns, map(_cells, rows)))
    return int(any(row["status"] == "faulty" for row in rows))


def _cells(row: Mapping[str, Any]) -> list[str]:
    from edgebench.cli.tables import origin

    hooks = ", ".join(hook.removeprefix("edgebench_") for hook in row["hooks"])
    return [row["name"], row["status"], hooks, row["why_not"] or row["summary"], origin(row)]
