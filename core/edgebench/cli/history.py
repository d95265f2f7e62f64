"""`edgebench history`: a figure over the runs of a database, with the points where it changed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgebench.cli.common import Common, add_database
from edgebench.parts.errors import EdgebenchError, UnknownName

if TYPE_CHECKING:
    from edgebench.analysis.history import Change, Series
    from edgebench.analysis.quantities import Quantity
    from edgebench.analysis.results import RunResults
    from edgebench.records.database import Database

BARS = "▁▂▃▄▅▆▇█"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("--tag", metavar="TEXT", help="runs with this tag (all)")
    parser.add_argument("--suite", metavar="NAME", help="runs of this suite (all)")
    parser.add_argument("--case", default="", metavar="ID",
                        help="a case, or how its id begins (all)")  # fmt: skip
    parser.add_argument("--model", default="", metavar="M[:VARIANT]",
                        help="cases of this model; takes globs (all)")  # fmt: skip
    parser.add_argument("--figure", default="latency.median", metavar="NAME",
                        help="latency.median, .mean, .p90, .p95, .p99, .p99.9, accuracy, size, "
                             "memory or bytes (latency.median)")  # fmt: skip
    add_database(parser)


def run(args: argparse.Namespace, common: Common) -> int:
    """Show the figure, case by case."""
    from edgebench.analysis.history import describe_history, follow
    from edgebench.analysis.quantities import QUANTITIES
    from edgebench.records.database import Database

    if args.figure not in QUANTITIES:
        raise UnknownName.among("figure", args.figure, QUANTITIES)
    quantity = QUANTITIES[args.figure]
    with Database.open(args.db) as database:
        runs = _read_runs(database, args)
    series = follow(quantity, runs, case=args.case, model=args.model)
    if not series:
        raise EdgebenchError(
            f"no case of {len(runs)} runs of {args.db} has {args.figure} and what else was asked "
            "for; `edgebench runs` lists the runs, `edgebench report RUN` their cases"
        )
    if common.json:
        common.emit(describe_history(quantity, runs, series))
    else:
        common.show(_lay_out(quantity, series, common))
    return 0


def _read_runs(database: Database, args: argparse.Namespace) -> list[RunResults]:
    """Return the runs that were asked for, the earliest first, but for quick ones.

    Raises:
        EdgebenchError: There are none.
    """
    from edgebench.analysis.results import RunResults

    every = database.read_runs()
    wanted = [
        one
        for one in every
        if args.tag in (None, one.tag) and args.suite in (None, one.suite) and one.quick is None
    ]
    if every and not wanted:
        raise EdgebenchError(
            f"no run of {args.db} but quick ones has that tag or suite; see `edgebench runs`"
        )
    return [RunResults.of(database.read_run(one.id)) for one in wanted]


def _lay_out(quantity: Quantity, series: Sequence[Series], common: Common) -> Any:
    from rich.console import Group
    from rich.text import Text

    from edgebench.analysis.likeness import name_cases
    from edgebench.cli.tables import table

    names = name_cases(one.case for one in series)
    parts: list[Any] = []
    if len(series) == 1 or common.verbose:
        parts = [
            table(names[one.case.id], ("run", quantity.name, ""), _list_runs(quantity, one))
            for one in series
        ]
    else:
        columns = ("case", "first", "last", "runs", "changes")
        parts = [table(quantity.name, columns, [_sum_up(quantity, one, names) for one in series])]
    return Group(*parts, *map(Text, _say(quantity, series, names)))


def _list_runs(quantity: Quantity, one: Series) -> Iterator[tuple[str, str, str]]:
    from edgebench.cli.comparison_words import write_value

    changes = {change.run: change for change in one.changes}
    for name, value in zip(one.runs, one.values, strict=True):
        said = f"changed: {_write_step(quantity, changes[name])}" if name in changes else ""
        yield name, write_value(quantity, value), said


def _sum_up(quantity: Quantity, one: Series, names: Mapping[str, str]) -> tuple[str, ...]:
    from edgebench.cli.comparison_words import write_value

    ends = (write_value(quantity, value) for value in (one.values[0], one.values[-1]))
    changes = ", ".join(_write_step(quantity, change) for change in one.changes)
    return (names[one.case.id], *ends, draw_bars(one.values), changes or one.remark or "none")


def _say(quantity: Quantity, series: Sequence[Series], names: Mapping[str, str]) -> Iterator[str]:
    """Yield what is said under the table: each change, run by run, or why none can be told."""
    from edgebench.parts.grouping import group_by

    found = [(one, change) for one in series for change in one.changes]
    for name, changed in group_by(found, lambda pair: pair[1].run).items():
        beside = "; ".join(f"{d.what}: {d.before} -> {d.after}" for d in changed[0][1].beside)
        yield f"changed at {name}{f' (beside: {beside})' if beside else ''}:"
        for one, change in changed:
            yield f"  {_write_step(quantity, change)} {names[one.case.id]}"
    if few := [one for one in series if one.missing]:
        least, most = min(one.missing for one in few), max(one.missing for one in few)
        more = f"{least}" if least == most else f"{least} to {most}"
        yield (
            f"nothing can be told of {len(few)} of {len(series)} cases: {more} more "
            f"run{'s' * (most != 1)} of each would do"
        )
    elif not found:
        yield "no change is shown"


def _write_step(quantity: Quantity, change: Change) -> str:
    from edgebench.cli.comparison_words import write_share

    if quantity.relative:
        return write_share(quantity, change.after / change.before - 1)
    return f"{write_share(quantity, change.after - change.before)} points"


def draw_bars(values: Sequence[float]) -> str:
    """Draw a row of values as a bar each, the least the lowest, the last thirty of them."""
    shown = values[-30:]
    least, most = min(shown), max(shown)
    scale = (len(BARS) - 1) / (most - least) if most > least else 0.0
    return "".join(BARS[round((value - least) * scale)] for value in shown)
