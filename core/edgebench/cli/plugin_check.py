"""`edgebench plugins check`: what the parts of a plugin promise, and whether it holds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cli.common import Common
from edgebench.cli.numbers import seconds
from edgebench.parts.errors import EdgebenchError

if TYPE_CHECKING:
    from edgebench.testing.checking.check import Checked

SCHEMA = 1
"""The version of the document that this action prints."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the action's own options."""
    parser.add_argument("target", metavar="NAME|FILE.py",
                        help="a plugin, distribution, part (operator:NAME) or file")  # fmt: skip
    parser.add_argument("--model", default="", metavar="MODEL[:VARIANT]",
                        help="what to try it on; by itself the smallest that fits")  # fmt: skip
    parser.add_argument("--options", action="append", default=[], metavar="TEXT",
                        help="options to try as well (by=2,way=slow); repeats")  # fmt: skip
    parser.add_argument("--before", default="", metavar="CHAIN",
                        help="what is applied before an operator")  # fmt: skip
    parser.add_argument("--data", type=Path, metavar="PATH",
                        help="a dataset's directory, or what an importer reads")  # fmt: skip
    parser.add_argument("--time-limit", type=seconds, default=None, metavar="SECONDS",
                        help="how long the check of one promise may take (60)")  # fmt: skip


def run(args: argparse.Namespace, common: Common) -> int:
    """Print the verdict on each promise; status 1 if one is not held."""
    from edgebench.testing.checking.check import LIMIT_S, Checking
    from edgebench.testing.checking.orders import Trial

    source, target = common.plugins.source, str(args.target)
    if target.endswith(".py"):
        file = Path(target).resolve()
        if not file.is_file():
            raise EdgebenchError(f"the plugin {target} does not exist")
        source = attrs.evolve(source, files=(*source.files, file))
        # Others may be called as it is.
        target = str(file)
    data = args.data.resolve() if args.data else None
    checking = Checking(
        source=source,
        trial=Trial(model=args.model, options=args.options, before=args.before, data=data),
        limit_s=args.time_limit or LIMIT_S,
    )
    checked = []
    for part in checking.find(target):
        common.note(f"edgebench: checking the {part.kind} {part.name}")
        checked.append(checking.check(part))
    if not checked:
        raise EdgebenchError(f"the plugin {args.target} offers no part that could be checked")
    if common.json:
        common.emit({"schema": SCHEMA, "checked": [_to_item(one) for one in checked]})
    else:
        _show(checked, common)
    return int(not all(one.is_sound for one in checked))


def _to_item(checked: Checked) -> dict[str, Any]:
    part = checked.part
    return {
        "kind": part.kind,
        "name": part.name,
        "plugin": part.plugin,
        "held": checked.is_held,
        "promises": [
            {
                "promise": one.promise,
                "status": one.status,
                "why": one.why,
                "doubts": list(one.doubts),
            }
            for one in checked.verdicts
        ],
    }


def _show(checked: list[Checked], common: Common) -> None:
    """Print a table for each part: the verdicts, and under each promise what speaks against it."""
    from rich.table import Table
    from rich.text import Text

    from edgebench.testing.checking.orders import HELD

    for one in checked:
        table = Table(box=None, title_justify="left", show_header=False, pad_edge=False)
        table.title = Text(f"{one.part.kind} {one.part.name}, of {one.part.plugin}")
        table.add_column(no_wrap=True)
        table.add_column()
        for verdict in one.verdicts:
            doubted = verdict.status == HELD and verdict.doubts
            said = filter(None, (verdict.why, *verdict.doubts))
            status = "doubted" if doubted else verdict.status
            table.add_row(Text(status), Text("\n  ".join((verdict.promise, *said))))
        common.show(table)
        common.print("")
