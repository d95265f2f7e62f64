"""The tiers a request passes: from the one that holds the input, through every tier that works."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from edgebench.cases.ways import find_ways
from edgebench.parts.errors import ChainError, UnknownName
from edgebench.parts.places import Link, Placement


def parse_placement(text: str, tiers: Iterable[str]) -> Placement:
    """Parse tiers joined by `-`.

    Raises:
        UnknownName: A tier that nobody offers.
        ChainError: A tier stands twice.
    """
    known = set(tiers)
    names = text.split("-")
    for name in names:
        if name not in known:
            raise UnknownName.among("tier", name, known)
    if len(set(names)) != len(names):
        raise ChainError(f"the placement {text!r} names a tier twice")
    return Placement(names)


def list_placements(tiers: Sequence[str]) -> list[str]:
    """Return every placement of tiers in their order, the shortest first, for patterns to match."""
    return [
        "-".join(some)
        for length in range(1, len(tiers) + 1)
        for some in combinations(tiers, length)
    ]


def find_input_tier(tier: str, links: Iterable[Link]) -> str:
    """Return the tier that holds the input for requests to *tier*.

    Links are written from the input outwards, so it is where walking back along them ends; a tier
    that no link leads to holds its own.
    """
    back = {link.between[1]: link.between[0] for link in links}
    seen: list[str] = []
    while tier in back and tier not in seen:
        seen.append(tier)
        tier = back[tier]
    return tier


def find_route(
    placement: Placement, links: Sequence[Link]
) -> tuple[tuple[str, ...], tuple[Link, ...]]:
    """Return the tiers and the links that a request passes, over relays where it must.

    Raises:
        ChainError: No links lead from one tier to the next.
    """
    here = find_input_tier(placement.tiers[0], links)
    tiers: list[str] = [here]
    passed: list[Link] = []
    for goal in placement.tiers:
        for link in _shortest(here, goal, links):
            here = _far_end(link, here)
            tiers.append(here)
            passed.append(link)
    return tuple(tiers), tuple(passed)


def _shortest(start: str, goal: str, links: Sequence[Link]) -> tuple[Link, ...]:
    ways = find_ways(
        start, lambda here: ((link, _far_end(link, here)) for link in links if here in link.between)
    )
    if goal not in ways:
        raise ChainError(
            f"no link leads from {start} to {goal}; give one with --link {start}-{goal}=RATE"
        )
    return ways[goal]


def _far_end(link: Link, here: str) -> str:
    one, other = link.between
    return other if one == here else one
