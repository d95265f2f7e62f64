"""What verified links and tiers were found to be, and what links predict for a request."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.parts.grouping import group_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edgebench.cases.case import Case
    from edgebench.records.outcome import Block, LinkCheck, Outcome, TierCheck


@attrs.frozen(kw_only=True)
class FigureSummary:
    """All checks of one figure of a link: the one furthest from the claim."""

    figure: str
    """`round trip` or `transfer`."""
    worst_s: float
    """What was measured."""
    claimed_s: float
    allowed_s: float
    """How far the one may lie from the other."""
    failed: int
    """How many checks found it further off."""


@attrs.frozen(kw_only=True)
class LinkSummary:
    """All checks of one link, one way: their medians."""

    source: str
    target: str
    message_bytes: int
    checks: int
    rate_bit_s: float
    """What it claims."""
    delay_s: float
    goodput_bit_s: float | None
    round_trip_s: float
    expected_s: float
    measured_s: float
    worst_s: float
    """What the transfer furthest from the claim took."""
    failed: int
    """How many checks found a figure of it outside its bound."""
    ok: bool
    figures: tuple[FigureSummary, ...]
    """Its round trip and its transfer, each against the claim."""


def summarise_links(blocks: Sequence[Block]) -> tuple[LinkSummary, ...]:
    """Return one row for each link and way, in the order they were checked.

    The sizes of a case's messages differ by little from block to block, as its inputs do.
    """
    checks = (check for block in blocks for check in block.links)
    found = group_by(checks, lambda check: (check.source, check.target))
    return tuple(map(_summary, found.values()))


def _summary(checks: Sequence[LinkCheck]) -> LinkSummary:
    first = checks[0]
    known = [check.goodput_bit_s for check in checks if check.goodput_bit_s is not None]
    failed = sum(not check.ok for check in checks)
    return LinkSummary(
        source=first.source,
        target=first.target,
        message_bytes=round(median(check.message_bytes for check in checks)),
        checks=len(checks),
        rate_bit_s=first.rate_bit_s,
        delay_s=first.delay_s,
        goodput_bit_s=median(known) if known else None,
        round_trip_s=median(check.round_trip_s for check in checks),
        expected_s=median(check.expected_s for check in checks),
        measured_s=median(check.measured_s for check in checks),
        worst_s=max(checks, key=lambda check: abs(check.measured_s - check.expected_s)).measured_s,
        failed=failed,
        ok=not failed,
        figures=tuple(_summarise_figures(checks)),
    )


def _summarise_figures(checks: Sequence[LinkCheck]) -> Iterator[FigureSummary]:
    found = [deviation for check in checks for deviation in check.deviations]
    for figure, deviations in group_by(found, lambda one: one.figure).items():
        worst = max(deviations, key=lambda one: one.by_s - one.allowed_s)
        yield FigureSummary(
            figure=figure,
            worst_s=worst.measured_s,
            claimed_s=worst.claimed_s,
            allowed_s=worst.allowed_s,
            failed=sum(not one.ok for one in deviations),
        )


def predict_travel_s(outcome: Outcome) -> float | None:
    """Return the seconds a request of this case should travel, by its verified links.

    For each hop of the route a round trip, the bytes there and the answer's bytes back, at the
    goodput that was measured each way. A round trip that is not what the link claims predicts
    nothing: the claim stands in for it. None where a hop was not verified or nothing is known of
    the bytes, and where samples leave early, for then a request may not travel at all.
    """
    blocks = outcome.measured
    if not blocks or any(block.exit_rates for block in blocks):
        return None
    hops = list(zip(outcome.case.route, outcome.case.route[1:], strict=False))
    links = {(link.source, link.target): link for link in summarise_links(blocks)}
    sent = blocks[0].bytes_out
    total = 0.0
    for source, target in hops:
        there, back = links.get((source, target)), links.get((target, source))
        if there is None or source not in sent or "answer" not in sent:
            return None
        total += _round_trip_s(there) + sent[source] * 8 / _rate(there)
        # A way back that was not verified is taken to be as the way there is.
        total += sent["answer"] * 8 / _rate(back or there)
    return total if hops else None


def _round_trip_s(link: LinkSummary) -> float:
    failed = {one.figure for one in link.figures if one.failed}
    return 2 * link.delay_s if "round trip" in failed else link.round_trip_s


def _rate(link: LinkSummary) -> float:
    return link.goodput_bit_s or link.rate_bit_s


def collect_tier_checks(outcome: Outcome) -> Mapping[str, Sequence[TierCheck]]:
    """Return the checks of all its blocks by tier."""
    checks = (check for block in outcome.measured for check in block.tiers)
    return group_by(checks, lambda check: check.name)


def describe_links(case: Case) -> list[dict[str, Any]]:
    """Return the links of a case as documents for users have them: each figure with its unit."""
    return [
        {"between": list(link.between), "rate_bit_s": link.rate, "delay_s": link.delay}
        for link in case.links
    ]
