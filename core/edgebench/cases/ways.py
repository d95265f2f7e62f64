"""Shortest ways: from one format to another over converters, between tiers over links."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from edgebench.parts.changes import Converter

S = TypeVar("S")


def find_ways(
    start: str, leave: Callable[[str], Iterable[tuple[S, str]]]
) -> dict[str, tuple[S, ...]]:
    """Return the fewest steps from a place to each place that they lead to, itself included.

    *leave* gives the steps that leave a place, each with the place that it leads to. Of ways of
    equally many steps, the one whose steps it gives first wins.
    """
    ways: dict[str, tuple[S, ...]] = {start: ()}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for step, there in leave(here):
            if there not in ways:
                ways[there] = (*ways[here], step)
                queue.append(there)
    return ways


def find_way(
    converters: Iterable[Converter], source: str, targets: Sequence[str]
) -> tuple[Converter, ...] | None:
    """Return the fewest converters that lead from a format to one of the targets.

    An empty *targets* stands for any format. Of ways equally short, the one to the target named
    first wins, then the one whose converters' names sort first. None where there is no way.
    """
    if not targets or source in targets:
        return ()
    # In order of name, so that of ways equally short every machine takes the same.
    ordered = sorted(converters, key=lambda converter: converter.name)
    ways = find_ways(
        source, lambda form: ((each, each.target) for each in ordered if each.source == form)
    )
    # Of equally short ways `min` returns the first, which leads to the target named first.
    found = [ways[target] for target in targets if target in ways]
    return min(found, key=len) if found else None


def say_no_way(source: str, targets: tuple[str, ...], whom: str) -> str:
    """Say that nothing converts a format to one that somebody reads."""
    wanted = " or ".join(targets)
    return f"no converter from {source} to {wanted}, which {whom} reads"
