"""`edgebench list [KIND...]`: what there is, where it comes from, and how to get the rest."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from edgebench.cli.common import Common, write_document
from edgebench.cli.kinds import LISTED, SHOWN
from edgebench.cli.pages import keep_page

SCHEMA = 4
"""The version of the document that this command prints."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(LISTED))


def run(args: argparse.Namespace, common: Common) -> int:
    """Print the kinds asked for, or all."""
    asked = [f"{kind}s" if f"{kind}s" in LISTED else kind for kind in args.kinds]
    kinds = asked or SHOWN
    text, faults = keep_page(common, kinds, lambda: _make_page(kinds, common))
    common.print_laid_out(text)
    for fault in faults:
        common.note_fault(fault)
    return 0


def _make_page(kinds: Sequence[str], common: Common) -> str:
    """Write a document of all items, or a table of each kind."""
    # Imported here because a page that is kept needs neither.
    from edgebench.cli.describe import list_items

    listed = {kind: list_items(kind, common) for kind in kinds}
    if common.json:
        return write_document({"schema": SCHEMA, **listed})
    from edgebench.cli.tables import lay_out_kind

    return common.lay_out(lay_out_kind(kind, items) for kind, items in listed.items())
