"""Where links were measured at several rates: under which of them which placement is the best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.agreement import is_refuted
from edgebench.analysis.decisions import sort_out
from edgebench.analysis.group_tests import CONTENDERS, NONE, compare_all
from edgebench.analysis.groups import find_settings
from edgebench.parts.grouping import group_by
from edgebench.parts.units import write_link

if TYPE_CHECKING:
    from edgebench.analysis.result import Result
    from edgebench.analysis.verdicts import Verdicts


@attrs.frozen(kw_only=True)
class Setting:
    """The best of a model's strategies under one setting of the links."""

    links: str
    """The links that are swept, as they are written; empty where none is."""
    best: Result
    """That of the lowest median."""
    beside: tuple[Result, ...]
    """Those that are not shown to be slower; all others where nothing was tested."""
    kept: bool | None
    """Whether these are shown to keep their accuracy: others were left out. False where none is,
    and None where no accuracy is known: then latency alone decides."""

    @property
    def placements(self) -> tuple[str, ...]:
        """Where these run, each once: of one of them nothing shows that it is not the best."""
        return tuple(dict.fromkeys(str(one.case.placement) for one in (self.best, *self.beside)))


@attrs.frozen(kw_only=True)
class Grid:
    """The settings of the links that a model was measured under."""

    subject: str
    settings: tuple[Setting, ...]
    links: tuple[str, ...]
    """All links that requests passed, as they are written."""

    @property
    def sentence(self) -> str:
        """Whether the best placement changes, and where, in one sentence."""
        if len(self.settings) == 1:
            under = f" ({', '.join(self.links)})" if self.links else ""
            return f"measured under one setting of its links{under}; --link A-B=RATE repeats"
        known = {one.kept for one in self.settings}
        told = "; of what keeps its accuracy" * (known == {True})
        if False in known:
            told = "; latency alone decides where nothing is shown to keep its accuracy"
        return self._tell_change() + told

    def _tell_change(self) -> str:
        by_place = group_by(self.settings, lambda one: " or ".join(one.placements))
        if len(by_place) == 1:
            return f"{next(iter(by_place))} is best under all {len(self.settings)} settings"
        parts = [
            f"{place} under {'; '.join(one.links for one in found)}"
            for place, found in by_place.items()
        ]
        sets = [set(one.placements) for one in self.settings]
        changes = any(one.isdisjoint(other) for one, other in combinations(sets, 2))
        lead = "changes" if changes else "is not shown to change"
        return f"the best placement {lead}: {', and '.join(parts)}"


def find_grids(results: Sequence[Result], verdicts: Verdicts) -> tuple[Grid, ...]:
    """Return the grid of each model, with the best under each setting of the swept links."""
    measured = [one for one in results if one.latency and not is_refuted(one.facts)]
    by_name = group_by(find_settings(measured), lambda one: one[0])
    return tuple(
        Grid(
            subject=name,
            links=_list_links(one for _, _, chosen in found for one in chosen),
            settings=tuple(
                _find_best(", ".join(map(write_link, links)), chosen, verdicts)
                for _, links, chosen in found
                if chosen
            ),
        )
        for name, found in by_name.items()
    )


def _list_links(results: Iterable[Result]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(write_link(link) for one in results for link in one.case.links))


def _find_best(links: str, chosen: Sequence[Result], verdicts: Verdicts) -> Setting:
    found = sort_out(chosen)
    kept = bool(found.fit) if found.known else None
    ranked = sorted(found.fit or chosen, key=lambda one: one.median or 0.0)
    best, *others = ranked
    if not others:
        return Setting(links=links, best=best, beside=(), kept=kept)
    # All pairs of a thousand would take minutes, and what is far behind is not the best.
    test = compare_all(ranked[:CONTENDERS], verdicts)
    near = others[: CONTENDERS - 1]
    stands = [(one, test.find(one, best)) for one in near]
    beside = [one for one, how in stands if how is None or how.verdict != "slower"]
    beside = others if test.mode == NONE else beside
    return Setting(links=links, best=best, beside=tuple(beside), kept=kept)
