"""Which strategy of a model is shown to be the fastest that keeps its accuracy; what is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.accuracy import judge_loss
from edgebench.analysis.agreement import is_refuted
from edgebench.analysis.answer import Decision
from edgebench.analysis.group_tests import answer_by_study
from edgebench.analysis.groups import find_groups
from edgebench.analysis.prefixes import UNTRANSFORMED
from edgebench.analysis.rank_tests import friedman
from edgebench.analysis.repeatability import describe_copies
from edgebench.analysis.verdicts import (
    FIRST_LOOK,
    Verdicts,
    count_more_rounds,
    count_pairs,
    find_least_difference,
)
from edgebench.parts.grouping import group_by

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from edgebench.analysis.result import Result
    from edgebench.records.outcome import Run

PRACTICAL = 0.02
"""The least difference that matters: 2 %."""


def find_margin(run: Run, blocks: int = 0) -> float:
    """Return below which relative difference two strategies of a run are equal in practice.

    What equal cases differ by counts for a run of as many *blocks* a case, or fewer, as that was
    measured with: of more blocks the medians differ by less. A quick run has a figure of its own,
    of as few requests.
    """
    if run.quick is not None:
        return max(PRACTICAL, run.quick.spread.difference if run.quick.spread else 0.0)
    known = run.aa_difference or 0.0
    counts = run.aa_blocks is None or blocks <= run.aa_blocks
    return max(PRACTICAL, known if counts else 0.0)


def decide_all(run: Run, results: Sequence[Result]) -> tuple[Decision, ...]:
    """Return the decision for each group of results that may be compared, in plan order."""
    measured = [result for result in results if result.latency is not None]
    return tuple(
        attrs.evolve(
            decide(title, found, find_verdicts(run, found)), copies=describe_copies(run, found)
        )
        for title, found in find_groups(measured)
    )


def find_verdicts(run: Run, group: Sequence[Result]) -> Verdicts:
    """Prepare to judge the measured results of one group, while they are measured and later."""
    blocks = max((len(result.measured) for result in group), default=0)
    return Verdicts.of(group, find_margin(run, blocks), run.max_blocks)


@attrs.frozen(kw_only=True)
class Sorted:
    """The results of one group by whether they may win, each list as they came."""

    whole: Sequence[Result]
    """Those with all their blocks, and more than one."""
    refuted: Sequence[Result]
    """Those of them whose outputs are another model's."""
    fit: Sequence[Result]
    """Those that are shown to keep their accuracy; where none is known, all that are left."""
    lost: Sequence[Result]
    """Those that lose it."""
    known: bool
    """Whether any loss of accuracy is known; if not, latency alone decides."""

    @property
    def pairs(self) -> int:
        """How many pairs a verdict is to hold for: of what keeps its accuracy, or may."""
        return count_pairs(len(self.fit) + len(self.open))

    @property
    def open(self) -> Sequence[Result]:
        """Those of which the data does not say whether they keep their accuracy."""
        others = {one.case.id for one in (*self.refuted, *self.fit, *self.lost)}
        return [one for one in self.whole if one.case.id not in others]


def sort_out(whole: Sequence[Result]) -> Sorted:
    """Sort results by whether they may win."""
    by_word = group_by(whole, lambda one: is_refuted(one.facts))
    sound = by_word.get(False, [])
    judged = group_by(sound, lambda one: judge_loss(one.figure) if one.figure else "")
    known = set(judged) != {""}
    return Sorted(
        whole=whole,
        refuted=by_word.get(True, []),
        fit=judged.get("shown" if known else "", []),
        lost=judged.get("lost", []),
        known=known,
    )


def decide(title: str, results: Sequence[Result], verdicts: Verdicts) -> Decision:
    """Decide among the measured results of one group.

    Only a case with all its blocks can be the fastest: what one process measured says nothing of
    the next, and looks all the more certain. Nor can one whose outputs are not the model's.
    Nothing is the fastest that the data does not tell from the others that keep their accuracy.
    """
    whole = [result for result in results if result.status == "ok" and len(result.measured) > 1]
    found = sort_out(rank(whole, verdicts))
    unsettled = tuple(found.open)
    decision = Decision(
        title=title,
        cases=tuple(result.case.id for result in results),
        within=verdicts.within,
        quick=verdicts.rounds.quick,
        wild=verdicts.rounds.are_wild([one.case for one in whole]),
        decidable=bool(whole),
        study="" if whole else answer_by_study(results, verdicts),
        accuracy_known=found.known,
        open=unsettled,
        open_faster=unsettled,
        lost=tuple(found.lost),
        refuted=tuple(found.refuted),
    )
    return _rank(decision, found, verdicts) if found.fit else decision


