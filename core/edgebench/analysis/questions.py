"""What the studies asked, of any run: which tier, which operator, one tier or two, hybrid or part.

Each question is of one model under one set of conditions and on one backend. That a chain cuts the
model shows from where it runs, on more tiers than one: no operator is known here by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.accuracy import judge_loss
from edgebench.analysis.agreement import is_refuted
from edgebench.analysis.group_tests import NONE, STUDY, GroupTest, Versus, compare_all, write_ms
from edgebench.analysis.groups import find_groups
from edgebench.analysis.prefixes import UNTRANSFORMED
from edgebench.cases.chain import parse_chain
from edgebench.parts.grouping import group_by

if TYPE_CHECKING:
    from edgebench.analysis.result import Result
    from edgebench.analysis.verdicts import Verdicts

TIER, OPERATOR, TIERS, HYBRID = "tier", "operator", "tiers", "hybrid"
"""Which tier for an operator; which operator on a tier; one tier against two; hybrids against their
parts."""
SMALLEST_P = 1e-3
"""Below it a p value is only said to be lower."""


@attrs.frozen(kw_only=True)
class Question:
    """A question, and what the data answers."""

    kind: str
    """One of `TIER`, `OPERATOR`, `TIERS` and `HYBRID`."""
    subject: str
    """The model, and what sets its conditions apart."""
    title: str
    """The question in words."""
    test: GroupTest

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        return _answer(self)


def ask_all(results: Sequence[Result], verdicts: Verdicts) -> tuple[Question, ...]:
    """Ask everything that can be asked of measured results, model by model."""
    # What computes another model is no strategy for this one.
    measured = [one for one in results if one.latency and not is_refuted(one.facts)]
    found: list[Question] = []
    for subject, group in find_groups(measured):
        for backend, alike in group_by(group, lambda one: one.case.backend).items():
            several = len({one.case.backend for one in group}) > 1
            name = f"{subject} with {backend}" if several else subject
            for kind, title, asked in _list_questions(alike):
                test = compare_all(asked, verdicts)
                found.append(Question(kind=kind, subject=name, title=title, test=test))
    return tuple(found)


Asked = tuple[str, str, list["Result"]]
"""What kind of question, the question, and the strategies that it is about."""


def _list_questions(results: Sequence[Result]) -> Iterator[Asked]:
    single = [one for one in results if _count_tiers(one) == 1]
    divided = [one for one in results if _count_tiers(one) > 1]
    yield from _ask_tiers(single, "Which tier for")
    yield from _ask_tiers(divided, "Which tiers for")
    yield from _ask_operators(results)
    yield from _ask_division(single, divided)
    yield from _ask_hybrids(results)


def _count_tiers(result: Result) -> int:
    return len(result.case.placement.tiers)


def _ask_tiers(results: Sequence[Result], words: str) -> Iterator[Asked]:
    for chain, found in group_by(results, lambda one: one.case.chain).items():
        if len(found) > 1:
            yield TIER, f"{words} {chain}?", found


def _ask_operators(results: Sequence[Result]) -> Iterator[Asked]:
    for placement, found in group_by(results, lambda one: str(one.case.placement)).items():
        if len(found) > 1:
            yield OPERATOR, f"Which operator on {placement}?", found


def _ask_division(single: Sequence[Result], divided: Sequence[Result]) -> Iterator[Asked]:
    """Ask whether a chain that divides the model beats, on one tier, what it divides."""
    whole = group_by(single, lambda one: one.case.chain)
    for chain, found in group_by(divided, lambda one: one.case.chain).items():
        base = next((name for name in _list_beginnings(chain) if name in whole), None)
        if base is not None:
            yield TIERS, f"One tier or several: {base} or {chain}?", [*whole[base], *found]


def _list_beginnings(chain: str) -> Iterator[str]:
    """Yield the chains that one begins with, the longest first, down to the untransformed."""
    names = split_chain(chain)
    for end in range(len(names) - 1, 0, -1):
        yield "+".join(names[:end])
    yield UNTRANSFORMED


def _ask_hybrids(results: Sequence[Result]) -> Iterator[Asked]:
    for placement, found in group_by(results, lambda one: str(one.case.placement)).items():
        for hybrid in found:
            whole = set(split_chain(hybrid.case.chain))
            parts = [
                one
                for one in found
                if one.case.chain != UNTRANSFORMED and set(split_chain(one.case.chain)) < whole
            ]
            if parts:
                title = f"Is {hybrid.case.chain} on {placement} better than its parts?"
                yield HYBRID, title, [hybrid, *parts]


def split_chain(chain: str) -> list[str]:
    """Return the operators of a chain, each with its options, as they are written."""
    return [str(named) for named in parse_chain(chain, {})]


# --- in words ------------------------------------------------------------------------------------


def name_in(kind: str, result: Result) -> str:
    """Name a strategy by what a question varies."""
    case = result.case
    if kind == TIER:
        return str(case.placement)
    return case.chain if kind in (OPERATOR, HYBRID) else f"{case.chain} on {case.placement}"


def _answer(question: Question) -> str:
    test, kind = question.test, question.kind
    best, *others = test.results
    name = f"{name_in(kind, best)} ({write_ms(best.median)})"
    if test.mode == NONE:
        return f"Not tested, as {test.why_not}; the lowest median is that of {name}."
    stands = group_by(
        [(one, found) for one in others if (found := test.find(one, best))],
        lambda each: each[1].verdict,
    )
    slower = stands.pop("slower", [])
    lead = f"{name} {'has the lowest median' if stands else 'is the fastest'}"
    if slower:
        takes = [f"{name_in(kind, one)} takes {found.ratio:.3g}" for one, found in slower[:1]]
        takes += [f"{name_in(kind, one)} {found.ratio:.3g}" for one, found in slower[1:]]
        lead += f"; {_enumerate(takes)} times as long"
    parts = [lead]
    for verdict, alike in stands.items():
        names = _enumerate([name_in(kind, one) for one, _ in alike])
        said = _STANDS[verdict].format("" if len(alike) > 1 else "s")
        parts.append(f"{names} {said}{_say_least(found for _, found in alike)}")
    return "; ".join(parts) + f".{_say_accuracy(best)}"


_STANDS = {
    "equal": "make{} no difference that matters",
    "undecided": "cannot be told from it",
    "faster": "take{} longer at the median, yet less by ranks",
}
"""What is said of strategies that are not slower than that of the lowest median."""


def _say_least(stands: Iterable[Versus]) -> str:
    """Say what difference would have been told of those that are not told apart."""
    least = [one.least for one in stands if one.verdict == "undecided" and one.least]
    return f" (a difference of {max(least):.0%} would have been)" if least else ""


def _enumerate(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _say_accuracy(result: Result) -> str:
    """Say what a strategy costs in accuracy, where that is known."""
    known = result.figure is not None and result.figure.loss is not None
    return f" Accuracy of the first: {write_change(result)}." if known else ""


def write_change(result: Result) -> str:
    """Write how the accuracy changed against the untransformed model, in points."""
    figure = result.figure
    if figure is None or figure.loss is None:
        return "n/a"
    return f"{_CHANGES[judge_loss(figure)]} ({count_points(figure.loss):+.2f} points)"


_CHANGES = {"shown": "kept", "lost": "lost", "open": "not shown to be kept"}


def count_points(loss: float) -> float:
    """Return by how many points an accuracy changed that lost so much, 0 to 1."""
    # So that nothing lost is 0 and not -0.
    return 0.0 - 100 * loss


def write_p(p: float) -> str:
    """Write a p value."""
    return f"p < {SMALLEST_P:g}" if p < SMALLEST_P else f"p = {p:.3f}"


def describe_test(test: GroupTest) -> str:
    """Say which tests were made, of how many replicates, and what all together gave."""
    if test.mode == NONE or test.whole is None:
        return f"Not tested: {test.why_not}."
    each = sorted(set(test.replicates))
    span = f"{each[0]:,}" if len(each) == 1 else f"{each[0]:,} to {each[-1]:,}"
    of = f"{span} request{'s' * (span != '1')} each" if test.mode == STUDY else f"{span} rounds"
    return (
        f"{test.name} over {of}: {test.symbol} = {test.whole.statistic:,.4g}, "
        f"{write_p(test.whole.p)}; "
        f"{test.post_hoc}, {test.correction.title()}{_say_signed(test)}{_say_dropped(test)}."
    )


def _say_dropped(test: GroupTest) -> str:
    """Say how many the tests are without, as they were dropped before the others."""
    many = len(test.dropped)
    return f"; without {many} that {'was' if many == 1 else 'were'} dropped early" if many else ""


def _say_signed(test: GroupTest) -> str:
    """Say what Wilcoxon's test gives of the first two, where so many rounds can tell anything."""
    found = test.find(test.results[1], test.results[0])
    if found is None or found.wilcoxon is None:
        return ""
    return f"; Wilcoxon of the first two, exact and adjusted, {write_p(found.wilcoxon)}"
