"""What the evidence behind an advice is worth: repetitions, labels, what is emulated, doubts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.links import collect_tier_checks
from edgebench.analysis.prices import EMULATED
from edgebench.analysis.quick import describe_quick, settle_spread

if TYPE_CHECKING:
    from edgebench.analysis.advised import Advice
    from edgebench.analysis.result import Result


@attrs.frozen(kw_only=True)
class Evidence:
    """What one advice rests on."""

    blocks: int
    """Of the strategy that is recommended, or is nearest to it; so the rest."""
    requests: int
    rounds: int
    """Of all that were compared."""
    by_request: bool
    """Whether nothing is known of what differs between processes."""
    studied: int
    """How many strategies study mode held against each other; 0 where rounds tell."""
    labels: int | None
    emulated: tuple[str, ...]
    """The tiers of which anything is emulated, and `links` where those are."""
    doubts: tuple[str, ...]
    """The reasons to doubt it, the worst cause first."""
    causes: tuple[str, ...]
    quick: str = ""
    """What it is worth where a quick run measured it; empty for any other."""


def find_evidence(advice: Advice) -> Evidence | None:
    """Return what the evidence for an advice is; None where nothing was measured."""
    candidate = advice.best or advice.nearest
    if candidate is None:
        return None
    result = candidate.result
    return Evidence(
        blocks=len(result.measured),
        requests=result.samples,
        rounds=advice.rounds,
        by_request=advice.by_request,
        studied=advice.studied,
        labels=result.figure.samples if result.figure else None,
        emulated=tuple(_list_emulated(result)),
        doubts=result.doubts,
        causes=tuple(dict.fromkeys(one.cause for one in result.reasons)),
        quick=_describe_quick(advice, result),
    )


def _describe_quick(advice: Advice, result: Result) -> str:
    if result.quick is None:
        return ""
    medians = {one.result.case: one.median for one in (*advice.ranked, *advice.open)}
    return describe_quick(settle_spread(result.quick, medians or {result.case: result.median or 0}))


def _list_emulated(result: Result) -> list[str]:
    enforced = {tier: dict(c[0].enforced) for tier, c in collect_tier_checks(result).items()}
    tiers = [tier for tier, how in enforced.items() if EMULATED in how.get("cpu", "")]
    ways = (how.get(name, "") for how in enforced.values() for name in ("bandwidth", "delay"))
    links = bool(result.case.links) and any(EMULATED in way for way in ways)
    return [*tiers, *(["links"] if links else [])]
