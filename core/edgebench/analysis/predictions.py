"""What measured strategies would take under other links.

Where the phases of a request are known, its way is exchanged: what the links claim for the bytes it
sends (`bytes x 8 / rate + delay` a hop, each way) is put in the place of what they claimed when it
was measured, and all else stays as it was, request by request, so that percentiles and intervals
follow. Where only medians at several rates are known, as of imported results, seconds of computing
and bytes of each hop are fitted to them (`edgebench.analysis.fits`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.fits import Fit, fit_rates
from edgebench.analysis.intervals import PERCENTILES, Latency
from edgebench.analysis.travel import exchange_links
from edgebench.parts.grouping import group_by
from edgebench.parts.units import write_link, write_rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edgebench.analysis.result import Result
    from edgebench.cases.case import Case
    from edgebench.parts.places import Link


@attrs.frozen(kw_only=True)
class Prediction:
    """What a strategy is predicted to take."""

    case: Case
    """As it would be measured: its chain, its placement, and the links it is predicted under."""
    median_s: float
    ci95_s: tuple[float, float]
    """Of the median: what differs between the measured blocks, and nothing of the prediction's own
    error."""
    percentiles_s: Mapping[str, float] = attrs.field(factory=dict)
    """Those that the sample supports; empty where only medians are known."""
    kind: str
    """`links`: by measured phases and bytes; `fit`: by medians at several rates; `cut`: at a cut
    that was not measured."""
    base: str
    """The id of the case that it was predicted from; of a fit the first."""
    basis: str
    """What it rests on, in words."""
    extrapolated: str = ""
    """What of it lies beyond what was measured, in words; empty where nothing does."""
    measured: Result | None = None
    """The same strategy as measured under these links, where it was."""
    latency: Latency | None = attrs.field(default=None, eq=False, repr=False)
    """The predicted requests, by block; None for a fit."""

    @property
    def error(self) -> float | None:
        """How far the prediction lies from the measured median, relative to that, with its sign."""
        found = self.measured.median if self.measured else None
        return self.median_s / found - 1 if found else None


@attrs.frozen
class Refusal:
    """A strategy that is not predicted, and why."""

    case: Case
    why: str


def predict_links(
    results: Sequence[Result], links: Sequence[Link]
) -> tuple[list[Prediction], list[Refusal]]:
    """Predict each measured strategy of a run under other links, in the order of the run.

    A strategy whose route has none of these links is predicted as it was measured. One that was
    measured under just these links is predicted from its other settings, where it has any, so that
    the two can be held against each other.
    """
    found: list[Prediction] = []
    refused: list[Refusal] = []
    whole = [one for one in results if one.latency is not None and one.status == "ok"]
    for alike in group_by(whole, lambda one: attrs.evolve(one.case, links=())).values():
        told = _predict(alike, links)
        if isinstance(told, Prediction):
            found.append(told)
        else:
            refused.append(told)
    return found, refused


def _predict(alike: Sequence[Result], links: Sequence[Link]) -> Prediction | Refusal:
    """Predict a strategy from all the settings in which it was measured."""
    wanted = replace_links(alike[0].case, links)
    measured = next((one for one in alike if _same(one.case.links, wanted.links)), None)
    others = [one for one in alike if one is not measured]
    if not others:
        # There is nothing else to predict it from, nor any need to.
        return predict_from(alike[0], wanted, alike, None)
    if all(block.phases_s for one in others for block in one.measured):
        base = min(others, key=lambda one: measure_distance(one.case.links, wanted.links))
        return predict_from(base, wanted, others, measured)
    fit = fit_rates(others)
    if isinstance(fit, str):
        return Refusal(wanted, fit)
    return _predict_fit(fit, wanted, measured)


def replace_links(case: Case, links: Sequence[Link]) -> Case:
    """Return a case with other links in the place of its own, where they join the same tiers."""
    new = [next((to for to in links if to.joins(*own.between)), own) for own in case.links]
    return attrs.evolve(case, links=tuple(new))


def _same(some: Sequence[Link], others: Sequence[Link]) -> bool:
    return [(one.rate, one.delay) for one in some] == [(one.rate, one.delay) for one in others]


def measure_distance(some: Sequence[Link], others: Sequence[Link]) -> tuple[float, float]:
    """Return how far links lie from each other, rates before delays.

    The sum of the logarithms of the ratios of their rates, and that of the differences of their
    delays, in seconds.
    """
    pairs = list(zip(some, others, strict=True))
    rates = sum(abs(math.log(one.rate / other.rate)) for one, other in pairs)
    return rates, sum(abs(one.delay - other.delay) for one, other in pairs)


def predict_from(
    base: Result, wanted: Case, others: Sequence[Result], measured: Result | None
) -> Prediction:
    """Predict a case from one that differs from it in links alone, request by request."""
    blocks = tuple(exchange_links(base, block, wanted.links) for block in base.measured)
    changed = [
        (old, new)
        for old, new in zip(base.case.links, wanted.links, strict=True)
        if not _same([old], [new])
    ]
    old = ", ".join(write_link(one) for one, _ in changed)
    basis = f"phases and bytes measured at {old}" if changed else "as measured: no link differs"
    return make_prediction(
        Latency(blocks=blocks),
        case=wanted,
        kind="links",
        base=base.case.id,
        basis=basis,
        extrapolated=_find_beyond(wanted, others),
        measured=measured,
    )


def make_prediction(latency: Latency, **fields: Any) -> Prediction:
    """Make the prediction of some predicted requests."""
    known = {name: latency.percentile(name) for name in PERCENTILES}
    return Prediction(
        median_s=latency.median,
        ci95_s=latency.interval(),
        percentiles_s={name: value for name, value in known.items() if value is not None},
        latency=latency,
        **fields,
    )


def _find_beyond(wanted: Case, others: Sequence[Result]) -> str:
    """Say which rates lie beyond those at which a strategy was measured; empty if none do."""
    return "; ".join(_list_beyond(wanted, others))


def _list_beyond(wanted: Case, others: Sequence[Result]) -> Iterator[str]:
    for place, link in enumerate(wanted.links):
        rates = [one.case.links[place].rate for one in others]
        low, high = min(rates), max(rates)
        if not low <= link.rate <= high:
            span = write_rate(low) if low == high else f"{write_rate(low)} to {write_rate(high)}"
            yield f"{'-'.join(link.between)} was measured at {span}"


def _predict_fit(fit: Fit, wanted: Case, measured: Result | None) -> Prediction | Refusal:
    told = fit.predict(wanted)
    if isinstance(told, str):
        return Refusal(wanted, told)
    median, low, high = told
    return Prediction(
        case=wanted,
        median_s=median,
        ci95_s=(low, high),
        kind="fit",
        base=fit.results[0].case.id,
        basis=fit.basis,
        extrapolated=_find_beyond(wanted, fit.results),
        measured=measured,
    )
