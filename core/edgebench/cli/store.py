"""`edgebench store size / gc / path`: the artifact store."""

from __future__ import annotations

import argparse
from typing import Any

from edgebench.cli.common import Common
from edgebench.cli.numbers import days

DAY = 24 * 3600.0


def configure(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "store", help="show or clean the artifact store"
    )
    parser.add_argument("action", choices=["size", "gc", "path"], metavar="size|gc|path",
                        help="how much it holds; remove what is old; where it is")  # fmt: skip
    parser.add_argument("--older-than", type=days, default=30.0, metavar="DAYS",
                        help="gc: remove what was not used for so many days (30)")  # fmt: skip
    return parser


def run(args: argparse.Namespace, common: Common) -> int:
    """Do the action."""
    return {"size": _size, "gc": _gc, "path": _path}[args.action](args, common)


def _path(args: argparse.Namespace, common: Common) -> int:
    root = str(common.store.root)
    if common.json:
        common.emit({"path": root})
    else:
        common.console.print(root, soft_wrap=True, markup=False)
    return 0


def _size(args: argparse.Namespace, common: Common) -> int:
    entries = list(common.store.entries())
    total = sum(entry.size for entry in entries)
    if common.json:
        rows = [{"key": e.key, "what": e.what, "bytes": e.size} for e in entries]
        common.emit({"path": str(common.store.root), "bytes": total, "entries": rows})
        return 0
    from edgebench.cli.tables import size, table

    ordered = sorted(entries, key=lambda entry: -entry.size)
    rows_shown = ([entry.key[:8], entry.what, size(entry.size)] for entry in ordered)
    common.show(table("artifacts", ("key", "what", "size"), rows_shown))
    common.show(f"{len(entries)} artifacts, {size(total)}")
    return 0


def _gc(args: argparse.Namespace, common: Common) -> int:
    gone = common.store.collect(args.older_than * DAY)
    freed = sum(entry.size for entry in gone)
    if common.json:
        common.emit({"removed": [entry.key for entry in gone], "bytes": freed})
    else:
        from edgebench.cli.tables import size

        common.show(f"removed {len(gone)} artifacts, {size(freed)}")
    return 0
