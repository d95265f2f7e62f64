"""`edgebench show KIND NAME`: everything known of one thing."""

from __future__ import annotations

import argparse

from edgebench.cli.common import Common
from edgebench.cli.describe import describe

SCHEMA = 8
"""The version of the document that this command prints."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("kind", metavar="KIND", help="model, operator, backend, suite, ...")
    parser.add_argument("name", metavar="NAME", help="a name that `edgebench list` shows")


def run(args: argparse.Namespace, common: Common) -> int:
    """Print what is known."""
    kind = args.kind.removesuffix("s")
    description = describe(kind, args.name, common)
    if common.json:
        common.emit({"schema": SCHEMA, "kind": kind, **description})
        return 0
    from edgebench.cli.tables import lay_out_description

    for laid in lay_out_description(kind, description):
        common.show(laid)
    return 0
