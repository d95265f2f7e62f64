"""Two runs compared case by case: what changed, by how much, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.decisions import PRACTICAL, find_margin
from edgebench.analysis.estimates import LEVEL, Estimate, find_levels
from edgebench.analysis.likeness import (
    Difference,
    Requests,
    find_changed,
    find_surroundings,
    name_cases,
    tell_apart,
    weigh_alike,
)
from edgebench.analysis.matching import match_results
from edgebench.analysis.quantities import QUANTITIES, Quantity, Unknown, estimate
from edgebench.parts.errors import EdgebenchError

if TYPE_CHECKING:
    from edgebench.analysis.result import Result
    from edgebench.analysis.results import RunResults
    from edgebench.cases.case import Case

ACCURACY_MARGIN = 1.0
"""Points below which accuracies are equal, where no case says otherwise."""


@attrs.frozen(kw_only=True)
class Pair:
    """One case that both runs measured."""

    before: Result
    after: Result

    @property
    def case(self) -> Case:
        """The case."""
        return self.after.case

    @cached_property
    def requests(self) -> tuple[Requests, Requests]:
        """The requests of both, weighed alike."""
        return weigh_alike(self.before, self.after)

    @cached_property
    def changed(self) -> tuple[Difference, ...]:
        """What differs in how its results were made."""
        return find_changed(self.before, self.after)

    @property
    def quick(self) -> bool:
        """Whether a quick run measured it, before or after."""
        return self.before.quick is not None or self.after.quick is not None

    def estimate(self, quantity: Quantity) -> tuple[Estimate, Estimate]:
        """Estimate a figure before and after.

        Raises:
            Unknown: One of them does not have it.
        """
        found = []
        for where, result, sent in zip(
            ("before", "after"), (self.before, self.after), self.requests, strict=True
        ):
            try:
                found.append(estimate(quantity, result, sent))
            except Unknown as why:
                raise Unknown(f"{where}: {why}", why.blocks) from None
        return found[0], found[1]

    def find_difference(self, quantity: Quantity, before: Estimate, after: Estimate) -> Estimate:
        """Return the logarithm of what it is after, over before; of accuracy the points between."""
        scored = {one.facts.score_key for one in (self.before, self.after)}
        if quantity.name == "accuracy" and len(scored) == 1 and "" not in scored:
            # It is the same score, of the same answers, that both stand on.
            return Estimate(value=0.0, below=0.0, above=0.0)
        return after.less(before)


@attrs.frozen(kw_only=True)
class Change:
    """How a figure of a case changed from one run to the other."""

    case: Case
    quantity: Quantity
    before: float | None = None
    """In the quantity's unit, bytes or seconds; of accuracy in points, 0 to 100. And after."""
    after: float | None = None
    difference: Estimate | None = None
    """Of logarithms, of accuracy of points; None where it is not known."""
    level: float = LEVEL
    """Of the test that tells it from 0, among those of this figure in all cases (Holm)."""
    within: float = 0.0
    """The margin within which they are equal in practice, as the difference is written."""
    why_not: str = ""
    """Why it is not known."""
    quick: bool = False
    """Whether it rests on the blocks of a quick run: they show no change."""
    blocks_needed: int | None = None
    """About how many more blocks each would tell; None where that is not foreseen, or not asked."""

    @cached_property
    def verdict(self) -> str:
        """`equal`, `undecided`, `unknown`, or what the quantity calls it that has more or less.

        Equal where the 95 % interval lies within the margin; more or less where the difference lies
        beyond the margin and the interval at the level of its test leaves 0 out, which is then so
        for all cases at once.
        """
        if self.difference is None:
            return "unknown"
        if self.quick:
            return "undecided"
        low, high = self.difference.interval()
        if -self.within <= low and high <= self.within:
            return "equal"
        low, high = self.difference.interval(self.level)
        beyond = abs(self.difference.value) > self.within
        if beyond and low > 0:
            return self.quantity.more
        return self.quantity.less if beyond and high < 0 else "undecided"

    @property
    def changed(self) -> bool:
        """Whether there is a difference that is shown."""
        return self.verdict in (self.quantity.more, self.quantity.less)

    def write_as_share(self, value: float) -> float:
        """Return a difference as a share of what was before; of accuracy in points, as it is."""
        # A millionfold is as good as any more.
        return math.expm1(min(value, 14.0)) if self.quantity.relative else value

    @property
    def share(self) -> float | None:
        """The difference so; None where it is not known."""
        return None if self.difference is None else self.write_as_share(self.difference.value)

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Return its interval so; None where it is not known."""
        if self.difference is None:
            return None
        low, high = map(self.write_as_share, self.difference.interval(level))
        return low, high


@attrs.frozen(kw_only=True)
class Comparison:
    """Two runs, matched by the ids of their cases."""

    before: RunResults
    after: RunResults
    pairs: tuple[Pair, ...]
    """The cases that both have measured, in the order of the later."""
    only_before: tuple[Result, ...] = ()
    only_after: tuple[Result, ...] = ()
    unmeasured: tuple[Pair, ...] = ()
    """Those that both hold and one has not measured."""

    @classmethod
    def of(cls, before: RunResults, after: RunResults) -> Comparison:
        """Match two runs.

        An id leaves out what makes no difference: the seed, where data lies, a link's source. Where
        a case has none in the other run, that of a file of the same name is taken.

        Raises:
            EdgebenchError: They have no case in common, or none that both have measured.
        """
        matched = match_results(before.results, after.results)
        both = [
            Pair(before=matched[one.case.id], after=one)
            for one in after.results
            if one.case.id in matched
        ]
        known = {one.before.case.id for one in both}
        measured = [one for one in both if one.before.measured and one.after.measured]
        named = f"runs {before.run.id} and {after.run.id}"
        if not both:
            raise EdgebenchError(
                f"{named} have no case in common; `edgebench runs` lists what else there is"
            )
        if not measured:
            raise EdgebenchError(
                f"{named} have measured no case in common: each failed in one, or was skipped"
            )
        # What cannot be is skipped in every run, and is nothing that one of them lost.
        rest = [one for one in both if one not in measured]
        lost = [one for one in rest if {one.before.status, one.after.status} != {"skipped"}]
        return cls(
            before=before,
            after=after,
            pairs=tuple(measured),
            only_before=tuple(one for one in before.results if one.case.id not in known),
            only_after=tuple(one for one in after.results if one.case.id not in matched),
            unmeasured=tuple(lost),
        )

    @cached_property
    def names(self) -> Mapping[str, str]:
        """What the cases of both are called, by their ids, no two alike."""
        return name_cases(one.case for run in (self.before, self.after) for one in run.results)

    @cached_property
    def surroundings(self) -> tuple[Difference, ...]:
        """What differs between the machines and the conditions."""
        return find_surroundings(self.before, self.after)

    @cached_property
    def margin(self) -> float:
        """Below which relative difference a case is equal in practice: the larger of both runs'."""
        fewest = min(len(r.measured) for one in self.pairs for r in (one.before, one.after))
        return max(find_margin(one.run, fewest) for one in (self.before, self.after))

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """How each figure changed, figure by figure, case by case."""
        return tuple(one for q in QUANTITIES.values() for one in self._compare(q))

    def list_changes(self, quantity: str) -> list[Change]:
        """Return how one figure changed, case by case."""
        return [one for one in self.changes if one.quantity.name == quantity]

    def _compare(self, quantity: Quantity) -> list[Change]:
        found = [self._find_change(pair, quantity) for pair in self.pairs]
        known = [one for one in found if one.difference is not None]
        chances = [one.difference.find_chance_of_none() for one in known if one.difference]
        levels = dict(zip((one.case.id for one in known), find_levels(chances), strict=True))
        told = [attrs.evolve(one, level=levels.get(one.case.id, LEVEL)) for one in found]
        return [attrs.evolve(one, blocks_needed=_count_blocks(one)) for one in told]

    def _find_change(self, pair: Pair, quantity: Quantity) -> Change:
        within = self._find_margin(pair, quantity)
        try:
            before, after = pair.estimate(quantity)
            difference = pair.find_difference(quantity, before, after)
        except Unknown as why:
            return Change(
                case=pair.case,
                quantity=quantity,
                within=within,
                why_not=str(why),
                blocks_needed=why.blocks,
            )
        values = [one.value for one in (before, after)]
        one, other = (math.exp(value) if quantity.relative else value for value in values)
        return Change(
            case=pair.case,
            quantity=quantity,
            before=one,
            after=other,
            difference=difference,
            within=within,
            quick=pair.quick and difference.blocks > 0,
        )

    def _find_margin(self, pair: Pair, quantity: Quantity) -> float:
        """Return within which difference they are equal, as the difference is written.

        What equal cases differ by on a machine is a difference of latencies, and of nothing else.
        """
        if not quantity.relative:
            return _find_points(pair)
        return math.log1p(self.margin if quantity.unit == "s" else PRACTICAL)

    def explain_unmatched(self, one: Result) -> str:
        """Say by what a case differs that the other run has under the same label; or nothing."""
        others = self.only_after if one in self.only_before else self.only_before
        like = [other for other in others if other.case.label == one.case.label]
        return f"differs in {', '.join(tell_apart(one, like[0]))}" if len(like) == 1 else ""


def _find_points(pair: Pair) -> float:
    figure = pair.after.figure
    return 100 * figure.margin if figure else ACCURACY_MARGIN


def _count_blocks(change: Change) -> int | None:
    """Return how many more blocks would tell a difference that is not decided, or show it equal."""
    found = change.difference
    if found is None or change.verdict != "undecided" or change.quick:
        return change.blocks_needed
    beyond = abs(found.value) > change.within
    if beyond:
        return found.count_more_blocks(0.0, change.level)
    nearest = change.within if found.value >= 0 else -change.within
    return found.count_more_blocks(nearest)


def list_cases(changes: Sequence[Change], verdict: str) -> list[Change]:
    """Return those changes that have a verdict."""
    return [one for one in changes if one.verdict == verdict]
