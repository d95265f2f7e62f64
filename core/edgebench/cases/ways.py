"""Shortest ways: from one format to another over converters, between tiers over links."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

import attrs

from edgebench.catalogue.plugins import Plugins
from edgebench.parts.changes import Converter, Format
from edgebench.parts.part import Part
from edgebench.parts.places import Backend

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


@attrs.frozen
class Reader:
    """A backend that can open what is kept in a format, once that has gone a way of converters."""

    backend: Backend
    way: tuple[Converter, ...]
    at_home: bool
    """Whether it comes with the format: then whoever offers the one answers for the other."""

    @property
    def exact(self) -> bool:
        """Whether what it opens computes as the format's own framework does."""
        return all(converter.exact for converter in self.way)


def rank_readers(form: str, plugins: Plugins) -> list[Reader]:
    """Return the backends that a format leads to, the nearest first, of those that load stages.

    A way of exact converters comes before all others, then a backend that comes with the format,
    whatever strangers are installed; then a shorter way; then the name, so that machines agree. Of
    a format that is not known none is nearer than another: their names decide.
    """
    converters = plugins.all(Converter).values()
    home = _find_home(plugins, Format, form) if form in plugins.all(Format) else ""
    readers = []
    for name, backend in plugins.all(Backend).items():
        way = find_way(converters, form, backend.formats) if form else ()
        if way is not None and backend.loads:
            readers.append(Reader(backend, way, _find_home(plugins, Backend, name) == home))
    return sorted(
        readers,
        key=lambda one: (not one.exact, not one.at_home, len(one.way), one.backend.name),
    )


def keep_known(readers: Iterable[Reader], chosen: Collection[str]) -> list[Reader]:
    """Leave out strangers that nobody has *chosen*, of those that others may be held against.

    One may hang, or crash, and that would cost the cases of others.
    """
    return [one for one in readers if one.at_home or one.backend.name in chosen]


def _find_home(plugins: Plugins, kind: type[Part], name: str) -> str:
    owner = plugins.owner(kind, name)
    return owner.distribution or owner.origin


def say_no_way(source: str, targets: tuple[str, ...], whom: str, giver: str = "") -> str:
    """Say that nothing converts a format, an operator's if given, to one that somebody reads."""
    remedy = f"; {giver} gives {source}, so {whom} must come before {giver}" if giver else ""
    return f"no converter from {source} to {' or '.join(targets)}, which {whom} reads{remedy}"
