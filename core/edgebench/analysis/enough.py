"""When a case has blocks enough: it is told from the best of its model, or known well enough."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.spread import estimate, find_t
from edgebench.analysis.verdicts import FIRST_LOOK, count_pairs, find_level, judge

if TYPE_CHECKING:
    from edgebench.analysis.rounds import Ratio, Rounds
    from edgebench.cases.case import Case

FEWEST_TO_KNOW = 3
"""Blocks before a median counts as known: the interval of two may be narrow by chance."""
NARROW = 0.55
"""Share of the margin that the interval of a ratio may reach for no more blocks to be added: of
equal cases it then lies within the margin in most cases."""


@attrs.frozen(kw_only=True)
class Enough:
    """Why a case needs no more blocks."""

    words: str
    beaten_by: str = ""
    """The id of the case that is faster by more than the margin: then it needs no more for good."""
    exhausted: bool = False
    """Whether it needs more, and may have none: so many were allowed."""


@attrs.frozen(kw_only=True)
class Rule:
    """When cases of one model need no more blocks, looked at after each round."""

    within: float
    """The practical margin of latency."""
    most: int
    """Blocks a case at most."""
    decided: bool = False
    """Whether the best that keeps its accuracy is looked for, and who is beaten is dropped."""
    precision: float | None = None
    """How far the interval of a median may reach, as a share of it; None for no matter."""
    fewest: int = FIRST_LOOK
    """Blocks a case at least."""

    def find(
        self, rounds: Rounds, fit: Collection[Case], dropped: Mapping[Case, Enough] | None = None
    ) -> Mapping[Case, Enough]:
        """Return the cases that need no more blocks, each with why.

        Args:
            rounds: What was measured of all cases that compete with each other.
            fit: Those that keep their accuracy, or all where none is known; the others have
                enough once they have the fewest blocks, since more of them settle no accuracy.
            dropped: Those that were beaten before by one that competes still.
        """
        found = dict(dropped or {})
        measured = {case: len(medians) for case, medians in rounds.medians.items()}
        if max(measured.values(), default=0) < self.fewest:
            return found
        for case in measured.keys() - {*fit} - found.keys():
            if measured[case] >= self.fewest and self._knows(rounds, case):
                found[case] = Enough(words=f"{_count(measured[case])}: more settle no accuracy")
        left = [case for case in measured if case in {*fit} - found.keys() and measured[case]]
        if left:
            found |= self._find_among(rounds, left, len(rounds.medians))
        return found

    def _find_among(self, rounds: Rounds, left: list[Case], compared: int) -> Mapping[Case, Enough]:
        """Return those of the cases that are left that have enough, the best among them."""
        adjusted = rounds.adjust(left)
        best = min(left, key=adjusted.__getitem__)
        found: dict[Case, Enough] = {}
        for case in left:
            have = len(rounds.medians[case])
            if case is not best and (why := self._judge(rounds, case, best, compared)):
                found[case] = why
            elif have >= self.most:
                words = f"{_count(have)}, the most that were allowed"
                found[case] = Enough(words=words, exhausted=True)
        # The best is needed as long as anyone is held against it.
        others = [case for case in left if case is not best]
        have = len(rounds.medians[best])
        known = have >= FEWEST_TO_KNOW and self._knows(rounds, best)
        ended = [found.get(case) for case in others]
        # It may come to be known by the last block that is allowed; not if others' blocks ran out.
        unsettled = any(one is None or (best in found and one.exhausted) for one in ended)
        if known and not unsettled:
            how = "the best is known" if self.decided else "its median is known"
            found[best] = Enough(words=f"{_count(have)}: {how}")
        return found

    def _judge(self, rounds: Rounds, case: Case, best: Case, compared: int) -> Enough | None:
        """Say why a case needs no more blocks to be held against the best; None if it does."""
        ratio = rounds.compare(case, best)
        after = _count(len(rounds.medians[case]))
        if self.decided and ratio.rounds >= FIRST_LOOK and self._is_beaten(ratio, compared - 1):
            return Enough(words=f"beaten after {after} by {best.id}", beaten_by=best.id)
        if not self._knows(rounds, case):
            return None
        verdict = judge(ratio, self.within, count_pairs(compared), self.most)
        if verdict == "equal":
            return Enough(words=f"{after}: equal to {best.id} within {self.within:.2g}")
        if verdict == "slower" and not self.decided:
            return Enough(words=f"{after}: slower than {best.id}")
        if ratio.rounds >= FEWEST_TO_KNOW and ratio.half_width <= NARROW * self.within:
            return Enough(
                words=f"{after}: its ratio to {best.id} is known to {ratio.half_width:.1%}"
            )
        return None

    def _is_beaten(self, ratio: Ratio, rivals: int) -> bool:
        """Say whether a case is slower by more than the margin, looked at after every round.

        What one look may spend is divided by the number of *rivals* that might have been the best
        (Bonferroni).
        """
        level = find_level(ratio.rounds, self.most)
        return ratio.middle > 1 + self.within and ratio.p * max(1, rivals) <= level

    def _knows(self, rounds: Rounds, case: Case) -> bool:
        """Say whether the median of a case is known as well as is wanted."""
        if self.precision is None:
            return True
        values = list(rounds.medians[case].values())
        if len(values) < max(FEWEST_TO_KNOW, self.fewest):
            return False
        found = estimate(values)
        return math.expm1(find_t(found.freedom) * found.error) <= self.precision


def _count(blocks: int) -> str:
    return f"{blocks} block{'s' * (blocks != 1)}"
