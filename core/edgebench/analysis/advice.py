"""Which strategies to choose under bounds: ranked, with how likely each is to be the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.admission import (
    Check,
    check_drop,
    check_exact,
    check_latency,
    refuse_unknown_metric,
)
from edgebench.analysis.advised import Advice, Candidate, Wish
from edgebench.analysis.bounds import Bound, Drop
from edgebench.analysis.decisions import find_verdicts, is_beaten, rank, sort_out
from edgebench.analysis.draws import Resampling
from edgebench.analysis.front import find_front
from edgebench.analysis.groups import find_groups
from edgebench.analysis.standings import Standings
from edgebench.records.outcome import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgebench.analysis.draws import Figure
    from edgebench.analysis.prices import Prices
    from edgebench.analysis.result import Result

RANKED_BY = "latency.median"
"""The best of those that keep to all bounds has the lowest of this figure."""


def advise(run: Run, results: Sequence[Result], wish: Wish, prices: Prices) -> tuple[Advice, ...]:
    """Return what is recommended of each group of results that may be compared, in plan order.

    Raises:
        UnknownName: A loss is bounded of a figure that no case has.
    """
    refuse_unknown_metric(wish.drops, results)
    begun = [one for one in results if one.measured or one.status in ("failed", "timeout")]
    return tuple(_advise(title, found, wish, prices, run) for title, found in find_groups(begun))


def _advise(
    title: str,
    results: Sequence[Result],
    wish: Wish,
    prices: Prices,
    run: Run,
) -> Advice:
    # What is imported has one block a case, and is no worse for it than it is anyway.
    least = 1 if run.source else 2
    whole = [one for one in results if one.status == "ok" and len(one.measured) >= least]
    found = sort_out(whole)
    left = {one.case.id for one in results} - {one.case.id for one in whole}
    out = {one.case.id for one in found.refuted}
    sound = [one for one in whole if one.case.id not in out]
    drops = wish.drops or _assume_drops(sound, wish.margin)
    resampling = Resampling(sound, run.seed)
    # Judged as a report does: by all that was measured of the group.
    verdicts = find_verdicts(run, [one for one in results if one.measured])
    told = Advice(
        title=title,
        within=verdicts.within,
        bounds=(*wish.bounds, *drops),
        accuracy_known=any(one.figure and one.figure.loss is not None for one in results),
        by_request=bool(sound) and resampling.by_request,
        rounds=len(resampling.rounds),
        refuted=tuple(found.refuted),
        unfinished=tuple(one for one in results if one.case.id in left),
    )
    if not sound:
        return told
    figure = resampling.find(RANKED_BY)
    standings = Standings(verdicts, figure, resampling.by_request, found.pairs)
    # What was measured in quicker rounds than the others is held to no easier bound.
    drifts = standings.find_drifts()
    timed = {
        bound: resampling.find(bound.figure).scale(drifts) for bound in wish.bounds if bound.timed
    }
    checks = list(_check(sound, wish.bounds, drops, timed, prices))
    candidates = [
        Candidate(result=result, checks=own, median=median, ends=(low, high))
        for result, own, median, (low, high) in zip(
            sound, checks, figure.estimates.tolist(), figure.ends.T.tolist(), strict=True
        )
    ]
    front = find_front(sound, figure.estimates * standings.find_centres())
    told = attrs.evolve(told, front=front)
    return _rank(told, candidates, standings, timed, admit_open=wish.admit_open)


def _assume_drops(results: Sequence[Result], margin: Drop | None) -> tuple[Drop, ...]:
    """Return a margin, or that of the study, where any loss is known, as a bound."""
    figures = [one.figure for one in results if one.figure and one.figure.loss is not None]
    return (margin or Drop("accuracy", round(100 * figures[0].margin, 9)),) if figures else ()


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
    standings: Standings,
    timed: dict[Bound, Figure],
    *,
    admit_open: bool,
) -> Advice:
    """Fill in who is recommended, how likely each is the best, and how they stand to each other."""
    shares = _share_best(candidates, standings, timed, admit_open=admit_open)
    found = {
        one.result.case.id: attrs.evolve(one, probability=share)
        for one, share in zip(candidates, shares, strict=True)
    }
    ranked = rank([one.result for one in candidates], standings.verdicts)
    order = [found[one.case.id] for one in ranked]
    admitted = ("met", "open") if admit_open else ("met",)
    # Of two that are the best as often, to the percent that is shown, that of the lower median; of
    # a quick run, of any.
    rough = any(one.result.quick for one in candidates)
    fit = sorted(
        (one for one in order if one.verdict in admitted),
        key=lambda one: 0 if rough else -round(100 * (one.probability or 0.0)),
    )
    settled = standings.settle([one.result for one in fit])
    test = standings.test(settled)
    stands = standings.compare(settled, test) if settled else ()
    taken = {one.case.id for one in settled}
    rest = [one for one in order if one.result.case.id not in taken]
    return attrs.evolve(
        told,
        studied=len(test.results) if test else 0,
        ranked=tuple(
            attrs.evolve(found[one.case.id], standing=standing, ratio=ratio)
            for one, (standing, ratio) in zip(settled, stands, strict=True)
        ),
        open=tuple(one for one in rest if one.verdict == "open"),
        unchecked=tuple(one for one in rest if one.verdict == "unchecked"),
        missed=tuple(one for one in rest if one.verdict == "missed"),
    )


def _share_best(
    candidates: Sequence[Candidate],
    standings: Standings,
    timed: dict[Bound, Figure],
    *,
    admit_open: bool,
) -> list[float | None]:
    """Return in which share of the resamples each is the quickest that keeps to the bounds.

    Cases that were measured in other rounds are drawn as if all had been in all of them. A bound on
    latency is held against what was drawn; what else is bounded is not drawn, and who is
    not shown to keep to it does not compete.
    """
    import numpy as np

    admitted = ("met", "open") if admit_open else ("met",)
    competing = np.array([_competes(one, admitted) for one in candidates])
    ids = {one.result.case.id for one, own in zip(candidates, competing, strict=True) if own}
    # What was dropped as slower than one of them missed the rounds that it would be drawn in.
    competing &= np.array([not is_beaten(one.result, ids) for one in candidates])
    values = standings.medians.values * standings.find_centres()
    keeps: NDArray[Any] = np.broadcast_to(competing, values.shape).copy()
    for bound, drawn in timed.items():
        keeps &= drawn.values <= bound.limit
    drawn_medians = np.where(keeps, values, np.inf)
    best = drawn_medians.argmin(axis=1)[keeps.any(axis=1)]
    shares = np.bincount(best, minlength=len(candidates)) / len(values)
    return [share if own else None for share, own in zip(shares.tolist(), competing, strict=True)]


def _competes(candidate: Candidate, admitted: Sequence[str]) -> bool:
    """Say whether a strategy is shown to keep to all bounds but those on latency."""
    return all(
        one.verdict != "unchecked"
        if isinstance(one.bound, Bound) and one.bound.timed
        else one.verdict in admitted
        for one in candidate.checks
    )
