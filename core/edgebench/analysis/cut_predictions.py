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
from edgebench.records.freezing import freeze_array

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edgebench.analysis.result import Result
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

    def find_seconds(self, share: float, number: int) -> float:
        """Return the seconds of a share of the operations, in a round; in all where it has none."""
        import numpy as np

        points = {0.0: 0.0}
        for known, result in self.results:
            own = [block for block in result.measured if block.number == number]
            blocks = own or result.measured
            points[known] = median(compute_on(result, block, self.tier) for block in blocks)
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
        whole = {one.case.placement.tiers[0]: (1.0, one) for one in self.wholes}
        before = [(share, one) for share, one in self.cuts]
        behind = [(1 - share, one) for share, one in self.cuts]
        return (
            TierCurve(front, [*before, *([whole[front]] if front in whole else [])]),
            TierCurve(rest, [*behind, *([whole[rest]] if rest in whole else [])]),
        )

    def predict(self, candidate: Candidate, links: Sequence[Link]) -> Prediction:
        """Predict a cut under links, from the measured one of the nearest share."""
        share, base = min(
            self.cuts,
            key=lambda one: (
                measure_distance(one[1].case.links, replace_links(one[1].case, links).links),
                abs(one[0] - candidate.share),
            ),
        )
        wanted = replace_links(base.case, links)
        moved = predict_from(base, wanted, [one for _, one in self.cuts], None)
        between = self._list_between(wanted)
        more = candidate.bytes * wanted.batch - self._find_sent(base)
        added = sum(more * 8 / link.rate for link in between)
        assert moved.latency is not None  # noqa: S101 - it is made of requests
        blocks = []
        for seconds, block in zip(moved.latency.blocks, base.measured, strict=True):
            spent = self._compare(candidate.share, share, block.number)
            blocks.append(freeze_array(seconds + max(added + spent, -0.99 * seconds.min())))
        return make_prediction(
            Latency(blocks=tuple(blocks), seed=int(base.case.id, 16)),
            case=attrs.evolve(wanted, chain=candidate.chain),
            kind="cut",
            base=base.case.id,
            basis=self._describe(),
            extrapolated="; ".join(filter(None, [moved.extrapolated, *self._beyond(candidate)])),
        )

    def _compare(self, share: float, measured: float, number: int) -> float:
        """Return the seconds that computing takes more at one cut than at the measured one."""
        front, rest = self.curves
        here = front.find_seconds(share, number) + rest.find_seconds(1 - share, number)
        there = front.find_seconds(measured, number) + rest.find_seconds(1 - measured, number)
        return here - there

    def _list_between(self, case: Case) -> Sequence[Link]:
        front, rest = (case.route.index(tier) for tier in self.tiers)
        return case.links[front:rest]

    def _find_sent(self, base: Result) -> float:
        return median(block.bytes_out.get(self.tiers[0], 0.0) for block in base.measured)

    def _describe(self) -> str:
        shares = ", ".join(f"{100 * one:.0f} %" for one in sorted({one for one, _ in self.cuts}))
        wholes = " and ".join(one.case.placement.tiers[0] for one in self.wholes)
        rest = f", and the whole on {wholes}" if wholes else ""
        many = "cuts" if len({one for one, _ in self.cuts}) > 1 else "the cut"
        return f"{many} measured behind {shares} of the operations{rest}"

    def _beyond(self, candidate: Candidate) -> Iterator[str]:
        if candidate.assumed:
            yield f"bytes are counted with {candidate.assumed}, which the model leaves open"
        for curve, share in zip(self.curves, (candidate.share, 1 - candidate.share), strict=True):
            if not curve.reaches(share):
                yield f"{curve.tier} was measured with no more than {self._most(curve):.0%}"

    def _most(self, curve: TierCurve) -> float:
        return max(known for known, _ in curve.results)


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
) -> list[Prediction]:
    """Predict the cuts of a pipeline that were not measured, the quickest first.

    Of several that divide the operations alike the one that sends the least is taken.
    """
    measured = [share for share, _ in model.cuts]
    least: dict[float, Candidate] = {}
    for one in candidates:
        known = least.setdefault(round(one.share, 6), one)
        if one.bytes < known.bytes:
            least[round(one.share, 6)] = one
    new = [
        one for one in least.values() if all(abs(one.share - known) > SAME for known in measured)
    ]
    found = [model.predict(one, links) for one in new]
    return sorted(found, key=lambda one: one.median_s)


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
    found: dict[str, Result] = {}
    for tier, backend in zip(cut.placement.tiers, cut.backends, strict=True):
        for one in results:
            case = one.case
            same = (case.chain, case.placement.tiers, case.backends) == (
                cut.chain,
                (tier,),
                (backend,),
            )
            if same and (case.subject, case.weights, case.batch, case.threads) == (
                cut.subject,
                cut.weights,
                cut.batch,
                cut.threads,
            ):
                found.setdefault(tier, one)
    return list(found.values())
