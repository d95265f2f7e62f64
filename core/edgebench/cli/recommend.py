"""`edgebench recommend [RUN]`: which strategy to choose under bounds, and what that rests on."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from edgebench.analysis.advice import advise
from edgebench.analysis.advice_document import SCHEMA, describe_advices
from edgebench.analysis.advised import Advice, Wish
from edgebench.analysis.bounds import find_twice, parse_bound, parse_drop
from edgebench.analysis.explanation import Explainer
from edgebench.analysis.prices import Prices
from edgebench.analysis.result import Result
from edgebench.analysis.results import RunResults
from edgebench.cli.advice_layout import lay_out_advice
from edgebench.cli.common import Common, add_database
from edgebench.cli.project import FILE, read_here, take_places
from edgebench.parts.errors import EdgebenchError
from edgebench.records.database import Database

PHASED = ("bytes", "price")
"""The figures that need to be known by phase: what was not sent on, and who was at work."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("run_id", nargs="?", default="latest", metavar="RUN",
                        help="the id of a run, or how it begins (the latest)")  # fmt: skip
    parser.add_argument("--max", action="append", default=[], metavar="FIGURE=VALUE",
                        help="latency.p95=50ms (any percentile, median or mean), memory=500MB, "
                             "size=20MB, bytes=100kB or price=0.0001; repeats (those of "
                             "edgebench.toml here, if any)")  # fmt: skip
    parser.add_argument("--max-drop", action="append", default=[], metavar="METRIC=POINTS",
                        help="the most points of accuracy that may be lost, as accuracy=1 "
                             "(the margin of edgebench.toml here, else of the study)")  # fmt: skip
    parser.add_argument("--admit-open", action="store_true",
                        help="take in what is not shown to meet a bound, nor to miss it"
                        )  # fmt: skip
    parser.add_argument("--explain", action="store_true",
                        help="what each operator and each hop of what is recommended contributed"
                        )  # fmt: skip
    add_database(parser)


def run(args: argparse.Namespace, common: Common) -> int:
    """Print what is recommended of each model; 1 where nothing is of one of them."""
    bounds, margin = _take_bounds(args, common)
    wish = Wish(
        bounds=tuple(map(parse_bound, bounds)),
        drops=tuple(map(parse_drop, args.max_drop)),
        margin=parse_drop(margin) if margin else None,
        admit_open=args.admit_open,
    )
    _refuse_twice([one.figure for one in wish.bounds], "--max")
    _refuse_twice([one.metric for one in wish.drops], "--max-drop")
    phases = args.explain or any(one.figure in PHASED for one in wish.bounds)
    with Database.open(args.db) as database:
        results = RunResults.of(database.read_run(args.run_id, brief=not phases))
        kept, registry = results.run, take_places(common).registry
        prices = Prices(tiers=registry.tiers, links=registry.links)
        advices = advise(kept, results.results, wish, prices)
        if not phases:
            advices = tuple(_complete(one, kept.id, database) for one in advices)
    explainer = Explainer(results.results) if args.explain else None
    if common.json:
        found = describe_advices(advices, explainer)
        common.emit({"schema": SCHEMA, "run": kept.id, "db": str(args.db), "models": found})
    else:
        for advice in advices:
            for part in lay_out_advice(advice, explainer):
                common.show(part)
        if not advices:
            common.show(f"run {kept.id} measured nothing, so nothing is recommended")
    return int(not advices or any(one.best is None for one in advices))


def _take_bounds(args: argparse.Namespace, common: Common) -> tuple[Sequence[str], str]:
    """Return the bounds, and the margin of the folder's file where it has one and no drop is given.

    What is taken from the file is said.
    """
    file = read_here()
    bounds = file.project.max if file and not args.max else ()
    margin = file.project.margin if file and not args.max_drop else ""
    said = {"--max": bounds, "--max-drop": (margin,) if margin else ()}
    words = [f"{option}={text}" for option, texts in said.items() for text in texts]
    if words:
        instead = [option for option, texts in said.items() if texts]
        place = f"{' and '.join(instead)} {'takes' if len(instead) == 1 else 'take'} their place"
        common.note(
            f"edgebench: {FILE} says: recommend {shlex.join(words)} (whatever run it is; {place})"
        )
    return args.max or bounds, margin


def _complete(advice: Advice, run: str, database: Database) -> Advice:
    """Read of what is recommended, or nearest to it, all that doubts of it are found by."""
    candidate = advice.best or advice.nearest
    if candidate is None:
        return advice
    outcome = database.read_outcome(run, candidate.result.case.id)
    return advice.with_result(Result.of(outcome, candidate.result.quick))


def _refuse_twice(names: list[str], option: str) -> None:
    if twice := find_twice(names):
        raise EdgebenchError(f"{option} bounds {twice} twice; leave one out")
