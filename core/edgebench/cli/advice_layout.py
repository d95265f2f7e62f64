"""What is recommended, laid out for people: the table, what is beside it, and the answer last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.analysis.answer import NAMED, describe_strategy
from edgebench.analysis.bounds import Drop, is_known, write_figure, write_interval, write_ms
from edgebench.analysis.evidence import find_evidence
from edgebench.cli.explanation_layout import lay_out_explanation
from edgebench.cli.tables import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench.analysis.admission import Check
    from edgebench.analysis.advised import Advice, Candidate
    from edgebench.analysis.bounds import Bound
    from edgebench.analysis.explanation import Explainer

SHOWN = 20
"""The most strategies of the table: what is ranked behind them is counted."""
LEGEND = (
    "best: in how many of 1,000 resamples it is the quickest that keeps to the bounds; to best: "
    "its median over that of the best; lost: points of accuracy, and the most that are not excluded"
)
SIDE_BY_SIDE = 2
"""Of more bounds the figures stand below each other."""
EXPLAINED = 3
"""Of so many of the best each contribution is shown."""


def lay_out_advice(advice: Advice, explainer: Explainer | None) -> Iterator[Any]:
    """Yield what to print of an advice; explained where somebody can."""
    from rich.text import Text

    yield Text(f"\n{advice.title}", style="bold")
    yield f"at most: {', '.join(map(_write_bound, advice.bounds)) or 'nothing is bounded'}"
    if advice.ranked:
        yield _lay_out_ranked(advice)
        yield LEGEND
    if explainer is not None:
        for candidate in advice.ranked[:EXPLAINED]:
            yield from lay_out_explanation(
                describe_strategy(candidate.result), explainer.explain(candidate.result)
            )
    yield from _list_beside(advice)
    yield Text("\nAnswer", style="bold")
    yield " ".join(_answer(advice))


def _write_bound(bound: Bound | Drop) -> str:
    if isinstance(bound, Drop):
        return f"{bound.points:g} point{'s' * (bound.points != 1)} of {bound.metric} lost"
    return f"{bound.figure} {write_figure(bound.figure, bound.limit)}"


def _lay_out_ranked(advice: Advice) -> Any:
    names = [
        "lost" if isinstance(one, Drop) else one.figure.removeprefix("latency.")
        for one in advice.bounds
    ]
    # Beside three columns of bounds no room is left for the strategies in 80 characters.
    joined = len(names) > SIDE_BY_SIDE
    bounded = ["bounded"] if joined else names
    columns = ["#", "strategy", "median ms", "best", "to best", *bounded]
    rows = []
    for place, one in enumerate(advice.ranked[:SHOWN], 1):
        case = one.result.case
        shown = [_write_check(check) for check in one.checks]
        if joined:
            shown = ["\n".join(f"{n} {text}" for n, text in zip(names, shown, strict=True))]
        share = f"{one.probability:.0%}" if one.probability is not None else "-"
        span = "..".join(map(write_ms, one.ends)) if is_known(one.ends) else "not known"
        median = f"{write_ms(one.median)}\n{span}"
        rows.append(
            [
                str(place),
                f"{case.chain}\n{case.placement} {case.backend}",
                median,
                share,
                _stand(one),
                *shown,
            ]
        )
    return table("", columns, rows, folded=1)


def _stand(candidate: Candidate) -> str:
    if candidate.standing == "best" or candidate.ratio is None:
        return "-"
    words = {"equal": "equal", "undecided": "not told", "slower": "slower", "": "-"}
    return f"{words[candidate.standing]}\nx {candidate.ratio[0]:.3g}"


def _write_check(check: Check) -> str:
    if check.value is None:
        return "-"
    if isinstance(check.bound, Drop):
        return f"{check.value:.2f} ({check.ends[1]:.2f})" if check.ends else f"{check.value:.2f}"
    return write_figure(check.bound.figure, check.value)


def _list_beside(advice: Advice) -> Iterator[str]:
    if len(advice.ranked) > SHOWN:
        yield f"and {len(advice.ranked) - SHOWN} more that meet the bounds"
    for title, found in (
        ("Open, so not recommended (--admit-open takes them in)", advice.open),
        ("A bound cannot be checked", advice.unchecked),
        ("Out, as a bound is missed", advice.missed),
    ):
        if found:
            yield f"\n{title}:"
            yield from (_write_failing(one) for one in found[:NAMED])
            if len(found) > NAMED:
                yield f"  and {len(found) - NAMED} more"
    for title, results in (
        ("Never recommended, as another runtime computes something else", advice.refuted),
        ("Never recommended, as they have one block, or not all of theirs", advice.unfinished),
        ("Pareto front of latency, accuracy and size", advice.front),
    ):
        if results:
            more = f"; and {len(results) - NAMED} more" if len(results) > NAMED else ""
            yield f"\n{title}: {'; '.join(map(describe_strategy, results[:NAMED]))}{more}"


def _write_failing(candidate: Candidate) -> str:
    why = "; ".join(one.text for one in candidate.failing)
    return f"  {describe_strategy(candidate.result)}, {_write_median(candidate)}: {why}"


def _write_median(candidate: Candidate) -> str:
    return f"{write_ms(candidate.median)} ms ({write_interval(candidate.ends)})"


def _answer(advice: Advice) -> Iterator[str]:
    best = advice.best
    if best is not None:
        open_ = "" if best.verdict == "met" else ", if what is open of it is as hoped"
        share = f"the best in {best.probability or 0:.0%} of the resamples"
        if untold := sum(one.standing == "undecided" for one in advice.ranked):
            yield f"not decided: {untold + 1} cannot be told apart. First of them is"
        yield f"{describe_strategy(best.result)}: {_write_median(best)}, {share}{open_}."
        yield from _name_others(advice)
    else:
        yield from _explain_none(advice)
    if not advice.accuracy_known:
        yield "Accuracy is not known, so it is not compared."
    yield from _weigh(advice)


def _name_others(advice: Advice) -> Iterator[str]:
    margin = "by study mode" if advice.studied else f"within {advice.within:.0%}"
    for standing, words in (
        ("equal", f"Equal to it {margin}"),
        ("undecided", "Not told apart from it"),
    ):
        found = [one.result for one in advice.ranked if one.standing == standing]
        if found:
            more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
            yield f"{words}: {'; '.join(map(describe_strategy, found[:NAMED]))}{more}."
    quicker = [one for one in advice.open if advice.best and one.median < advice.best.median]
    if quicker:
        yield f"Quicker, and open: {len(quicker)}, listed above."


def _explain_none(advice: Advice) -> Iterator[str]:
    nearest = advice.nearest
    if nearest is None:
        yield "nothing was measured to the end in two blocks or more, so nothing is recommended."
        return
    yield f"nothing is shown to meet the bounds. Nearest: {describe_strategy(nearest.result)},"
    yield f"{_write_median(nearest)}: {'; '.join(one.text for one in nearest.failing)}."
    relaxed = [str(one.relaxed) for one in nearest.failing if one.relaxed is not None]
    if len(relaxed) == len(nearest.failing):
        yield f"It would with {' and '.join(relaxed)}."


def _weigh(advice: Advice) -> Iterator[str]:
    """Yield what the evidence is worth, a sentence each."""
    evidence = find_evidence(advice)
    if evidence is None:
        return
    labels = f", {evidence.labels:,} labels" if evidence.labels else ""
    blocks = f"{evidence.blocks} block{'s' * (evidence.blocks != 1)}"
    rounds = f" in {evidence.rounds} rounds" * (not evidence.by_request)
    yield f"Evidence: {evidence.requests:,} requests, {blocks}{rounds}{labels}."
    if evidence.quick:
        yield (
            f"{evidence.quick}. How often each is the best was drawn from {evidence.rounds} "
            "rounds, so the lowest median goes first: measure without --quick before you decide."
        )
    if evidence.by_request:
        yield (
            "Each case is one block, so requests were drawn and not rounds: what differs between "
            "processes is in none of these figures."
        )
    if evidence.studied:
        few = evidence.studied < len(advice.ranked)
        among = f", among the {evidence.studied} of the lowest medians" * few
        yield (
            "How others stand to it is by study mode (Conover-Iman over requests with Holm's "
            f"correction, and Cliff's delta){among}."
        )
    if evidence.emulated:
        yield f"Emulated: {', '.join(evidence.emulated)}."
    if evidence.causes:
        yield f"There is reason to doubt it: {', '.join(evidence.causes)} (`edgebench report`)."
