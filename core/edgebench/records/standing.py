"""How far a case has come, by its facts and by how its blocks ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.records.facts import Facts


@attrs.frozen
class Ended:
    """How one block ended."""

    number: int
    status: str
    reason: str
    requests: int | None
    """How many it measured; None for one that came to none."""


@attrs.frozen(kw_only=True)
class Standing:
    """How far a case has come."""

    status: str
    """One of `facts.STATUSES`."""
    reason: str
    measured: int
    """Blocks that ended well and hold requests."""
    requests: int
    """Measured requests of those."""


def standing_of(
    skipped: str | None, planned: int, facts: Facts, blocks: Sequence[Ended]
) -> Standing:
    """Return how far a case has come.

    Args:
        skipped: Why it was not planned; None for one that was.
        planned: How many blocks it is to have.
        facts: What is known of it beside its blocks.
        blocks: How its blocks ended, in order, those measured again among them.
    """
    status, reason = _status(skipped, planned, facts, blocks)
    counts = [one.requests for one in blocks if one.status == "ok" and one.requests is not None]
    return Standing(status=status, reason=reason, measured=len(counts), requests=sum(counts))


def _status(
    skipped: str | None, planned: int, facts: Facts, blocks: Sequence[Ended]
) -> tuple[str, str]:
    """Return the status and the reason of it."""
    if skipped is not None:
        return "skipped", skipped
    if facts.status:
        return facts.status, facts.reason
    good = {block.number for block in blocks if block.status == "ok"}
    bad = [block for block in blocks if block.status != "ok" and block.number not in good]
    last = bad[-1].reason if bad else ""
    if len(good) >= planned:
        return "ok", facts.reason
    if not good and bad:
        return bad[-1].status, facts.reason or last
    count = f"{len(good)} of {planned} blocks were measured"
    return "partial", facts.reason or (f"{count}: {last}" if last else count)
