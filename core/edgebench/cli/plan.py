"""`edgebench plan`: the cases of a suite or of options, and every skipped one with its reason."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.links import describe_links
from edgebench.catalogue.rows import BOUND_S
from edgebench.cli.common import Common
from edgebench.parts.grouping import group_by
from edgebench.parts.units import write_link

if TYPE_CHECKING:
    from edgebench.cases.case import Case
    from edgebench.cases.plan import Plan, Skipped
    from edgebench.cases.study import Study
    from edgebench.cli.estimates import Estimate

SCHEMA = 3
"""The version of the document that this command prints."""
MANY = 4
"""Skipped cases of one reason from which on they are one line, unless more is to be said."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    from edgebench.cli.study import declare

    declare(parser)
    parser.add_argument("--cuts", metavar="M[:VARIANT]",
                        help="show where a model may be cut, after --operator CHAIN")  # fmt: skip


def run(args: argparse.Namespace, common: Common) -> int:
    """Print the plan.

    Raises:
        EdgebenchError: No case of it can be run, as `run` says it; why of each is printed before.
    """
    from edgebench.cli.estimates import estimate_run
    from edgebench.cli.project import take_project
    from edgebench.cli.quick import describe_ahead, describe_sound, note_unreadable
    from edgebench.cli.study import plan_study, refuse_empty
    from edgebench.conduct.turns import count_blocks

    if args.cuts:
        from edgebench.cli.cuts import print_cuts

        return print_cuts(args, common)
    args, common = take_project(args, common)
    plan = plan_study(args, common)
    estimate = estimate_run(plan, args.db, common.store)
    if plan.study.quick:
        note_unreadable(common)
    if common.json:
        common.emit(
            {
                "schema": SCHEMA,
                "cases": [_describe(case) for case in plan.cases],
                "skipped": [_describe(one.case) | {"reason": one.reason} for one in plan.skipped],
                "understood": list(plan.understood),
                "blocks": count_blocks(plan.study),
                "requests": plan.study.suite.requests,
                "bound_s": BOUND_S if plan.study.bounded else None,
                "quick": plan.study.quick,
                **attrs.asdict(estimate),
            }
        )
    else:
        _show(plan, estimate, common)
        if plan.study.quick and plan.cases:
            common.show(describe_ahead(plan, common))
            common.show(describe_sound(plan, args, common))
    refuse_empty(plan)
    return 0


def _show(plan: Plan, estimate: Estimate, common: Common) -> None:
    from edgebench.cli.tables import table

    columns = _choose_columns([*plan.cases, *(one.case for one in plan.skipped)])
    if plan.cases:
        common.show(table("cases", list(columns), (_cells(case, columns) for case in plan.cases)))
    if plan.skipped:
        many = math.inf if common.verbose else MANY
        items = _list_skipped(plan.skipped, columns, many)
        common.show(table("skipped", [*columns, "why"], items))
    if not plan.cases:
        return
    for tier in dict.fromkeys(case.route[0] for case in plan.cases):
        common.show(f"the input is on {tier}; --input-at TIER says that another holds it")
    suite = plan.study.suite
    within = f", or {BOUND_S:g} s" if plan.study.bounded else ""
    common.show(
        f"{_count(len(plan.cases), 'case')} to measure, "
        f"{_count(len(plan.skipped), 'case')} skipped; "
        f"{_describe_blocks(plan.study)}, "
        f"{_count(suite.requests, 'request')} a block{within}; "
        f"measuring takes about {estimate.estimate_s:.0f} s ({estimate.estimate_from}); "
        f"{estimate.describe_before(plan)}"
    )


def _describe_blocks(study: Study) -> str:
    from edgebench.conduct.turns import adds_blocks, count_blocks

    most = count_blocks(study)
    if not adds_blocks(study):
        copies = f" of {study.copies} copies" if study.copies > 1 else ""
        return f"{_count(most, 'block')} a case{copies}"
    known = f"each median is known to {study.precision:.2g}" if study.precision else ""
    decided = "the best is known" if study.suite.until else ""
    return f"blocks are added until {' and '.join(filter(None, (known, decided)))}, {most} at most"


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
        "links": describe_links(case),
    }
