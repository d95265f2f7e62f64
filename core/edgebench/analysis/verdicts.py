"""Whether a case is slower than another, faster, equal, or not told apart; and what would tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.rounds import Ratio, Rounds
from edgebench.analysis.spread import find_t

if TYPE_CHECKING:
    from edgebench.analysis.result import Result

LEVEL = 0.05
"""How likely equal cases are to be called different anywhere among those that are compared."""
SPENT = 0.01
"""The same where blocks are added: who looks again and again, and drops for good, risks less."""
FIRST_LOOK = 2
"""Rounds after which the data is looked at for the first time where blocks are added."""
MISSED = 0.2
"""How likely a difference is to be missed that blocks are said to be enough for: power is 80 %."""
MOST = 10_000
"""More rounds than anybody measures."""


def find_level(rounds: int, most: int | None) -> float:
    """Return how likely equal cases may be to be called different at one look.

    5 % where the count of blocks is fixed. Where *most* rounds might have been measured, and the
    data was looked at after each, one look may spend what the spending function of Lan and DeMets
    1983, Biometrika 70, 659-663, of Pocock's kind, gives between the last look and this one; cases
    that share no rounds are looked at once, with all of the 1 %.
    """
    if most is None:
        return LEVEL
    if rounds < FIRST_LOOK:
        return SPENT
    before = _spend((rounds - 1) / most) if rounds > FIRST_LOOK else 0.0
    return _spend(rounds / most) - before


def _spend(share: float) -> float:
    """Return how much of the 1 % may be spent once so large a share of the rounds is measured."""
    return SPENT * math.log1p((math.e - 1) * max(0.0, min(1.0, share)))


def judge(ratio: Ratio, within: float, pairs: int = 1, most: int | None = None) -> str:
    """Say whether the first of two cases is `slower`, `faster`, `equal` or `undecided`.

    Equal where the whole 95 % interval of the ratio lies within the margin *within*. Slower or
    faster where the ratio lies beyond the margin, and equal cases would not give it: p, times the
    number of *pairs* that might have been looked at, is at most 5 % (Dunn 1961, JASA 56, 52-64).
    For which case is the best is found by looking, so all pairs of those compared count. Where
    blocks were added, *most* at most, each look has its share of 1 % (`find_level`).
    """
    if 1 / (1 + within) <= ratio.low and ratio.high <= 1 + within:
        return "equal"
    if ratio.p * pairs <= find_level(ratio.rounds, most):
        if ratio.middle > 1 + within:
            return "slower"
        if ratio.middle < 1 / (1 + within):
            return "faster"
    return "undecided"


def count_pairs(cases: int) -> int:
    """Return how many pairs so many cases make, and at least 1."""
    return max(1, cases * (cases - 1) // 2)


def find_least_difference(
    ratio: Ratio, within: float, pairs: int = 1, most: int | None = None
) -> float | None:
    """Return the least difference that the blocks of two cases would have told in 80 of 100.

    As a share of the faster, and never less than the margin: (t(1 - alpha / 2) + t(80 %)) times
    the standard error, alpha being what `judge` tests at (Lachin 1981, Controlled Clinical Trials
    2, 93-113). None where nothing is known of the error.
    """
    if not ratio.freedom:
        return None
    tail = find_level(ratio.rounds, most) / 2 / pairs
    reach = find_t(ratio.freedom, tail) + find_t(ratio.freedom, MISSED)
    return max(within, math.expm1(min(reach * ratio.error, math.log(1e6))))


def count_more_rounds(
    ratio: Ratio, within: float, pairs: int = 1, most: int | None = None
) -> int | None:
    """Return about how many more rounds would tell two cases apart, or equal.

    As `find_least_difference` calculates it, the difference seen being taken for the true one and
    the error falling with the root of the rounds; of equal cases it is what lies between them and
    the margin *within*, tested at 2.5 % to one side.

    None if nothing is known of the error, or not even ten thousand would.
    """
    difference, margin = abs(math.log(ratio.middle)), math.log1p(within)
    have = max(ratio.blocks, 2)
    tail, reach = find_level(ratio.rounds, most) / 2 / pairs, difference
    if difference <= margin:
        tail, reach = LEVEL / 2, margin - difference
    if not ratio.freedom or not reach:
        return None
    single = ratio.error * math.sqrt(have)
    for more in range(1, MOST):
        freedom = ratio.freedom * (have + more - 1) / (have - 1)
        needed = (find_t(freedom, tail) + find_t(freedom, MISSED)) * single
        if needed <= reach * math.sqrt(have + more):
            return more
    return None


def was_dropped(result: Result) -> bool:
    """Say whether a result was dropped since another is faster by more than the margin."""
    return bool(result.facts.beaten_by)


@attrs.frozen(eq=False)
class Verdicts:
    """How the measured cases of a run stand to each other."""

    rounds: Rounds
    within: float
    """The practical margin: a lesser difference counts as none."""
    most: int | None = None
    """How many blocks a case might have had, where they were added; None of a fixed count."""

    @classmethod
    def of(cls, results: Sequence[Result], within: float, most: int | None = None) -> Verdicts:
        """Prepare to judge the results of one run."""
        return cls(Rounds.of(results), within, most)

    def compare(self, one: Result, other: Result) -> Ratio:
        """Return how many times the latency of one result is that of another."""
        return self.rounds.compare(one.case, other.case)

    def judge(self, one: Result, other: Result, pairs: int = 1) -> str:
        """Say whether the first is `slower`, `faster`, `equal` or `undecided`."""
        return judge(self.compare(one, other), self.within, pairs, self.most)

    def stand(self, one: Result, other: Result, pairs: int = 1) -> str:
        """Judge, but leave standing what was found when one of the two was dropped."""
        if self._was_dropped_for(one, other):
            return "slower"
        if self._was_dropped_for(other, one):
            return "faster"
        return self.judge(one, other, pairs)

    def _was_dropped_for(self, one: Result, other: Result) -> bool:
        """Say whether one was beaten by the other, or by a case that takes no less than that."""
        if not was_dropped(one) or was_dropped(other):
            return False
        winners = [case for case in self.rounds.medians if case.id in one.facts.beaten_by]
        return any(
            case == other.case or self.rounds.compare(other.case, case).middle <= 1
            for case in winners
        )
