"""`edgebench plan`: the cases of a suite or of options, and every skipped one with its reason."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgebench.catalogue.rows import BOUND_S
from edgebench.cli.common import Common
from edgebench.parts.grouping import group_by
from edgebench.parts.units import write_link

if TYPE_CHECKING:
    from edgebench.cases.case import Case
    from edgebench.cases.plan import Plan, Skipped

SCHEMA = 2
"""The version of the document that this command prints."""
MANY = 4
"""Skipped cases of one reason from which on they are one line, unless more is to be said."""
ASSUMED_BLOCK_S = 2.0
"""What a block is taken to last where the database holds none of its case."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    from edgebench.cli.study import declare

    declare(parser)


def run(args: argparse.Namespace, common: Common) -> int:
    """Print the plan."""
    from edgebench.cli.study import plan_study

    plan = plan_study(args, common)
    estimate, known = estimate_s(plan, args)
    if common.json:
        common.emit(
            {
                "schema": SCHEMA,
                "cases": [_describe(case) for case in plan.cases],
                "skipped": [_describe(one.case) | {"reason": one.reason} for one in plan.skipped],
                "blocks": plan.study.suite.blocks,
                "requests": plan.study.suite.requests,
                "bound_s": BOUND_S if plan.study.bounded else None,
                "estimate_s": estimate,
                "estimate_from": known,
            }
        )
    else:
        _show(plan, estimate, known, common)
    return 0


def _show(plan: Plan, estimate: float, known: str, common: Common) -> None:
    from edgebench.cli.tables import table

    columns = _choose_columns([*plan.cases, *(one.case for one in plan.skipped)])
    common.show(table("cases", list(columns), (_cells(case, columns) for case in plan.cases)))
    if plan.skipped:
        many = math.inf if common.verbose else MANY
        items = _list_skipped(plan.skipped, columns, many)
        common.show(table("skipped", [*columns, "why"], items))
    for tier in dict.fromkeys(case.route[0] for case in plan.cases):
        common.show(f"the input is on {tier}; --input-at TIER says that another holds it")
    suite = plan.study.suite
    within = f", or {BOUND_S:g} s" if plan.study.bounded else ""
    common.show(
        f"{_count(len(plan.cases), 'case')} to measure, "
        f"{_count(len(plan.skipped), 'case')} skipped; "
        f"{_count(suite.blocks, 'block')} a case, "
        f"{_count(suite.requests, 'request')} a block{within}; "
        f"measuring takes about {estimate:.0f} s ({known})"
    )


def _list_skipped(
    skipped: Iterable[Skipped], columns: Mapping[str, Callable[[Case], str]], many: float
) -> Iterator[list[str]]:
    """Yield the cells of each skipped case; *many* that share a reason, and more, in one line."""
    for reason, ones in group_by(skipped, lambda one: one.reason).items():
        cells = [_cells(one.case, columns) for one in ones]
        if len(ones) < many:
            yield from ([*each, reason] for each in cells)
        else:
            yield [f"{len(ones)} cases", *map(_sum_up, list(zip(*cells, strict=True))[1:]), reason]


def _sum_up(values: Iterable[str]) -> str:
    """Write what several cases have: what they share, or how many there are."""
    different = list(dict.fromkeys(values))
    return different[0] if len(different) == 1 else f"({len(different)})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


_COLUMNS: Mapping[str, Callable[[Case], str]] = {
    "case": lambda case: case.id,
    "model": lambda case: case.subject,
    "chain": lambda case: case.chain,
    "placement": lambda case: str(case.placement),
    "backend": lambda case: case.backend,
}


def _choose_columns(cases: Sequence[Case]) -> Mapping[str, Callable[[Case], str]]:
    """Return how the cells of each column are written; what no case needs said has none."""
    columns = dict(_COLUMNS)
    if any(case.route not in ((), case.placement.tiers) for case in cases):
        columns["route"] = lambda case: "-".join(case.route)
    if differing := _find_differing_links(cases):
        columns["links"] = lambda case: " ".join(
            write_link(link) for link in case.links if frozenset(link.between) in differing
        )
    return columns


def _find_differing_links(cases: Iterable[Case]) -> set[frozenset[str]]:
    """Return the pairs of tiers that are joined by one link in one case, and another in another."""
    links = (link for case in cases for link in case.links)
    by_pair = group_by(links, lambda link: frozenset(link.between))
    return {pair for pair, found in by_pair.items() if len(set(map(write_link, found))) > 1}


def _cells(case: Case, columns: Mapping[str, Callable[[Case], str]]) -> list[str]:
    return [write(case) for write in columns.values()]


def _describe(case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "model": case.model,
        "variant": case.variant,
        "options": dict(case.options),
        "weights": case.weights.label,
        "chain": case.chain,
        "placement": str(case.placement),
        "backend": case.backend,
        "fabric": case.fabric,
        "scenario": case.scenario,
        "batch": case.batch,
        "threads": case.threads,
        "seed": case.seed,
        "route": list(case.route),
        "links": case.describe_links(),
    }


def estimate_s(plan: Plan, args: argparse.Namespace) -> tuple[float, str]:
    """Return about how long measuring takes in seconds, and what that is taken from."""
    from edgebench.records.database import Database

    seen: Mapping[str, float] = {}
    if args.db.is_file():
        with Database.open(args.db) as database:
            seen = database.read_block_durations_s()
    blocks = [seen.get(case.id, ASSUMED_BLOCK_S) for case in plan.cases]
    known = sum(case.id in seen for case in plan.cases)
    source = f"{ASSUMED_BLOCK_S:g} s a block are assumed"
    if known:
        others = f"; of the others {source}" if known < len(plan.cases) else ""
        source = f"as {known} of {len(plan.cases)} were measured before{others}"
    return sum(blocks) * plan.study.suite.blocks, source
