"""`edgebench list [KIND...]`: what there is, where it comes from, and how to get the rest."""

from __future__ import annotations

import argparse

from edgebench.cli.common import Common
from edgebench.cli.describe import LISTED, SHOWN, list_items

SCHEMA = 2
"""The version of the document that this command prints."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(LISTED))


def run(args: argparse.Namespace, common: Common) -> int:
    """Print the kinds asked for, or all."""
    kinds = [f"{kind}s" if f"{kind}s" in LISTED else kind for kind in args.kinds]
    listed = {kind: list_items(kind, common) for kind in kinds or SHOWN}
    if common.json:
        common.emit({"schema": SCHEMA, **listed})
    else:
        from edgebench.cli.tables import lay_out_kind

        for kind, items in listed.items():
            common.show(lay_out_kind(kind, items))
    for fault in common.plugins.faults:
        common.note_fault(fault)
    return 0
