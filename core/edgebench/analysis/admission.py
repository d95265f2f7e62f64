"""Which strategies are shown to keep to bounds, which are open, and which are not or cannot be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.accuracy import judge_loss
from edgebench.analysis.bounds import Bound, Drop, find_quantile, write_figure
from edgebench.analysis.intervals import count_needed
from edgebench.analysis.labels import foresee_labels
from edgebench.analysis.prices import find_bytes
from edgebench.analysis.quantities import find_memory
from edgebench.parts.errors import UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edgebench.analysis.draws import Figure
    from edgebench.analysis.prices import Prices
    from edgebench.analysis.result import Result

VERDICTS = ("met", "open", "unchecked", "missed")
"""How a strategy stands to a bound, the best first: shown to keep to it; the interval holds the
bound; not to be told from what was measured; shown not to keep to it."""

ONE = "one block says nothing of what differs between blocks"


@attrs.frozen(kw_only=True)
class Check:
    """How one strategy stands to one bound."""

    bound: Bound | Drop
    verdict: str
    """One of `VERDICTS`."""
    value: float | None
    """Of the figure, in its unit; points of accuracy."""
    ends: tuple[float, float] | None = None
    """Its 95 % interval; None where it is exact, or not known."""
    text: str = ""
    """Why it is not met, in words; empty where it is."""
    labels_needed: int | None = None
    """How many labels would settle an open accuracy; None where none is, or is foreseen to."""

    @property
    def _shown(self) -> float | None:
        """The most that the figure is shown to be; None where nothing is shown of it."""
        if self.ends:
            return self.ends[1] if self.verdict != "unchecked" else None
        # A loss without an interval might be any, whatever was counted.
        unknown = self.verdict == "unchecked" or isinstance(self.bound, Drop)
        return None if unknown else self.value

    @property
    def excess(self) -> float:
        """How many times the bound is what is shown of the figure; infinite if nothing is."""
        limit = self.bound.points if isinstance(self.bound, Drop) else self.bound.limit
        return float("inf") if self._shown is None else self._shown / limit

    @property
    def relaxed(self) -> Bound | Drop | None:
        """The bound that it would meet, in three digits; None where none is known that it would."""
        most = self._shown
        if most is None or most <= 0:
            return None
        digit = 10.0 ** (math.floor(math.log10(most)) - 2)
        # One that is met exactly is not met by a loss, which must lie under it.
        enough = float(f"{(math.floor(most / digit) + 1) * digit:.3g}")
        if isinstance(self.bound, Drop):
            return Drop(self.bound.metric, enough) if enough <= 100 else None
        return Bound(self.bound.figure, enough)


def check_drop(result: Result, drop: Drop) -> Check:
    """Judge the loss of accuracy of a case against a bound in points, by the interval of it."""
    figure = result.figure
    if drop.metric != "accuracy":
        figure = next((one for one in result.facts.figures if one.metric == drop.metric), None)
    if figure is None or figure.loss is None:
        why = result.facts.no_accuracy or "nothing was scored"
        return Check(bound=drop, verdict="unchecked", value=None, text=f"no loss is known: {why}")
    own = attrs.evolve(figure, margin=drop.points / 100)
    points = 100 * figure.loss
    ends = figure.loss_ci95
    spread = (100 * ends[0], 100 * ends[1]) if ends else None
    verdict = {"shown": "met", "open": "open", "lost": "missed"}[judge_loss(own)]
    needed = foresee_labels(figure, own.margin) if verdict == "open" else None
    texts = {
        "met": "",
        "missed": f"{points:.2g} points of {figure.metric} are lost",
        "open": _say_open(figure.samples, spread, needed),
    }
    return Check(
        bound=drop,
        verdict=verdict,
        value=points,
        ends=spread,
        text=texts[verdict],
        labels_needed=needed,
    )


def _say_open(samples: int, spread: tuple[float, float] | None, needed: int | None) -> str:
    if spread is None:
        return f"what a wrong answer costs is not known from {samples} labels"
    more = f"about {needed:,} would settle it" if needed else "no number is foreseen to settle it"
    return f"may lose up to {spread[1]:.1f} points, {samples} labels; {more}"


def check_exact(result: Result, bound: Bound, prices: Prices) -> Check:
    """Judge a figure that is no latency: it has no interval."""
    if bound.figure == "price":
        value, why = prices.find_price(result)
    else:
        value, why = _EXACT[bound.figure](result), "it is not known"
    if value is None:
        return Check(bound=bound, verdict="unchecked", value=None, text=f"{bound.figure}: {why}")
    if value <= bound.limit:
        return Check(bound=bound, verdict="met", value=value)
    text = f"{bound.figure} is {write_figure(bound.figure, value)}"
    return Check(bound=bound, verdict="missed", value=value, text=text)


_EXACT: Mapping[str, Callable[[Result], float | None]] = {
    "size": lambda result: result.model_bytes,
    "memory": find_memory,
    "bytes": find_bytes,
}


def check_latency(results: Sequence[Result], bound: Bound, figure: Figure) -> list[Check]:
    """Judge a figure of latency of several cases: by the interval, as accuracy is."""
    quantile = find_quantile(bound.figure)
    # A percentile below the median has its few samples at the other end.
    needed = 0 if quantile is None else count_needed(max(quantile, 1 - quantile))
    rows = zip(results, figure.estimates.tolist(), figure.ends.T.tolist(), strict=True)
    many = any(len(one.measured) > 1 for one in results)
    return [
        _check_latency(one, bound, needed, value, ends)
        if len(one.measured) > 1 or not many
        else Check(bound=bound, verdict="unchecked", value=None, text=f"{bound.figure}: {ONE}")
        for one, value, ends in rows
    ]


def _check_latency(
    result: Result, bound: Bound, needed: int, value: float, ends: Sequence[float]
) -> Check:
    if result.samples < needed:
        text = f"{bound.figure} needs {needed:,} requests, {result.samples:,} were measured"
        return Check(bound=bound, verdict="unchecked", value=None, text=text)
    low, high = ends
    verdict = "met" if high <= bound.limit else "missed" if low > bound.limit else "open"
    span = " to ".join(write_figure(bound.figure, end) for end in ends)
    said = f"{bound.figure} is {write_figure(bound.figure, value)} ({span})"
    return Check(
        bound=bound,
        verdict=verdict,
        value=value,
        ends=(low, high),
        text="" if verdict == "met" else said,
    )


def refuse_unknown_metric(drops: Sequence[Drop], results: Sequence[Result]) -> None:
    """Refuse a bound on a figure of merit that no case of a run has.

    Raises:
        UnknownName: There is one.
    """
    known = {one.metric for result in results for one in result.facts.figures} | {"accuracy"}
    for drop in drops:
        if drop.metric not in known:
            raise UnknownName.among("figure of merit", drop.metric, known)