def rank(results: Sequence[Result], verdicts: Verdicts) -> list[Result]:
    """Return results by median; by what those would be in the same rounds where they had others."""
    if len({frozenset(verdicts.rounds.medians[one.case]) for one in results}) <= 1:
        return sorted(results, key=lambda one: one.median or 0.0)
    adjusted = verdicts.rounds.adjust([one.case for one in results])
    ids = {one.case.id for one in results}
    return sorted(results, key=lambda one: (is_beaten(one, ids), adjusted[one.case]))


def settle(order: Sequence[Result], verdicts: Verdicts, pairs: int) -> list[Result]:
    """Return results, the best first, with none before one that rounds show to be faster.

    What was dropped as beaten by one of them stands behind what was not. Medians of all requests
    may put a case first that is slower in every round: where its slow blocks hold fewer requests.
    """
    ids = {one.case.id for one in order}
    order = sorted(order, key=lambda one: is_beaten(one, ids))
    tried: set[str] = set()
    while order and order[0].case.id not in tried:
        first = order[0]
        tried.add(first.case.id)
        quicker = [one for one in order[1:] if stand(one, first, ids, verdicts, pairs) == "faster"]
        if quicker:
            best = min(quicker, key=lambda one: verdicts.compare(one, first).middle)
            order = [best, *(one for one in order if one is not best)]
    return order


def stand(one: Result, first: Result, ids: Collection[str], verdicts: Verdicts, pairs: int) -> str:
    """Say whether a case is `slower` than another, `faster`, `equal` or `undecided`."""
    # The test that dropped it was made when it was dropped.
    if is_beaten(one, ids) and not is_beaten(first, ids):
        return "slower"
    return verdicts.judge(one, first, pairs)


def is_beaten(result: Result, ids: Collection[str]) -> bool:
    """Say whether a result was dropped since one of these cases is faster by over the margin."""
    return any(by in ids for by in result.facts.beaten_by)


def _rank(decision: Decision, found: Sorted, verdicts: Verdicts) -> Decision:
    """Fill in how those that keep their accuracy, the best first, stand to each other."""
    pairs = found.pairs
    fit = settle(found.fit, verdicts, pairs)
    quickest, *others = fit
    ids = {one.case.id for one in fit}

    def judge(one: Result) -> str:
        return stand(one, quickest, ids, verdicts, pairs)

    decision = attrs.evolve(decision, differs_p=_test_any(fit, verdicts))
    told = group_by(others, judge)
    # Where each is faster than another, none is known to be the best.
    equal, unclear = told.get("equal", []), [*told.get("undecided", ()), *told.get("faster", ())]
    rivals = [one for one in decision.open if judge(one) in ("faster", "undecided")]
    ranked = attrs.evolve(decision, slower=tuple(told.get("slower", ())), open_faster=tuple(rivals))
    if decision.quick is not None and decision.quick.spread is None:
        return attrs.evolve(ranked, undecided=tuple(fit))
    if not unclear:
        return _crown(attrs.evolve(ranked, equal=tuple(equal)), fit, verdicts)
    untold = {one.case.id for one in (*equal, *unclear)}
    ratios = [verdicts.compare(one, quickest) for one in unclear]
    needed = [count_more_rounds(one, decision.within, pairs, verdicts.most) for one in ratios]
    least = [find_least_difference(one, decision.within, pairs, verdicts.most) for one in ratios]
    return attrs.evolve(
        ranked,
        undecided=tuple(one for one in fit if one is quickest or one.case.id in untold),
        blocks_needed=None if None in needed else max(filter(None, needed), default=None),
        least_difference=None if None in least else max(filter(None, least), default=None),
    )


def _test_any(fit: Sequence[Result], verdicts: Verdicts) -> float | None:
    """Return the p of some results differing in nothing, over the rounds that all of them share."""
    cases = [one.case for one in fit]
    shared = verdicts.rounds.find_common(cases)
    if len(cases) < 2 or len(shared) < FIRST_LOOK:
        return None
    return friedman(verdicts.rounds.tabulate(cases, shared).T).p


def _crown(decision: Decision, fit: Sequence[Result], verdicts: Verdicts) -> Decision:
    """Name the fastest, and what it gains over the fastest that changes nothing of the model."""
    quickest = fit[0]
    plain = next((one for one in fit if one.case.chain == UNTRANSFORMED), None)
    gain = verdicts.compare(plain, quickest) if plain and plain is not quickest else None
    return attrs.evolve(decision, fastest=quickest, untransformed=plain, gain=gain)
