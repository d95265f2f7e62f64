"""The answer for one model: how its strategies stand to each other, and the sentence for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.accuracy import describe_open
from edgebench.analysis.bounds import write_interval, write_ms
from edgebench.analysis.quick import describe_quick, say_nothing_is_told
from edgebench.analysis.verdicts import LEVEL
from edgebench.parts.grouping import group_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgebench.analysis.result import Result
    from edgebench.analysis.rounds import Ratio
    from edgebench.records.quick import Quick

NAMED = 9
"""As many strategies are named in one list of a sentence; of more, how many there are."""


@attrs.frozen(kw_only=True)
class Decision:
    """The answer for one model under one set of conditions, and what it rests on.

    Every strategy that was measured in two blocks or more stands in one of `fastest`, `equal`,
    `undecided`, `slower`, `open` and `lost`. Either `fastest` is there or `undecided` holds two or
    more, unless nothing is shown to keep its accuracy. In a quick run without A/A figures of its
    machine `undecided` holds all that do, be it one.
    """

    title: str
    """Model and variant, and what sets the conditions apart from others of the run."""
    cases: tuple[str, ...]
    """The ids of the cases that were compared."""
    within: float
    """The practical margin of latency."""
    quick: Quick | None = None
    """How the cases were measured in a quick run; None in any other."""
    wild: bool = False
    """Whether cases of a quick run differ more between rounds than equal ones would."""
    decidable: bool = True
    """Whether any case has all its blocks, and more than one."""
    copies: str = ""
    """What an A/A run says of its machine, in words; empty for any other."""
    study: str = ""
    """What the study mode says of cases that were imported as one block each; empty for others."""
    accuracy_known: bool = True
    """Whether any loss of accuracy is known; if not, only latency was compared."""
    fastest: Result | None = None
    """The fastest of those that are shown to keep their accuracy; None where none is shown to be.
    """
    equal: tuple[Result, ...] = ()
    """Strategies that are shown to keep their accuracy and to differ by less than the margin."""
    undecided: tuple[Result, ...] = ()
    """Where `fastest` is None, the strategies of which one is, that of the lowest median first: all
    keep their accuracy, and the data does not tell them apart."""
    blocks_needed: int | None = None
    """About how many more blocks each would tell those apart; None if that is not foreseen."""
    differs_p: float | None = None
    """The p of those that keep their accuracy differing in nothing: Friedman's test over the rounds
    that all of them share; None of one strategy, or fewer than two rounds."""
    least_difference: float | None = None
    """The least difference, as a share, that the blocks of those could have told in 80 of 100."""
    untransformed: Result | None = None
    """The fastest of the strategies that change nothing of the model, where one was measured."""
    gain: Ratio | None = None
    """How many times as fast as that `fastest` is."""
    slower: tuple[Result, ...] = ()
    """Strategies that keep their accuracy and are slower."""
    open: tuple[Result, ...] = ()
    """Strategies of which the data does not say whether they keep their accuracy."""
    open_faster: tuple[Result, ...] = ()
    """Those of them that are not shown to be as slow as the fastest, or slower: no answer is final
    before they are settled."""
    lost: tuple[Result, ...] = ()
    """Strategies that lose accuracy, however fast they are."""
    refuted: tuple[Result, ...] = ()
    """Strategies whose outputs, or whose backend's, are another model's, however fast they are."""

    @property
    def sentence(self) -> str:
        """The answer in words."""
        if self.copies:
            return f"{self.title}: {self.copies}."
        return f"{self.title}: {' '.join([self._answer(), *self._beside()])}"

    def _answer(self) -> str:
        if not self.decidable:
            return self.study or "no case was measured in two blocks or more, so none is decided."
        if self.fastest is not None:
            causes = dict.fromkeys(doubt.cause for doubt in self.fastest.reasons)
            doubted = f"; there is reason to doubt it ({', '.join(causes)})" if causes else ""
            return f"{self._title_fastest()} is {_describe_time(self.fastest)}{doubted}."
        if self.undecided and self.quick is not None and self.quick.spread is None:
            of = f"{self.quick.blocks} blocks of {self.quick.requests} requests"
            why = say_nothing_is_told(self.quick)
            return f"{why}. A rough ranking by median, of {of}: {self._list_roughly()}."
        if self.undecided:
            blind = "" if self.accuracy_known else f" {_UNKNOWN}"
            return (
                f"not decided{blind}: these {len(self.undecided)} cannot be told apart: "
                f"{_list(self.undecided, describe_strategy)} (medians of "
                f"{_span_medians(self.undecided)}); {self._describe_need()}{self._say_least()}."
            )
        if self.open:
            return "not decided: no strategy is shown to keep its accuracy."
        if self.refuted and not self.lost:
            return "no strategy that was measured agrees with another runtime."
        return "no strategy that was measured keeps its accuracy."

    def _title_fastest(self) -> str:
        if not self.accuracy_known:
            return f"the fastest {_UNKNOWN}"
        others = self.equal or self.slower or not (self.open or self.lost)
        return f"the {'fastest' if others else 'only one'} that is shown to keep its accuracy"

    def _list_roughly(self) -> str:
        """List what keeps its accuracy, or may, by median."""
        found = sorted((*self.undecided, *self.open), key=lambda one: one.median or 0.0)
        return _list(found, _describe_median)

    def _describe_need(self) -> str:
        if self.quick is not None:
            return "a run without --quick tells more"
        if self.blocks_needed is None:
            return "how many more blocks would is not foreseen"
        return f"about {self.blocks_needed} more block{'s' * (self.blocks_needed != 1)} each would"

    def _say_least(self) -> str:
        if self.least_difference is None:
            return ""
        # Of two digits the second is hardly known, and more than twofold is plain without a test.
        least = format(self.least_difference, ".1%" if self.least_difference < 0.1 else ".0%")
        told = f"; a difference of {least} could have been told" * (self.least_difference <= 1)
        if self.slower or self.differs_p is None or self.differs_p <= LEVEL:
            return told
        any_differ = f"that any differ is not shown (Friedman, p = {self.differs_p:.2g})"
        return f"{told}, and {any_differ}" if told else f"; {any_differ}"

    def _beside(self) -> Iterator[str]:
        """Yield what else bears on the answer, a sentence each."""
        if self.equal:
            yield f"Equal to it within {self.within:.0%}: {_list(self.equal, describe_strategy)}."
        if self.undecided and (count := len(self.slower)):
            yield f"{count} other{'s are' if count > 1 else ' is'} slower."
        if self.open_faster:
            yield from _list_rivals(self.open_faster)
        if self.lost:
            yield f"Out, as accuracy is lost: {_list(self.lost, _describe_lost)}."
        if self.refuted:
            refuted = _list(self.refuted, describe_strategy)
            yield f"Out, as another runtime computes something else: {refuted}."
        if self.quick is not None and (self.quick.spread is not None or not self.undecided):
            yield f"{describe_quick(self.quick)}."
        if self.wild:
            yield _WILD


_WILD = (
    "Its cases differ more from round to round than equal ones did then, so their own spread, of "
    "which little is known, stands in its place."
)
_UNKNOWN = "(accuracy is not known)"


def _describe_median(result: Result) -> str:
    return f"{describe_strategy(result)}, {write_ms(result.median or 0.0)} ms"


def describe_strategy(result: Result) -> str:
    """Return a strategy in words."""
    case = result.case
    return f"{case.chain} on {case.placement} with {case.backend}"


def _describe_time(result: Result) -> str:
    if result.latency is None:
        return describe_strategy(result)
    median, known = result.latency.median, write_interval(result.latency.interval())
    return f"{describe_strategy(result)}, {write_ms(median)} ms ({known})"


def _span_medians(results: Sequence[Result]) -> str:
    medians = [result.median or 0.0 for result in results]
    return f"{write_ms(min(medians))} to {write_ms(max(medians))} ms"


def _list_rivals(rivals: Sequence[Result]) -> Iterator[str]:
    """Yield a sentence for those that share a reason each, and one for all others."""
    said = "Not shown to keep accuracy, and perhaps faster"
    groups = group_by(rivals, _describe_open)
    for why, alike in groups.items():
        if len(alike) > 1:
            yield f"{said} ({len(alike)} cases, each: {why}): {_list(alike, _describe_time)}."
    if alone := [group[0] for group in groups.values() if len(group) == 1]:
        described = _list(alone, lambda one: f"{_describe_time(one)}: {_describe_open(one)}")
        yield f"{said}: {described}."


def _describe_open(result: Result) -> str:
    known = result.figure is not None and result.figure.loss is not None
    return describe_open(result.figure) if known and result.figure else "its loss is not known"


def _describe_lost(result: Result) -> str:
    loss = (result.figure.loss if result.figure else None) or 0.0
    return f"{describe_strategy(result)} (by {loss * 100:.1f} points)"


def _list(results: Sequence[Result], describe: Callable[[Result], str]) -> str:
    more = f"; and {len(results) - NAMED} more" if len(results) > NAMED else ""
    return "; ".join(describe(result) for result in results[:NAMED]) + more
