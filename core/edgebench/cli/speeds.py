"""What is said where tiers are as fast as other figures than those that were measured with."""

from __future__ import annotations

from collections.abc import Sequence
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
    known: dict[str, tuple[float | None, str]] = {}
    for case in cases:
        # That of a tier was the same for all cases that it computed for.
        if known.keys() >= {*case.placement.tiers}:
            continue
        try:
            run, _ = database.find_case(case.id)
        except (DatabaseError, UnknownName):  # nothing was measured of it
            continue
        for block in database.read_outcome(run.id, case.id, timed=False).blocks:
            for one in block.tiers:
                known.setdefault(one.name, (one.stated, run.id))
    changes = {
        f"tier {name} is {is_now:g} times as fast as this machine, and was {was:g} times": run
        for name, (was, run) in known.items()
        if was is not None and (is_now := now.get(name)) is not None and was != is_now
    }
    if changes:
        runs = " and ".join(dict.fromkeys(changes.values()))
        said = f"{', '.join(changes)}: another speed than in run {runs}, which measured it"
        common.note(f"edgebench: {said}")
