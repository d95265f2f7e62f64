"""Why a strategy is as it is: what each operator of its chain and each hop contributed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.draws import Resampling
from edgebench.analysis.exits import find_share_sent
from edgebench.analysis.prefixes import UNTRANSFORMED, list_like
from edgebench.analysis.prices import find_carried, find_tier_seconds, list_hops
from edgebench.analysis.rounds import Rounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edgebench.analysis.result import Result
    from edgebench.cases.case import Case


@attrs.frozen(kw_only=True)
class StepShare:
    """What one operator changed, against the chain without it."""

    operator: str
    against: str
    """The case of the chain without it, in words; empty where none was measured."""
    case: str = ""
    """Its id."""
    ratio: tuple[float, float, float] | None = None
    """The median after it over that before, and the ends of the 95 % interval."""
    bytes_ratio: float | None = None
    """The bytes of the model after it over those before."""
    points: float | None = None
    """The points of the figure that decides by which it fell."""
    why_not: str = ""
    """Why there is nothing to compare with."""


@attrs.frozen(kw_only=True)
class TierShare:
    """How long a request keeps one tier at work."""

    tier: str
    seconds: float
    """The mean, waits of an emulated tier among them."""


@attrs.frozen(kw_only=True)
class HopShare:
    """What a request takes on one hop of its route."""

    source: str
    target: str
    bytes: float
    """The mean that travels, there and back."""
    claimed_s: float
    """The mean seconds of these bytes at the rate of the link, and of its delay both ways; what
    left before has none."""


@attrs.frozen(kw_only=True)
class Explanation:
    """What a strategy is made of."""

    steps: tuple[StepShare, ...]
    """One for each operator, in order."""
    tiers: tuple[TierShare, ...]
    hops: tuple[HopShare, ...]
    phases: Mapping[str, float]
    """The median seconds of each phase."""


@attrs.frozen(eq=False)
class Explainer:
    """Explains results by the others of their run."""

    results: Sequence[Result]

    @cached_property
    def _by_case(self) -> Mapping[Case, Result]:
        return {one.case: one for one in self.results}

    @cached_property
    def _rounds(self) -> Rounds:
        return Rounds.of([one for one in self.results if one.measured])

    def explain(self, result: Result) -> Explanation:
        """Explain what a result is made of."""
        seconds, carried = find_tier_seconds(result), find_carried(result)
        links = zip(list_hops(result), result.case.links, strict=False)
        return Explanation(
            steps=tuple(self._explain_steps(result)),
            tiers=tuple(TierShare(tier=tier, seconds=spent) for tier, spent in seconds.items()),
            hops=tuple(
                HopShare(
                    source=hop[0],
                    target=hop[1],
                    bytes=carried[hop],
                    claimed_s=carried[hop] * 8 / link.rate
                    + 2 * link.delay * find_share_sent(result, hop[0]),
                )
                for hop, link in links
                if hop in carried
            ),
            phases=result.phases,
        )

    def _explain_steps(self, result: Result) -> Iterator[StepShare]:
        steps = result.facts.steps
        operators = [step for step in steps if step.operator and step.chain != UNTRANSFORMED]
        whole = bool(operators) and operators[-1].chain == result.case.chain
        after: Result | None = result if whole else None
        found = []
        # From the whole chain back: each step is held against the nearest that was measured alike.
        for number in reversed(range(len(operators))):
            chain = operators[number - 1].chain if number else UNTRANSFORMED
            before = self._find_measured(after or result, chain)
            found.append(self._explain_step(operators[number].what, after, before, chain))
            after = before
        yield from reversed(found)

    def _find_measured(self, result: Result, chain: str) -> Result | None:
        """Return the measured case of a chain placed alike; else the quickest placed otherwise.

        A chain that is not cut yet cannot be placed as one that is.
        """
        alike = [self._by_case[one] for one in list_like(result.case, chain, self._by_case)]
        measured = [one for one in alike if one.latency is not None and one is not result]
        placed = [one for one in measured if one.case.placement == result.case.placement]
        own = set(result.case.links)
        near = [one for one in measured if set(one.case.links) <= own]
        return next(iter(placed), min(near, key=lambda one: one.median or 0.0, default=None))

    def _explain_step(
        self, operator: str, after: Result | None, before: Result | None, chain: str
    ) -> StepShare:
        if after is None or before is None:
            return StepShare(
                operator=operator, against="", why_not=f"{chain} was not measured in this run"
            )
        sizes, figures = (after.model_bytes, before.model_bytes), (after.figure, before.figure)
        known = figures[0] is not None and figures[1] is not None
        return StepShare(
            operator=operator,
            against=f"{before.case.chain} on {before.case.placement}",
            case=before.case.id,
            ratio=self._compare(after, before),
            bytes_ratio=sizes[0] / sizes[1] if sizes[0] and sizes[1] else None,
            points=100 * (figures[1].value - figures[0].value) if known else None,  # type: ignore[union-attr]
        )

    def _compare(self, after: Result, before: Result) -> tuple[float, float, float]:
        resampling = Resampling([after, before])
        if resampling.by_request:
            middle, low, high = resampling.find("latency.median").compare(1)[:, 0].tolist()
            return middle, low, high
        found = self._rounds.compare(after.case, before.case)
        return found.middle, found.low, found.high
