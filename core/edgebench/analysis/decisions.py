"""Which strategy of a model is the fastest that keeps its accuracy, and which are equal to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.accuracy import keeps
from edgebench.analysis.agreement import is_refuted
from edgebench.analysis.groups import find_groups
from edgebench.analysis.intervals import compare_medians

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.analysis.intervals import Latency
    from edgebench.analysis.result import Result
    from edgebench.records.outcome import Run

PRACTICAL = 0.02
"""The least difference that matters: 2 %."""


def find_margin(run: Run) -> float:
    """Return below which relative difference two strategies of a run are equal in practice."""
    return max(PRACTICAL, run.aa_difference or 0.0)


def compare_latencies(one: Latency, other: Latency, within: float) -> str:
    """Say whether the first is `slower` than the second, `faster`, `equal` or `undecided`.

    Equal when the whole 95 % interval of the ratio of the medians lies within the margin; slower
    or faster when all of it lies on one side of 1 and the ratio beyond the margin.
    """
    middle, low, high = compare_medians(one, other)
    if 1 / (1 + within) <= low and high <= 1 + within:
        return "equal"
    if low > 1 and middle > 1 + within:
        return "slower"
    if high < 1 and middle < 1 / (1 + within):
        return "faster"
    return "undecided"


@attrs.frozen(kw_only=True)
class Decision:
    """The answer for one model under one set of conditions, and what it rests on."""

    title: str
    """Model and variant, and what sets the conditions apart from others of the run."""
    cases: tuple[str, ...]
    """The ids of the cases that were compared."""
    within: float
    """The practical margin."""
    fastest: Result | None
    """None where nothing qualifies."""
    equal: tuple[Result, ...] = ()
    """Strategies that keep the accuracy too and differ by less than the margin."""
    undecided: tuple[Result, ...] = ()
    """Strategies that keep the accuracy too and that the data does not tell from the fastest."""
    accuracy_known: bool = True
    """Whether the loss of accuracy is known; if not, only latency was compared."""

    decidable: bool = True
    """Whether any case has all its blocks, and more than one."""
    refuted: bool = False
    """Whether all that could be the fastest disagree with another runtime."""

    @property
    def sentence(self) -> str:
        """The answer in words."""
        if not self.decidable:
            return f"{self.title}: no case was measured in two blocks or more, so none is decided."
        if self.refuted:
            return f"{self.title}: no strategy that was measured agrees with another runtime."
        if self.fastest is None or self.fastest.latency is None:
            return f"{self.title}: no strategy that was measured keeps its accuracy."
        low, high = self.fastest.latency.interval()
        what = "without losing accuracy" if self.accuracy_known else "(accuracy is not known)"
        median = self.fastest.latency.median
        time = f"{median * 1e3:.3g} ms ({low * 1e3:.3g} to {high * 1e3:.3g})"
        parts = [f"{self.title}: the fastest {what} is {describe_strategy(self.fastest)}, {time}."]
        if self.equal:
            parts.append(f"Equal to it within {self.within:.0%}: {_listed(self.equal)}.")
        else:
            parts.append(f"None is equal to it within {self.within:.0%}.")
        if self.undecided:
            parts.append(f"Not told apart from it by this data: {_listed(self.undecided)}.")
        return " ".join(parts)


def describe_strategy(result: Result) -> str:
    """Return a strategy in words."""
    case = result.case
    return f"{case.chain} on {case.placement} with {case.backend}"


def _listed(results: Sequence[Result]) -> str:
    return "; ".join(describe_strategy(result) for result in results)


def decide_all(run: Run, results: Sequence[Result]) -> tuple[Decision, ...]:
    """Return the decision for each group of results that may be compared, in plan order."""
    measured = [result for result in results if result.latency is not None]
    within = find_margin(run)
    return tuple(decide(title, found, within) for title, found in find_groups(measured))


def decide(title: str, results: Sequence[Result], within: float) -> Decision:
    """Decide among the measured results of one group.

    Only a case with all its blocks can be the fastest: what one process measured says nothing of
    the next, and looks all the more certain. Nor can one whose outputs are not the model's.
    """
    whole = [result for result in results if result.status == "ok" and len(result.measured) > 1]
    kept = {result.case.id: keeps(result.figure) for result in whole if result.figure}
    known = any(value is not None for value in kept.values())
    # Where no loss is known, latency alone decides, and the sentence says so.
    fit = [result for result in whole if kept.get(result.case.id) or not known]
    sound = [result for result in fit if not is_refuted(result.facts)]
    ranked = sorted(sound, key=lambda result: result.median or 0.0)
    ids = tuple(result.case.id for result in results)
    if not ranked:
        return Decision(
            title=title,
            cases=ids,
            within=within,
            fastest=None,
            decidable=bool(whole),
            refuted=bool(fit),
        )
    fastest, *others = ranked
    found: dict[str, list[Result]] = {}
    for other in others:
        if fastest.latency and other.latency:
            said = compare_latencies(other.latency, fastest.latency, within)
            found.setdefault(said, []).append(other)
    return Decision(
        title=title,
        cases=ids,
        within=within,
        fastest=fastest,
        equal=tuple(found.get("equal", ())),
        undecided=tuple(found.get("undecided", ())),
        accuracy_known=known,
    )
