"""What a pipeline would take if it were cut elsewhere, from cuts and wholes that were measured.

How long a tier computes follows the share of the pipeline's multiply-accumulates that it has: in a
straight line between the shares that were measured there, which are none, those of measured cuts,
and all of the whole pipeline on that tier. Each block is predicted from the blocks of its own
round. What crosses takes its bytes over the links between; all else stays as at the measured cut.
"""

from __future__ import annotations

from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.intervals import Latency
from edgebench.analysis.phases import find_family
from edgebench.analysis.predictions import (
    Prediction,
    Refusal,
    make_prediction,
    measure_distance,
    predict_from,
    replace_links,
)
from edgebench.analysis.prices import find_slowdown
from edgebench.analysis.rounds import name_round
from edgebench.parts.grouping import group_by
from edgebench.parts.places import Placement
from edgebench.records.freezing import freeze_array

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edgebench.analysis.result import Result
    from edgebench.analysis.rounds import Round
    from edgebench.cases.case import Case
    from edgebench.parts.places import Link
    from edgebench.records.outcome import Block

SAME = 1e-6
"""Shares of operations that differ by less are of the same cut."""


@attrs.frozen(kw_only=True)
class Candidate:
    """A place where a pipeline could be cut in two."""

    chain: str
    """The chain that cuts there."""
    bytes: float
    """What crosses for one sample."""
    share: float
    """The share of the operations before it, 0 to 1."""
    assumed: str = ""
    """The sizes that the model leaves open and that the bytes are counted with; empty for none."""


@attrs.frozen(eq=False)
class TierCurve:
    """How long one tier computes, by the share of the operations that it has."""

    tier: str
    results: Sequence[tuple[float, Result]]
    """What was measured there, with the share that it had."""

    @property
    def most(self) -> float:
        """The largest share that was measured there."""
        return max(known for known, _ in self.results)

    def find_seconds(self, share: float, each: Round) -> float:
        """Return the seconds of a share of the operations, in a round; in all where it has none."""
        import numpy as np

        points = {0.0: 0.0}
        for known, alike in group_by(self.results, lambda one: round(one[0], 6)).items():
            blocks = [(result, block) for _, result in alike for block in result.measured]
            own = [(result, block) for result, block in blocks if name_round(block) == each]
            points[known] = median(compute_on(*one, self.tier) for one in own or blocks)
        shares = sorted(points)
        if share > shares[-1]:
            # Beyond the largest that was measured: in proportion to it.
            return points[shares[-1]] * share / shares[-1]
        return float(np.interp(share, shares, [points[one] for one in shares]))

    def reaches(self, share: float) -> bool:
        """Say whether as large a share was measured there."""
        return any(known >= share - SAME for known, _ in self.results)


def compute_on(result: Result, block: Block, tier: str) -> float:
    """Return the median seconds of a block in which a tier computes stages, slowed as it is."""
    import numpy as np

    stages = [n for n, stage in enumerate(result.facts.stages) if stage.tier == tier]
    spent = [
        np.nan_to_num(seconds)
        for phase, seconds in block.phases_s.items()
        if find_family(phase) == "inference" and int(phase.rpartition("-")[2]) in stages
    ]
    return float(np.median(sum(spent))) * find_slowdown(result, tier) if spent else 0.0


