"""What cases measure and under which conditions, as what equal ones differ by is kept for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edgebench.cases.case import Case
from edgebench.parts.places import Tier
from edgebench.prepare.keys import Keys
from edgebench.records.quick import Setting, describe_conditions


def describe_settings(cases: Iterable[Case], keys: Keys) -> Mapping[str, Setting]:
    """Return by id what each case measures, and under which conditions.

    Raises:
        ChainError: Weights that a case names are not there.
        DataError: They cannot be read.
    """
    return {case.id: _describe(case, keys) for case in cases}


def _describe(case: Case, keys: Keys) -> Setting:
    tiers = [keys.plugins.get(Tier, name) for name in case.placement.tiers]
    paces = [f"{one.name}: speed {one.speed or 1:g}, threads {one.threads}" for one in tiers]
    return Setting(
        subject=f"{case.model}:{case.variant} {keys.subject(case)[:16]}",
        conditions="; ".join([describe_conditions(case), *paces]),
    )
