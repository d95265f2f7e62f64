"""How long a run will take, by what runs before it took."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgebench.catalogue.rows import BOUND_S
from edgebench.conduct.turns import adds_blocks, count_blocks
from edgebench.records.database import Database

if TYPE_CHECKING:
    import sqlite3

    from edgebench.cases.plan import Plan
    from edgebench.records.readings import Pace
    from edgebench.store.artifacts import Store

ASSUMED_BLOCK_S = 2.0
"""What a block is taken to last where the database holds none of its case."""


@attrs.frozen(kw_only=True)
class Estimate:
    """About how long a run will take, and what that is taken from."""

    estimate_s: float
    """Seconds of measuring."""
    estimate_from: str
    preparing_s: float | None
    """Seconds of preparing what is not kept in the store; None where no case was prepared before.
    """
    scoring_s: float | None
    """Seconds of scoring, likewise."""
    ready_cases: int
    """How many of the cases were prepared and scored before."""

    def describe_before(self, plan: Plan) -> str:
        """Say in a clause what comes before measuring a plan."""
        if self.preparing_s is None or self.scoring_s is None:
            return (
                "preparing and scoring come on top, not known before the first run: "
                f"{describe_scoring(plan)}, which may take longer than measuring"
            )
        return (
            f"preparing about {self.preparing_s:.0f} s and scoring about {self.scoring_s:.0f} s "
            f"come on top (as {self.ready_cases} of the cases took before, less what is kept)"
        )


def describe_scoring(plan: Plan) -> str:
    """Say how many cases of a plan are scored, and on how much."""
    count, limit = len(plan.cases), plan.study.score_limit
    on = f"{limit} test samples at most" if limit else "all test samples"
    return f"{count} case{'s, each' if count != 1 else ''} on {on}"


def estimate_run(plan: Plan, path: Path, store: Store) -> Estimate:
    """Estimate a run of *plan* from the results database at *path*, if there is one."""
    blocks: Mapping[str, float] = {}
    made: list[sqlite3.Row] = []
    if path.is_file():
        with Database.open(path) as database:
            made = database.list_preparations()
            blocks = _stretch(database, plan)
    measuring_s, source = _estimate_measuring(plan, blocks)
    ids = {case.id for case in plan.cases}
    found = [row for row in made if row["id"] in ids]
    return Estimate(
        estimate_s=measuring_s,
        estimate_from=source,
        preparing_s=_add_up(found, "preparing_s", "artifact", store),
        scoring_s=_add_up(found, "scoring_s", "score_key", store),
        ready_cases=len({row["id"] for row in found}),
    )


def _stretch(database: Database, plan: Plan) -> Mapping[str, float]:
    """Return how long a block of each case would last, of as many requests as it is to have."""
    wanted, most_s = plan.study.suite.requests, BOUND_S if plan.study.bounded else math.inf
    return {
        case: max(0.0, one.block_s + _add_up_requests(one, wanted, most_s))
        for case, one in database.read_paces().items()
    }


def _add_up_requests(pace: Pace, wanted: int, most_s: float) -> float:
    """Return the seconds of requests that a block has more than it had, or fewer."""
    return min(wanted * pace.request_s, most_s) - pace.requests * pace.request_s


def _estimate_measuring(plan: Plan, seen: Mapping[str, float]) -> tuple[float, str]:
    blocks = [seen.get(case.id, ASSUMED_BLOCK_S) for case in plan.cases]
    known = sum(case.id in seen for case in plan.cases)
    source = f"{ASSUMED_BLOCK_S:g} s a block are assumed"
    if known:
        others = f"; of the others {source}" if known < len(plan.cases) else ""
        source = f"as {known} of {len(plan.cases)} were measured before{others}"
    if adds_blocks(plan.study):
        source += ", and every case takes all blocks it may have"
    return sum(blocks) * count_blocks(plan.study), source


def _add_up(rows: list[sqlite3.Row], seconds: str, key: str, store: Store) -> float | None:
    """Add up what is to be made again, at the longest that it took; None where nothing is known."""
    # A run that found it in the store took no time for it, so the longest is what making takes.
    longest: dict[str, float] = {}
    for row in rows:
        longest[row["id"]] = max(longest.get(row["id"], 0.0), row[seconds])
    kept = {row["id"] for row in rows if store.locate(row[key]).is_dir()}
    return sum(s for case, s in longest.items() if case not in kept) if longest else None
