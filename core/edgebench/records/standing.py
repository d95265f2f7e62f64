"""How far a case has come, by its facts and by how its blocks ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.records.facts import Facts
    from edgebench.records.outcome import Block


def find_standing(
    skipped: str | None, planned: int, facts: Facts, blocks: Sequence[Block]
) -> tuple[str, str]:
    """Return the status of a case, one of `facts.STATUSES`, and the reason of it.

    Args:
        skipped: Why it was not planned; None for one that was.
        planned: How many blocks it is to have.
        facts: What is known of it beside its blocks.
        blocks: Its blocks in order, those measured again among them; what they timed is not looked
            at.
    """
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
