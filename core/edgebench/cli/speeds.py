"""What is said where tiers are as fast as other figures than those that were measured with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgebench.parts.errors import DatabaseError, UnknownName
from edgebench.parts.places import Tier

if TYPE_CHECKING:
    from edgebench.cases.case import Case
    from edgebench.cli.common import Common
    from edgebench.records.database import Database


def note_other_speeds(cases: Sequence[Case], database: Database, common: Common) -> None:
    """Say in one line which tiers have another speed than when one of these cases was measured.

    The registry may say another, or a tier states its gflops and this machine's own figure is
    another now.
    """
    now = {name: tier.speed for name, tier in common.plugins.all(Tier).items()}
    # Cases of one route were measured on the same tiers.
    for case in {case.route: case for case in reversed(cases)}.values():
        try:
            run, _ = database.find_case(case.id)
        except (DatabaseError, UnknownName):  # nothing was measured of it
            continue
        blocks = database.read_outcome(run.id, case.id, timed=False).blocks
        stated = {one.name: one.stated for block in blocks for one in block.tiers}
        if said := _list_changes(stated, now):
            common.note(f"edgebench: {said}: another speed than in run {run.id}, which measured it")
            return


def _list_changes(stated: Mapping[str, float | None], now: Mapping[str, float | None]) -> str:
    return ", ".join(
        f"tier {name} is {is_now:g} times as fast as this machine, and was {was:g} times"
        for name, was in stated.items()
        if was is not None and (is_now := now.get(name)) is not None and was != is_now
    )
