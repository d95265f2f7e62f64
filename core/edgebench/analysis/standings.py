"""In which order strategies are recommended, and how each stands to the first of them.

Within rounds, as a report judges it; by study mode where each was imported as one block.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.decisions import is_beaten
from edgebench.analysis.draws import judge_ratio
from edgebench.analysis.group_tests import CONTENDERS, compare_all
from edgebench.analysis.verdicts import count_pairs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from edgebench.analysis.advised import Triple
    from edgebench.analysis.draws import Figure
    from edgebench.analysis.group_tests import GroupTest
    from edgebench.analysis.result import Result
    from edgebench.analysis.verdicts import Verdicts


@attrs.frozen(eq=False)
class Standings:
    """How the cases of one group stand to each other."""

    verdicts: Verdicts
    medians: Figure
    """Of all cases of the group."""
    by_request: bool
    """Whether requests were drawn, as each case is one block."""

    def find_shifts(self) -> NDArray[Any]:
        """Return by which factor the latency of each case would change in the rounds of all.

        Shape (cases,): 1 where all were measured in the same rounds (`Rounds.adjust`).
        """
        import numpy as np

        rounds, cases = self.verdicts.rounds, [one.case for one in self.medians.results]
        if len({frozenset(rounds.medians[case]) for case in cases}) <= 1:
            return np.ones(len(cases))
        adjusted = rounds.adjust(cases)
        own = [list(rounds.medians[case].values()) for case in cases]
        shifts = [
            math.exp(adjusted[case] - sum(values) / len(values))
            for case, values in zip(cases, own, strict=True)
        ]
        return np.array(shifts)

    def settle(self, fit: Sequence[Result]) -> list[Result]:
        """Return results, the best first, with none before one that is shown to be faster.

        What was dropped as beaten by one of them stands behind what was not. Where rounds show one
        to be faster than the first, it takes its place.
        """
        ids = {one.case.id for one in fit}
        order = sorted(fit, key=lambda one: is_beaten(one, ids))
        if self.by_request:
            return order
        tried: set[str] = set()
        while order and order[0].case.id not in tried:
            first = order[0]
            tried.add(first.case.id)
            quicker = [one for one in order if self._judge(one, first, ids) == "faster"]
            if quicker:
                best = min(quicker, key=lambda one: self.verdicts.compare(one, first).middle)
                order = [best, *(one for one in order if one is not best)]
        return order

    def _judge(self, one: Result, first: Result, ids: Collection[str]) -> str:
        if one is first:
            return "best"
        # The test that dropped it was made when it was dropped.
        if is_beaten(one, ids) and not is_beaten(first, ids):
            return "slower"
        return self.verdicts.judge(one, first, count_pairs(len(ids)))

    def test(self, fit: Sequence[Result]) -> GroupTest | None:
        """Return the study mode's test of imported cases, the first and the quickest of the others.

        None where blocks tell, or there is nothing to compare.
        """
        if not self.by_request or len(fit) < 2 or not all(one.facts.imported for one in fit):
            return None
        first, *others = fit
        quickest = sorted(others, key=lambda one: one.median or 0.0)[: CONTENDERS - 1]
        return compare_all([first, *quickest], self.verdicts)

    def compare(
        self, fit: Sequence[Result], test: GroupTest | None
    ) -> Iterator[tuple[str, Triple]]:
        """Yield how each stands to the first, and the ratio of their medians with its interval."""
        places: Mapping[str, int] = {one.case.id: n for n, one in enumerate(self.medians.results)}
        first, ids = fit[0], {one.case.id for one in fit}
        drawn = self.medians.compare(places[first.case.id]).T.tolist()
        for one in fit:
            middle, low, high = drawn[places[one.case.id]]
            if one is first:
                yield "best", (1.0, 1.0, 1.0)
                continue
            if test is not None:
                found = test.find(one, first)
                standing = found.verdict if found else ""
            elif self.by_request:
                standing = judge_ratio((middle, low, high), self.verdicts.within)
            else:
                standing = self._judge(one, first, ids)
                ratio = self.verdicts.compare(one, first)
                middle, low, high = ratio.middle, ratio.low, ratio.high
            # What was drawn as the best less often, by requests, is not called faster.
            yield "undecided" if standing == "faster" else standing, (middle, low, high)
