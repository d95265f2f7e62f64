"""`edgebench plan`: the cases of a suite or of options, and every skipped one with its reason."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edgebench.catalogue.rows import BOUND_S
from edgebench.cli.common import Common
from edgebench.parts.grouping import group_by

if TYPE_CHECKING:
    from edgebench.cases.case import Case
    from edgebench.cases.plan import Plan, Skipped

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

    columns = ("case", "model", "chain", "placement", "backend")
    common.show(table("cases", columns, (_cells(case) for case in plan.cases)))
    if plan.skipped:
        together = math.inf if common.verbose else MANY
        common.show(table("skipped", (*columns, "why"), _list_skipped(plan.skipped, together)))
    suite = plan.study.suite
    within = f", or {BOUND_S:g} s" if plan.study.bounded else ""
    common.show(
        f"{_count(len(plan.cases), 'case')} to measure, "
        f"{_count(len(plan.skipped), 'case')} skipped; "
        f"{_count(suite.blocks, 'block')} a case, "
        f"{_count(suite.requests, 'request')} a block{within}; "
        f"measuring takes about {estimate:.0f} s ({known})"
    )


def _list_skipped(skipped: Iterable[Skipped], many: float) -> Iterator[list[str]]:
    """Yield the cells of each skipped case; *many* that share a reason, and more, in one line."""
    for reason, ones in group_by(skipped, lambda one: one.reason).items():
        cells = [_cells(one.case) for one in ones]
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


def _cells(case: Case) -> list[str]:
    return [case.id, case.subject, case.chain, str(case.placement), case.backend]


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
