"""The shortest way from one format to another, over the converters that are there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from edgebench.parts.changes import Converter


def find_way(
    converters: Iterable[Converter], source: str, targets: Sequence[str]
) -> tuple[Converter, ...] | None:
    """Return the fewest converters that lead from a format to one of the targets.

    An empty *targets* stands for any format. Of ways equally short, the one to the target named
    first wins, then the one whose converters' names sort first. None where there is no way.
    """
    if not targets or source in targets:
        return ()
    # Breadth first, so that the first way to a format has the fewest converters; in order of name,
    # so that of equally many the same ones are taken on every machine.
    ordered = sorted(converters, key=lambda converter: converter.name)
    ways: dict[str, tuple[Converter, ...]] = {source: ()}
    queue = deque([source])
    while queue:
        here = queue.popleft()
        for converter in ordered:
            if converter.source == here and converter.target not in ways:
                ways[converter.target] = (*ways[here], converter)
                queue.append(converter.target)
    # Of equally short ways `min` returns the first, which leads to the target named first.
    found = [ways[target] for target in targets if target in ways]
    return min(found, key=len) if found else None


def say_no_way(source: str, targets: tuple[str, ...], whom: str) -> str:
    """Say that nothing converts a format to one that somebody reads."""
    wanted = " or ".join(targets)
    return f"no converter from {source} to {wanted}, which {whom} reads"
