"""In which order strategies are recommended, and how each stands to the first of them.

Within rounds, as a report judges it; by study mode where each was imported as one block.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.decisions import is_beaten, settle, stand
from edgebench.analysis.draws import judge_ratio
from edgebench.analysis.group_tests import CONTENDERS, compare_all
from edgebench.analysis.rounds import average
from edgebench.analysis.verdicts import count_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    pairs: int = 0
    """For how many pairs a report judges cases of the group."""

    def find_drifts(self) -> NDArray[Any]:
        """Return by which factor the latency of each case would change in the rounds of all.

        Shape (cases,): 1 where all were measured in the same rounds (`Rounds.adjust`).
        """
        import numpy as np

        found: NDArray[Any] = np.exp(np.array(self._adjusted) - np.array(self._own))
        return found

    def find_centres(self) -> NDArray[Any]:
        """Return how many times its median each case takes by its rounds, shape (cases,).

        The median of all requests weighs a block by its requests, and slow blocks may hold fewer;
        cases are ranked by what they took in the rounds of all, each round counting alike.
        """
        import numpy as np

        if self.by_request:
            return np.ones(len(self.medians.results))
        found: NDArray[Any] = np.exp(np.array(self._adjusted)) / self.medians.estimates
        return found

    @cached_property
    def _adjusted(self) -> Sequence[float]:
        if self.by_request:
            return self._own
        cases = [one.case for one in self.medians.results]
        adjusted = self.verdicts.rounds.adjust(cases)
        return [adjusted[case] for case in cases]

    @cached_property
    def _own(self) -> Sequence[float]:
        rounds = self.verdicts.rounds
        return [average(rounds.medians[one.case].values()) for one in self.medians.results]

    def settle(self, fit: Sequence[Result]) -> list[Result]:
        """Return results, the best first, as a report puts them (`decisions.settle`)."""
        if self.by_request:
            ids = {one.case.id for one in fit}
            return sorted(fit, key=lambda one: is_beaten(one, ids))
        return settle(fit, self.verdicts, self._count_pairs(len(fit)))

    def _count_pairs(self, cases: int) -> int:
        """Return for how many pairs a verdict is to hold: bounds make nothing surer."""
        return max(self.pairs, count_pairs(cases))

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
                pairs = self._count_pairs(len(fit))
                standing = stand(one, first, ids, self.verdicts, pairs)
                ratio = self.verdicts.compare(one, first)
                middle, low, high = ratio.middle, ratio.low, ratio.high
            # What was drawn as the best less often, by requests, is not called faster.
            yield "undecided" if standing == "faster" else standing, (middle, low, high)
