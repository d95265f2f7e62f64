"""Which strategies to choose under bounds: ranked, with how likely each is to be the best."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.admission import (
    Check,
    check_drop,
    check_exact,
    check_latency,
    refuse_unknown_metric,
)
from edgebench.analysis.advised import Advice, Candidate, Triple, Wish
from edgebench.analysis.agreement import is_refuted
from edgebench.analysis.bounds import Bound, Drop
from edgebench.analysis.draws import Resampling, judge_ratio
from edgebench.analysis.front import find_front
from edgebench.analysis.groups import find_groups
from edgebench.analysis.verdicts import Verdicts, count_pairs, judge
from edgebench.records.outcome import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgebench.analysis.draws import Figure
    from edgebench.analysis.prices import Prices
    from edgebench.analysis.result import Result

RANKED_BY = "latency.median"
"""The best of those that keep to all bounds has the lowest of this figure."""


def advise(
    run: Run, results: Sequence[Result], wish: Wish, prices: Prices, within: float
) -> tuple[Advice, ...]:
    """Return what is recommended of each group of results that may be compared, in plan order.

    Raises:
        UnknownName: A loss is bounded of a figure that no case has.
    """
    refuse_unknown_metric(wish.drops, results)
    # What is imported has one block a case, and is no worse for it than it is anyway.
    single = bool(run.source)
    begun = [one for one in results if one.measured or one.status in ("failed", "timeout")]
    return tuple(
        _advise(title, found, wish, prices, within, single=single, seed=run.seed)
        for title, found in find_groups(begun)
    )


def _advise(
    title: str,
    results: Sequence[Result],
    wish: Wish,
    prices: Prices,
    within: float,
    *,
    single: bool,
    seed: int,
) -> Advice:
    whole = [
        one
        for one in results
        if one.status == "ok" and (len(one.measured) > 1 or (single and one.measured))
    ]
    refuted = [one for one in whole if is_refuted(one.facts)]
    left = {one.case.id for one in results} - {one.case.id for one in whole}
    out = {one.case.id for one in refuted}
    sound = [one for one in whole if one.case.id not in out]
    drops = wish.drops or _assume_drops(sound)
    resampling = Resampling(sound, seed)
    told = Advice(
        title=title,
        within=within,
        bounds=(*wish.bounds, *drops),
        accuracy_known=any(one.figure and one.figure.loss is not None for one in sound),
        by_request=bool(sound) and resampling.by_request,
        rounds=len(resampling.rounds),
        refuted=tuple(refuted),
        unfinished=tuple(one for one in results if one.case.id in left),
    )
    if not sound:
        return told
    figure = resampling.find(RANKED_BY)
    verdicts = None if resampling.by_request else Verdicts(resampling.medians, within)
    timed = {bound: resampling.find(bound.figure) for bound in wish.bounds if bound.timed}
    checks = list(_check(sound, wish.bounds, drops, timed, prices))
    candidates = [
        Candidate(result=result, checks=own, median=median, ends=(low, high))
        for result, own, median, (low, high) in zip(
            sound, checks, figure.estimates.tolist(), figure.ends.T.tolist(), strict=True
        )
    ]
    told = attrs.evolve(told, front=find_front(sound, figure.estimates))
    stand = partial(_compare, candidates, figure, verdicts, within)
    return _rank(told, candidates, figure, timed, stand, admit_open=wish.admit_open)


def _assume_drops(results: Sequence[Result]) -> tuple[Drop, ...]:
    """Return the margin of the study, where any loss is known, as a bound."""
    figures = [one.figure for one in results if one.figure and one.figure.loss is not None]
    return (Drop("accuracy", round(100 * figures[0].margin, 9)),) if figures else ()


def _check(
    results: Sequence[Result],
    bounds: Sequence[Bound],
    drops: Sequence[Drop],
    timed: dict[Bound, Figure],
    prices: Prices,
) -> Iterator[tuple[Check, ...]]:
    """Yield of each case how it stands to each bound, in their order."""
    columns = [
        check_latency(results, bound, timed[bound])
        if bound.timed
        else [check_exact(one, bound, prices) for one in results]
        for bound in bounds
    ]
    columns += [[check_drop(one, drop) for one in results] for drop in drops]
    yield from zip(*columns, strict=True) if columns else (() for _ in results)


def _rank(
    told: Advice,
    candidates: Sequence[Candidate],
    figure: Figure,
    timed: dict[Bound, Figure],
    stand: Callable[[Sequence[int]], Iterator[tuple[str, Triple]]],
    *,
    admit_open: bool,
) -> Advice:
    """Fill in who is recommended, how likely each is the best, and how they stand to each other."""
    shares = _share_best(candidates, figure, timed, admit_open=admit_open)
    found = [
        attrs.evolve(one, probability=share) for one, share in zip(candidates, shares, strict=True)
    ]
    admitted = ("met", "open") if admit_open else ("met",)
    order = sorted(range(len(found)), key=lambda at: found[at].median)
    fit = [at for at in order if found[at].verdict in admitted]
    # Of two that are the best as often, that of the lower median.
    fit.sort(key=lambda at: -(found[at].probability or 0.0))
    taken = set(fit)
    rest = [found[at] for at in order if at not in taken]
    standings = stand(fit) if fit else ()
    return attrs.evolve(
        told,
        ranked=tuple(
            attrs.evolve(found[at], standing=standing, ratio=ratio)
            for at, (standing, ratio) in zip(fit, standings, strict=True)
        ),
        open=tuple(one for one in rest if one.verdict == "open"),
        unchecked=tuple(one for one in rest if one.verdict == "unchecked"),
        missed=tuple(one for one in rest if one.verdict == "missed"),
    )


def _compare(
    candidates: Sequence[Candidate],
    figure: Figure,
    verdicts: Verdicts | None,
    within: float,
    fit: Sequence[int],
) -> Iterator[tuple[str, Triple]]:
    """Yield how each of those recommended stands to the first, and the ratio of their medians.

    Within rounds; by the resamples where each case is one block.
    """
    best, pairs = candidates[fit[0]].result, count_pairs(len(fit))
    drawn = figure.compare(fit[0]).T.tolist() if verdicts is None else []
    for place, at in enumerate(fit):
        if not place:
            yield "best", (1.0, 1.0, 1.0)
            continue
        if verdicts is None:
            middle, low, high = drawn[at]
            standing = judge_ratio((middle, low, high), within)
        else:
            found = verdicts.compare(candidates[at].result, best)
            middle, low, high = found.middle, found.low, found.high
            standing = judge(found, within, pairs)
        # What was drawn as the best less often is not called faster than what was.
        yield "undecided" if standing == "faster" else standing, (middle, low, high)


def _share_best(
    candidates: Sequence[Candidate],
    figure: Figure,
    timed: dict[Bound, Figure],
    *,
    admit_open: bool,
) -> list[float | None]:
    """Return in which share of the resamples each is the quickest that keeps to the bounds.

    A bound on latency is held against what was drawn; what else is bounded is not drawn, and who is
    not shown to keep to it does not compete.
    """
    import numpy as np

    admitted = ("met", "open") if admit_open else ("met",)
    competing = np.array([_competes(one, admitted) for one in candidates])
    keeps: NDArray[Any] = np.broadcast_to(competing, figure.values.shape).copy()
    for bound, drawn in timed.items():
        keeps &= drawn.values <= bound.limit
    drawn_medians = np.where(keeps, figure.values, np.inf)
    best = drawn_medians.argmin(axis=1)[keeps.any(axis=1)]
    shares = np.bincount(best, minlength=len(candidates)) / len(figure.values)
    return [share if own else None for share, own in zip(shares.tolist(), competing, strict=True)]


def _competes(candidate: Candidate, admitted: Sequence[str]) -> bool:
    """Say whether a strategy is shown to keep to all bounds but those on latency."""
    return all(
        one.verdict != "unchecked"
        if isinstance(one.bound, Bound) and one.bound.timed
        else one.verdict in admitted
        for one in candidate.checks
    )
