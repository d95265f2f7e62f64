"""The tiers a request passes: from the one that holds the input, through every tier that works."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from edgebench.cases.case import Case
from edgebench.cases.ways import find_ways
from edgebench.parts.errors import ChainError, UnknownName
from edgebench.parts.places import Link, Placement
from edgebench.parts.units import write_link


def parse_placement(text: str, tiers: Iterable[str]) -> Placement:
    """Parse tiers joined by `-`.

    Raises:
        UnknownName: A tier that nobody offers.
        ChainError: A tier stands twice, or none where one is expected.
    """
    known = set(tiers)
    names = text.split("-")
    if "" in names:
        raise ChainError(f"the placement {text!r} is to be tiers joined by `-`, and one is missing")
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


def find_route(
    placement: Placement, links: Sequence[Link], input_at: str, default: str = ""
) -> tuple[tuple[str, ...], tuple[Link, ...]]:
    """Return the tiers and the links that a request passes, over relays where it must.

    It begins at *input_at*, the tier that is said to hold the input; where none is said, at the
    *default*, and only if links lead on from there: which device holds an input is never guessed.

    Raises:
        ChainError: No links lead from one tier to the next, or it must be said where it begins.
    """
    here = input_at or _assume_input_tier(placement.tiers[0], links, default)
    tiers: list[str] = [here]
    passed: list[Link] = []
    for goal in placement.tiers:
        for link in _shortest(here, goal, links):
            (here,) = {here} ^ set(link.between)
            tiers.append(here)
            passed.append(link)
    return tuple(tiers), tuple(passed)


def _assume_input_tier(goal: str, links: Sequence[Link], default: str) -> str:
    near = sorted(_find_ways(goal, links))
    if default in near or (not default and near == [goal]):
        return default or goal
    if near == [goal]:
        unlinked = _say_unlinked(default, goal)
        raise ChainError(f"{unlinked}, or say --input-at {goal} if it holds the input")
    why = f" (no link leads to {goal} from {default}, the default)" if default else ""
    raise ChainError(f"say --input-at: which of {', '.join(near)} holds the input?{why}")


def _say_unlinked(start: str, goal: str) -> str:
    return f"no link leads from {start} to {goal}; give one with --link {start}-{goal}=RATE"


def check_links_used(sweep: Iterable[Link], cases: Sequence[Case]) -> None:
    """Refuse links that were given and that no case uses.

    Raises:
        ChainError: There is one.
    """
    for link in sweep:
        if not any(_uses(case, link) for case in cases):
            raise ChainError(
                f"no case uses --link {write_link(link)}; leave it out, or place a case so that "
                "its requests pass it"
            )


def _uses(case: Case, link: Link) -> bool:
    # A case without a route says itself what it lacks, which may be a link beside this one.
    lost = not case.route and set(link.between) & set(case.placement.tiers)
    return bool(lost) or any(passed.joins(*link.between) for passed in case.links)


def _find_ways(start: str, links: Sequence[Link]) -> dict[str, tuple[Link, ...]]:
    return find_ways(
        start,
        lambda here: ((ln, ({here} ^ {*ln.between}).pop()) for ln in links if here in ln.between),
    )


def _shortest(start: str, goal: str, links: Sequence[Link]) -> tuple[Link, ...]:
    ways = _find_ways(start, links)
    if goal not in ways:
        raise ChainError(_say_unlinked(start, goal))
    return ways[goal]
