"""The rules by which a cut of a pipeline is chosen."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import ChainError, Context, Link, Profile
from edgebench_kit.onnx.cut_lists import Weighed
from edgebench_kit.onnx.spread_times import find_owners, spread_times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edgebench_kit.onnx.pipeline_cuts import PipelineCuts, Place, Rule


def find_rule(name: str, pieces: int) -> Rule:
    """Return the rule of a name that looks at a pipeline alone: `balanced-bytes`, `min-transfer`.

    The rule `min-latency` is `Prediction.predict`.
    """
    return partial(_measure_balance, pieces) if name == "balanced-bytes" else _measure_transfer


def predict_latency(cuts: PipelineCuts, context: Context) -> Prediction:
    """Return what cuts are predicted to take on the tiers of a placement, the rule `min-latency`.

    Raises:
        ChainError: A tier was not profiled, or no links lead from one to the next.
    """
    tiers = context.placement.tiers
    hops = [_find_links(context.links, one, other) for one, other in pairwise(tiers)]
    _doubt_profiles(context, cuts)
    return Prediction.of(cuts, [_find_profile(context, tier) for tier in tiers], hops)


def doubt_cutting(prediction: Prediction, places: Sequence[Place], context: Context) -> None:
    """Note that no cut is predicted to answer before the whole pipeline on one of the tiers."""
    cut = sum(place.costs[1] for place in places)
    tier, whole = min(
        zip(context.placement.tiers, prediction.predict_whole(), strict=True),
        key=lambda one: one[1],
    )
    if whole <= cut:
        context.doubt(
            f"no cut is predicted to answer before the whole on {tier}: the one that was chosen "
            f"takes {1e3 * (cut - whole):.3g} ms more, and what calling another piece takes"
        )


def doubt_sizes(cuts: PipelineCuts, context: Context) -> None:
    """Note which sizes are not known that decide how much crosses."""
    unknown = [f"{name} = {n}" for name, n in cuts.assumed.items() if name not in cuts.given]
    if unknown:
        context.doubt(
            f"the cut was chosen by bytes that were counted with {', '.join(unknown)}, which the "
            "model leaves open: other inputs may be better cut elsewhere"
        )


def _doubt_profiles(context: Context, cuts: PipelineCuts) -> None:
    """Note what a prediction takes for granted."""
    for tier in context.placement.tiers:
        if why := _find_profile(context, tier).no_nodes:
            context.doubt(
                f"the time on {tier} was divided among nodes by their multiply-accumulates: {why}"
            )
    if any(stage.exit for stage in cuts.pipeline.stages):
        context.doubt(
            "the cut was predicted as if every sample went through to the end, and some leave early"
        )


def _measure_balance(pieces: int, weighed: Weighed, stage: int, hop: int) -> Sequence[NDArray[Any]]:
    """Return how far cuts are from dividing the weights evenly between pieces, the studies' rule.

    Fewer tensors go before more where no side has less than half of its share of the weights: a
    tensor more makes halves of a block that a few more kilobytes of weights do not pay for.

    Args:
        pieces: How many there are to be.
        weighed: The cuts.
        stage: The stage that they lie in or before.
        hop: Behind which piece, from 0 on.
    """
    import numpy as np

    off = abs(weighed.front * (pieces - hop - 1) - weighed.tail * (hop + 1))
    lopsided = off > (weighed.front + weighed.tail) / 2
    return [np.where(lopsided, np.inf, weighed.widths), off]


def _measure_transfer(weighed: Weighed, stage: int, hop: int) -> Sequence[NDArray[Any]]:
    return [weighed.sent, abs(weighed.front - weighed.tail)]


def _find_profile(context: Context, tier: str) -> Profile:
    if tier not in context.profiles:
        raise ChainError(f"min-latency needs a profile of the tier {tier}, and there is none")
    return context.profiles[tier]


def find_sizes(context: Context) -> Mapping[str, int]:
    """Return the sizes that inputs leave open, as they were where the first tier was profiled."""
    tier = context.placement.tiers[0]
    return _find_profile(context, tier).sizes


def _find_links(links: Sequence[Link], one: str, other: str) -> tuple[Link, ...]:
    """Return the links of a route that lead from one tier to another.

    Raises:
        ChainError: None do.
    """
    way: list[Link] = []
    reached = one
    for link in links:
        if way or reached in link.between:
            if reached not in link.between:
                break
            (reached,) = set(link.between) - {reached}
            way.append(link)
            if reached == other:
                return tuple(way)
    # The request may come to the first tier over a link that touches it too.
    if links and (later := list(links[1:])):
        return _find_links(later, one, other)
    raise ChainError(f"min-latency needs the links from {one} to {other}, and there are none")


@attrs.frozen(kw_only=True)
class Prediction:
    """What cuts are predicted to take, from the time of each node on each tier and the links."""

    times: Sequence[Sequence[NDArray[Any]]]
    """By tier and stage the seconds of each node that a cut lies between."""
    hops: Sequence[tuple[Link, ...]]
    """By cut, the links that what crosses takes."""
    preprocessing: Sequence[float]
    """By tier the seconds of making a request's tensors."""
    request_bytes: int
    """Of what crosses in place of tensors where the first tier does nothing."""

    @classmethod
    def of(
        cls, cuts: PipelineCuts, profiles: Sequence[Profile], hops: Sequence[tuple[Link, ...]]
    ) -> Prediction:
        """Find the measured time of each node that a cut lies between."""
        import numpy as np

        times = []
        for profile in profiles:
            stages: list[NDArray[Any]] = []
            for number, finder in enumerate(cuts.finders):
                owners = find_owners(cuts.graphs[number], finder.numbers)
                took, known = profile.stages[number], profile.nodes[number]
                work = finder.operations.tolist()
                stages.append(np.array(spread_times(owners, known, took, work), float))
            times.append(stages)
        made_up = sum(map(cuts.count_bytes, cuts.pipeline.inputs))
        counted = profiles[0].request_bytes
        return cls(
            times=times,
            hops=hops,
            preprocessing=[profile.preprocess_s for profile in profiles],
            request_bytes=made_up if counted is None else counted,
        )

    def predict(self, weighed: Weighed, stage: int, hop: int) -> Sequence[NDArray[Any]]:
        """Return what cuts add to the latency of running all on the last tier, in seconds.

        What lies before the cut takes its time on the tier before and not on the one behind it, and
        what crosses takes `bytes * 8 / rate + delay` on each link.
        """
        # Summed over the cuts of a pipeline this is its latency, but for what is the same for all.
        saved = self._sum_times(hop, weighed, stage) - self._sum_times(hop + 1, weighed, stage)
        return [saved + sum(weighed.sent * 8 / one.rate + one.delay for one in self.hops[hop])]

    def predict_whole(self) -> list[float]:
        """Return by tier what running all there adds, in seconds, to the same as `predict` does.

        A request travels to that tier as it is, is made to tensors there, and not on the first. The
        answer has a shorter way back, which is counted by its delay alone.
        """
        took = [sum(float(one.sum()) for one in stages) for stages in self.times]
        found = []
        for tier, (here, preparing) in enumerate(zip(took, self.preprocessing, strict=True)):
            there = [link for links in self.hops[:tier] for link in links]
            spared = [link for links in self.hops[tier:] for link in links]
            sent = sum(self.request_bytes * 8 / link.rate + link.delay for link in there)
            back = sum(link.delay for link in spared)
            found.append(here - took[-1] + preparing - self.preprocessing[0] + sent - back)
        return found

    def _sum_times(self, tier: int, weighed: Weighed, stage: int) -> NDArray[Any]:
        earlier = sum(float(one.sum()) for one in self.times[tier][:stage])
        own = self.times[tier][stage]
        found: NDArray[Any] = weighed.before @ own if weighed.before.shape[1] else 0 * weighed.sent
        return found + earlier
