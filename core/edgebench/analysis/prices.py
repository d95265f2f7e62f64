"""What a request costs: the seconds that it keeps each tier at work, and the bytes on each link."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.exits import find_sent, find_share_sent
from edgebench.analysis.links import collect_tier_checks
from edgebench.analysis.phases import find_family, find_group

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edgebench.catalogue.rows import TierRow
    from edgebench.parts.places import Link
    from edgebench.records.outcome import Outcome

EMULATED = "emulated"
"""What stands in the words for how a tier enforces what it claims, where it pretends."""
HOUR_S = 3600.0
GIGABYTE = 1e9


@attrs.frozen(kw_only=True)
class Prices:
    """What tiers and links cost, as a registry says."""

    tiers: Mapping[str, TierRow]
    links: Sequence[Link]

    def find_price(self, outcome: Outcome) -> tuple[float | None, str]:
        """Return the mean price of a request of a case; None with the reason where it is not known.

        The seconds that each tier computes times the price of its hour / 3600, and the bytes that
        each link carries, there and back, times the price of its gigabyte.
        """
        lacking = [*self._list_lacking(outcome)]
        if lacking:
            return None, f"the registry states no price of {' and '.join(lacking)}"
        seconds, carried = find_tier_seconds(outcome), find_carried(outcome)
        if not seconds or find_bytes(outcome) is None:
            return None, "its phases or its bytes are not known"
        tiers = sum(s * (self._price_of_tier(tier) or 0) / HOUR_S for tier, s in seconds.items())
        links = sum(
            b * (self._price_of_link(outcome, *hop) or 0) / GIGABYTE for hop, b in carried.items()
        )
        return tiers + links, ""

    def _list_lacking(self, outcome: Outcome) -> Iterator[str]:
        for tier in outcome.case.placement.tiers:
            if self._price_of_tier(tier) is None:
                yield f"the tier {tier}"
        for hop in list_hops(outcome):
            if self._price_of_link(outcome, *hop) is None:
                yield f"the link {'-'.join(hop)}"

    def _price_of_tier(self, tier: str) -> float | None:
        return self.tiers[tier].price_per_hour if tier in self.tiers else None

    def _price_of_link(self, outcome: Outcome, one: str, other: str) -> float | None:
        # A suite may state one of its own links; the registry goes before it, as it is today's.
        links = (*self.links, *outcome.case.links)
        found = (link.price_per_gb for link in links if link.joins(one, other))
        return next((price for price in found if price is not None), None)


def list_hops(outcome: Outcome) -> list[tuple[str, str]]:
    """Return the pairs of tiers between which a request of a case travels."""
    return list(itertools.pairwise(outcome.case.route))


def find_carried(outcome: Outcome) -> Mapping[tuple[str, str], float]:
    """Return the mean bytes of a request that each hop carries, there and back."""
    sent = find_sent(outcome)
    back = sent.get("answer", 0.0)
    return {
        hop: sent[hop[0]] + back * find_share_sent(outcome, hop[0])
        for hop in list_hops(outcome)
        if hop[0] in sent
    }


def find_bytes(outcome: Outcome) -> float | None:
    """Return the mean bytes that a request sends over all hops, there and back.

    None where those of a hop are not known.
    """
    carried = find_carried(outcome)
    return math.fsum(carried.values()) if len(carried) == len(list_hops(outcome)) else None


def find_tier_seconds(outcome: Outcome) -> Mapping[str, float]:
    """Return the mean seconds that a request keeps each tier of a placement at work.

    Decoding and preprocessing are of the first tier that computes, answering of the last, the rest
    of the tier of its stage; what an emulated tier waits is divided in proportion to what each
    would take longer. Ways and queues are work of none. Empty where no phases are known.
    """
    import numpy as np

    tiers = outcome.case.placement.tiers
    found = dict.fromkeys(tiers, 0.0)
    waits, blocks = 0.0, [block for block in outcome.measured if block.phases_s]
    for block in blocks:
        for phase, seconds in block.phases_s.items():
            spent = float(np.nansum(seconds)) / len(seconds) / len(blocks)
            if find_group(phase) == "emulated":
                waits += spent
            elif (tier := _find_tier(outcome, phase)) is not None:
                found[tier] += spent
    longer = {tier: found[tier] * (find_slowdown(outcome, tier) - 1) for tier in tiers}
    whole = sum(longer.values())
    shares = {tier: longer[tier] / whole if whole > 0 else 1 / len(tiers) for tier in tiers}
    return {tier: found[tier] + waits * shares[tier] for tier in tiers} if blocks else {}


def find_slowdown(outcome: Outcome, tier: str) -> float:
    """Return by how much an emulated tier is slower than this machine; 1 where it is not known.

    1 too for a tier that is as slow as it claims by itself: its inference has taken as long.
    """
    checks = collect_tier_checks(outcome).get(tier, ())
    if not checks or not checks[0].claimed or EMULATED not in checks[0].enforced.get("cpu", ""):
        return 1.0
    return max(1.0, 1 / checks[0].claimed)


def _find_tier(outcome: Outcome, phase: str) -> str | None:
    """Return the tier that a phase keeps at work; None for ways, queues and what has none."""
    tiers, stages = outcome.case.placement.tiers, outcome.facts.stages
    family, number = find_family(phase), phase.rpartition("-")[2]
    if family == "inference":
        at = int(number) if number.isdigit() else 0
        return stages[at].tier if at < len(stages) else tiers[-1]
    if family == "serialise":
        return tiers[min(int(number), len(tiers) - 1)] if number.isdigit() else tiers[0]
    own: Mapping[str, Any] = {"decode": tiers[0], "preprocess": tiers[0], "postprocess": tiers[-1]}
    return own.get(family)
