"""`edgebench store size / gc / path`: the artifact store."""

from __future__ import annotations

import argparse

from edgebench.cli.common import Common
from edgebench.cli.numbers import days

DAY = 24 * 3600.0
LARGEST = 10
"""Artifacts that are shown unless more is to be said."""
SCHEMA = 2
"""Of this command's documents: the second counts what is half made."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("action", choices=["size", "gc", "path"], metavar="size|gc|path",
                        help="how much it holds; remove what is old; where it is")  # fmt: skip
    parser.add_argument("--older-than", type=days, default=30.0, metavar="DAYS",
                        help="gc: remove what was not used for so many days (30)")  # fmt: skip


def run(args: argparse.Namespace, common: Common) -> int:
    """Do the action."""
    {"size": _print_size, "gc": _collect, "path": _print_path}[args.action](args, common)
    return 0


def _print_path(_: argparse.Namespace, common: Common) -> None:
    root = str(common.store.root)
    if common.json:
        common.emit({"schema": SCHEMA, "path": root})
    else:
        common.print(root)


def _print_size(_: argparse.Namespace, common: Common) -> None:
    entries = list(common.store.entries())
    half_made = common.store.measure_half_made()
    total = sum(entry.size for entry in entries) + half_made
    if common.json:
        items = [{"key": e.key, "what": e.what, "bytes": e.size} for e in entries]
        common.emit(
            {
                "schema": SCHEMA,
                "path": str(common.store.root),
                "bytes": total,
                "half_made_bytes": half_made,
                "entries": items,
            }
        )
        return
    from edgebench.cli.tables import table, write_size

    ordered = sorted(entries, key=lambda entry: -entry.size)
    shown = ordered if common.verbose else ordered[:LARGEST]
    cells = ([entry.key[:8], entry.what, write_size(entry.size)] for entry in shown)
    common.show(table("artifacts", ("key", "what", "size"), cells))
    rest = sum(entry.size for entry in ordered[len(shown) :])
    half = f", {write_size(half_made)} of it half made" if half_made else ""
    left = f"; {len(ordered) - len(shown)} others, {write_size(rest)}, with --verbose"
    common.show(f"{len(entries)} artifacts, {write_size(total)}{half}{left if rest else ''}")


def _collect(args: argparse.Namespace, common: Common) -> None:
    half_made = common.store.measure_half_made()
    gone = common.store.collect(args.older_than * DAY)
    freed = sum(entry.size for entry in gone) + max(0, half_made - common.store.measure_half_made())
    if common.json:
        removed = [entry.key for entry in gone]
        common.emit({"schema": SCHEMA, "removed": removed, "bytes": freed})
        return
    from edgebench.cli.tables import write_size

    common.show(f"removed {len(gone)} artifacts, {write_size(freed)}")