@attrs.frozen(eq=False)
class CutModel:
    """What is known of the cuts of one pipeline between two tiers."""

    cuts: Sequence[tuple[float, Result]]
    """The measured cuts, each with the share of the operations before it."""
    wholes: Sequence[Result]
    """The uncut pipeline, measured on one of the two tiers each."""

    @cached_property
    def tiers(self) -> tuple[str, str]:
        """The tier of the front, and that of the rest."""
        front, rest = self.cuts[0][1].case.placement.tiers
        return front, rest

    @cached_property
    def curves(self) -> tuple[TierCurve, TierCurve]:
        """How long each of the two computes."""
        front, rest = self.tiers
        whole = group_by(self.wholes, lambda one: one.case.placement.tiers[0])
        before = [(share, one) for share, one in self.cuts]
        behind = [(1 - share, one) for share, one in self.cuts]
        return (
            TierCurve(front, [*before, *((1.0, one) for one in whole.get(front, ()))]),
            TierCurve(rest, [*behind, *((1.0, one) for one in whole.get(rest, ()))]),
        )

    @property
    def lacking(self) -> str:
        """Why nothing can be predicted: a tier computed nothing; empty where both did."""
        idle = [curve.tier for curve in self.curves if curve.most <= SAME]
        return f"no share of the operations was measured on {idle[0]}" if idle else ""

    def list_settings(self, links: Sequence[Link]) -> Sequence[Sequence[Link]]:
        """Return the links under which cuts are predicted: those of each cut, with *links* in them.

        One for each setting in which cuts were measured, if it has another rate or delay.
        """
        found = [replace_links(one.case, links).links for _, one in self.cuts]
        return list({tuple((one.rate, one.delay) for one in own): own for own in found}.values())

    def predict(self, candidate: Candidate, links: Sequence[Link]) -> Prediction | Refusal:
        """Predict a cut under links, from the measured one of the nearest setting and share."""
        share, base = min(
            self.cuts,
            key=lambda one: (*_measure_way(one[1], links), abs(one[0] - candidate.share)),
        )
        wanted = attrs.evolve(replace_links(base.case, links), chain=candidate.chain)
        moved = predict_from(base, wanted, [one for _, one in self.cuts], None)
        between = self._list_between(wanted)
        more = candidate.bytes * wanted.batch - self._find_sent(base)
        added = sum(more * 8 / link.rate for link in between)
        assert moved.latency is not None  # noqa: S101 - it is made of requests
        blocks = []
        for seconds, block in zip(moved.latency.blocks, base.measured, strict=True):
            less = added + self._compare(candidate.share, share, name_round(block))
            if less <= -seconds.min():
                return Refusal(
                    wanted, "by what was measured a request would take less than nothing"
                )
            blocks.append(freeze_array(seconds + less))
        return make_prediction(
            Latency(blocks=tuple(blocks)),
            case=wanted,
            kind="cut",
            base=base.case.id,
            basis=self._describe(),
            extrapolated="; ".join(filter(None, [moved.extrapolated, *self._beyond(candidate)])),
        )

    def _compare(self, share: float, measured: float, each: Round) -> float:
        """Return the seconds that computing takes more at one cut than at the measured one."""
        front, rest = self.curves
        here = front.find_seconds(share, each) + rest.find_seconds(1 - share, each)
        there = front.find_seconds(measured, each) + rest.find_seconds(1 - measured, each)
        return here - there

    def _list_between(self, case: Case) -> Sequence[Link]:
        front, rest = (case.route.index(tier) for tier in self.tiers)
        return case.links[front:rest]

    def _find_sent(self, base: Result) -> float:
        return median(block.bytes_out.get(self.tiers[0], 0.0) for block in base.measured)

    def _describe(self) -> str:
        shares = ", ".join(f"{100 * one:.0f} %" for one in sorted({one for one, _ in self.cuts}))
        alone = dict.fromkeys(one.case.placement.tiers[0] for one in self.wholes)
        wholes = " and ".join(alone)
        rest = f", and the whole on {wholes}" if wholes else ""
        many = "cuts" if len({one for one, _ in self.cuts}) > 1 else "the cut"
        return f"{many} measured behind {shares} of the operations{rest}"

    def _beyond(self, candidate: Candidate) -> Iterator[str]:
        if candidate.assumed:
            yield f"bytes are counted with {candidate.assumed}, which the model leaves open"
        for curve, share in zip(self.curves, (candidate.share, 1 - candidate.share), strict=True):
            if not curve.reaches(share):
                yield f"{curve.tier} was measured with no more than {curve.most:.0%}"


def _measure_way(result: Result, links: Sequence[Link]) -> tuple[float, float]:
    """Return how far the rates and the delays lie from each other that a case has and is to."""
    return measure_distance(result.case.links, replace_links(result.case, links).links)


def find_share(result: Result) -> float | None:
    """Return the share of the operations that lie on the first of two tiers; None if not known."""
    first = result.case.placement.tiers[0]
    counts = [(stage.tier, stage.operations) for stage in result.facts.stages]
    whole = sum(count or 0 for _, count in counts)
    if not whole or any(count is None for _, count in counts):
        return None
    return sum(count or 0 for tier, count in counts if tier == first) / whole


def predict_cuts(
    model: CutModel, candidates: Sequence[Candidate], links: Sequence[Link]
) -> tuple[list[Prediction], list[Refusal]]:
    """Predict the cuts of a pipeline that were not measured, in each setting, the quickest first.

    Of several that divide the operations alike the one that sends the least is taken.
    """
    if model.lacking:
        return [], [refuse_cuts(model.cuts[0][1].case, model.lacking)]
    measured = [share for share, _ in model.cuts]
    least: dict[float, Candidate] = {}
    for one in candidates:
        known = least.setdefault(round(one.share, 6), one)
        if one.bytes < known.bytes:
            least[round(one.share, 6)] = one
    new = [
        one for one in least.values() if all(abs(one.share - known) > SAME for known in measured)
    ]
    told = [model.predict(one, setting) for setting in model.list_settings(links) for one in new]
    found = [one for one in told if isinstance(one, Prediction)]
    refused = [one for one in told if isinstance(one, Refusal)]
    return sorted(found, key=lambda one: one.median_s), refused


def refuse_cuts(case: Case, why: str) -> Refusal:
    """Say why the cuts of a case that were not measured are not predicted."""
    return Refusal(case, f"its other cuts are not predicted: {why}")


def find_models(results: Sequence[Result], uncut: Mapping[str, str]) -> list[CutModel]:
    """Return what is known of the cuts of each pipeline that was measured between two tiers.

    *uncut* gives, by the id of each case whose last operator cuts, its chain without that.
    """
    whole = [one for one in results if one.latency is not None and one.status == "ok"]
    alike: dict[Case, list[tuple[float, Result]]] = {}
    for one in whole:
        share = find_share(one)
        if one.case.id in uncut and share is not None and len(one.case.placement.tiers) == 2:
            key = attrs.evolve(one.case, chain=uncut[one.case.id], links=())
            alike.setdefault(key, []).append((share, one))
    return [CutModel(cuts, _list_wholes(key, whole)) for key, cuts in alike.items()]


def _list_wholes(cut: Case, results: Sequence[Result]) -> list[Result]:
    """Return the uncut pipeline as measured on each of the two tiers with that tier's backend."""
    alone = [
        attrs.evolve(cut, placement=Placement((tier,)), backends=(backend,), route=())
        for tier, backend in zip(cut.placement.tiers, cut.backends, strict=True)
    ]
    return [one for one in results if attrs.evolve(one.case, links=(), route=()) in alone]
