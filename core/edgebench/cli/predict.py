"""`edgebench predict [RUN]`: what strategies would take under other links, and at other cuts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from edgebench.analysis.bounds import write_ms
from edgebench.analysis.links import describe_links
from edgebench.analysis.results import RunResults
from edgebench.cli.common import Common, add_database
from edgebench.cli.named_links import read_link
from edgebench.parts.errors import EdgebenchError, UnknownName
from edgebench.parts.grouping import group_by
from edgebench.parts.units import write_link
from edgebench.records.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edgebench.analysis.predictions import Prediction
    from edgebench.cases.case import Case
    from edgebench.conduct.predicting import Forecast
    from edgebench.parts.places import Link
    from edgebench.prepare.recipe import Recipes
    from edgebench.toml.profiles import NetworkRow

SCHEMA = 2
SHOWN = 10
"""So many cuts of a model and a setting of its links, the quickest, are shown of those that were
not measured; with `--verbose` or `--json` all."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("run_id", nargs="?", default="latest", metavar="RUN",
                        help="the id of a run, or how it begins (the latest)")  # fmt: skip
    parser.add_argument("--link", action="append", default=[], metavar="A-B=RATE[,DELAY]",
                        help="predict under this link, as edge-cloud=10mbit,20ms, or with a "
                             "network's name, as edge-cloud=4g; repeats for other pairs of tiers; "
                             "without one, other cuts under the run's own"
                        )  # fmt: skip
    add_database(parser)


def run(args: argparse.Namespace, common: Common) -> int:
    """Print what is predicted; 1 where nothing can be."""
    # Imported here because `--help` need not load what prepares.
    from edgebench.conduct.predicting import forecast
    from edgebench.prepare.recipe import Recipes

    with Database.open(args.db) as database:
        results = RunResults.of(database.read_run(args.run_id))
    links = read_links(args.link, [one.case for one in results.results], common.registry.networks)
    recipes: Recipes = Recipes(common.plugins, common.store)
    found = forecast(results.results, links, recipes)
    if common.json:
        common.emit({"schema": SCHEMA, "run": results.run.id, "db": str(args.db),
                     "quick": results.run.quick is not None,
                     **describe_forecast(found, links)})  # fmt: skip
    else:
        for part in lay_out_forecast(found, links, in_full=common.verbose):
            common.show(part)
        if quick := results.run.quick:
            common.show(
                f"All of it is rough: a quick run measured what it rests on, {quick.blocks} blocks "
                f"of {quick.requests} requests a case; measure without --quick before you decide."
            )
    return int(not (found.strategies or found.cuts))


def read_links(
    texts: Sequence[str], cases: Sequence[Case], networks: Mapping[str, NetworkRow]
) -> tuple[Link, ...]:
    """Return links as they are written, one for each pair of tiers that a run has a link between.

    Raises:
        EdgebenchError: One is malformed or given twice, or no case of the run uses it.
    """
    links: list[Link] = []
    used = {write_pair(link): link for case in cases for link in case.links}
    for text in texts:
        link = read_link(text, networks)
        if any(link.joins(*other.between) for other in links):
            raise EdgebenchError(f"--link {write_pair(link)} is given twice; predict one at a time")
        if not any(link.joins(*other.between) for other in used.values()):
            raise UnknownName.among("link of this run", write_pair(link), used)
        links.append(link)
    return tuple(links)


def write_pair(link: Link) -> str:
    """Return the two tiers of a link as they are written."""
    return "-".join(link.between)


# --- as a document --------------------------------------------------------------------------------


def describe_forecast(found: Forecast, links: Sequence[Link]) -> dict[str, Any]:
    """Return what was predicted as the command prints it with `--json`."""
    return {
        "links": [
            {"between": list(one.between), "rate_bit_s": one.rate, "delay_s": one.delay}
            for one in links
        ],
        "strategies": [_describe(one) for one in found.strategies],
        "cuts": [_describe(one) for one in found.cuts],
        "not_predicted": [
            {"case": one.case.id, "label": one.case.label, "reason": one.why}
            for one in found.refused
        ],
    }


def _describe(one: Prediction) -> dict[str, Any]:
    case = one.case
    return {
        "model": case.subject,
        "chain": case.chain,
        "placement": str(case.placement),
        "backend": case.backend,
        "network": describe_links(case),
        "kind": one.kind,
        "median_s": one.median_s,
        "ci95_s": list(one.ci95_s),
        "percentiles_s": dict(one.percentiles_s),
        "from": one.base,
        "basis": one.basis,
        "extrapolated": one.extrapolated or None,
        "measured": one.measured.case.id if one.measured else None,
        "measured_s": one.measured.median if one.measured else None,
        "error": one.error,
    }


# --- for people -----------------------------------------------------------------------------------


def lay_out_forecast(
    found: Forecast, links: Sequence[Link], *, in_full: bool = False
) -> Iterator[Any]:
    """Yield what to print of what was predicted."""
    if found.strategies:
        under = ", ".join(map(write_link, links))
        yield from _lay_out(f"measured strategies under {under}", found.strategies)
    if found.cuts:
        for (subject, under), own in group_by(found.cuts, _name_setting).items():
            shown = own if in_full else own[:SHOWN]
            title = f"cuts of {subject} under {under} that were not measured, the quickest first"
            yield from _lay_out(title, shown)
            if len(own) > len(shown):
                yield f"{len(own):,} cuts, of which {len(shown)} are shown"
    for one in found.refused:
        yield f"not predicted: {one.case.label}: {one.why}"
    if not found.strategies and not found.cuts:
        yield "nothing is predicted"
        return
    yield (
        "Below a figure is its 95 % interval: of what differs between the blocks that were "
        "measured, and nothing of the error of predicting."
    )


def _name_setting(one: Prediction) -> tuple[str, str]:
    return one.case.subject, ", ".join(map(write_link, one.case.links))


def _lay_out(title: str, found: Sequence[Prediction]) -> Iterator[Any]:
    from edgebench.cli.tables import table

    measured = any(one.measured for one in found)
    columns = [
        "#",
        "strategy",
        "median ms",
        "p95 ms",
        *(["measured"] if measured else []),
        "rests on",
    ]
    notes: dict[str, int] = {}
    rows = []
    for place, one in enumerate(found, 1):
        said = f"{one.basis}; beyond: {one.extrapolated}" if one.extrapolated else one.basis
        note = notes.setdefault(said, len(notes) + 1)
        rows.append([*_write_row(place, one, measured=measured), f"({note})"])
    yield table(title, columns, rows, folded=1)
    for said, note in notes.items():
        yield f"({note}) {said}"


def _write_row(place: int, one: Prediction, *, measured: bool) -> list[str]:
    case = one.case
    low, high = map(write_ms, one.ci95_s)
    p95 = one.percentiles_s.get("p95")
    row = [
        str(place),
        f"{case.chain}\n{case.subject} {case.placement} {case.backend}",
        f"{write_ms(one.median_s)}\n{low}..{high}",
        write_ms(p95) if p95 is not None else "-",
    ]
    if measured:
        row.append(_write_measured(one))
    return row


def _write_measured(one: Prediction) -> str:
    if one.measured is None or one.measured.median is None or one.error is None:
        return "-"
    return f"{write_ms(one.measured.median)}\n{one.error:+.1%}"
