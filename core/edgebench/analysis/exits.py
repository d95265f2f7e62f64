"""Where samples left a pipeline early, on which tier, and what that saved of time and of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import fmean
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edgebench.records.outcome import Block, Outcome


@attrs.frozen(kw_only=True)
class Leaving:
    """One way out of a pipeline: an exit, or its end."""

    exit: int | None
    """Which exit, from 0; None for the end of the pipeline."""
    stage: int
    """The number of the stage behind which it lies."""
    tier: str
    rate: float
    """Share of the measured samples that left there."""
    scored_rate: float | None
    """Share of the scored samples; None where they were not counted."""
    requests: int | None
    """How many measured requests ended there: those of which the last sample left there. None
    behind the last stage where that has an exit: it runs for those that leave and for the others,
    and only the share of the samples is recorded."""
    mean_s: float | None
    """Their mean latency; None without one, or where they are not known."""


def find_exits(outcome: Outcome) -> tuple[Leaving, ...]:
    """Return the exits of a pipeline and its end, in order; none for one without exits."""
    return tuple(_list_exits(outcome))


def _list_exits(outcome: Outcome) -> Iterator[Leaving]:
    blocks, tiers = outcome.measured, [stage.tier for stage in outcome.facts.stages]
    stages = sorted({int(stage) for block in blocks for stage in block.exit_rates})
    if not stages or stages[-1] >= len(tiers):
        return
    rates = {stage: _rate(blocks, stage) for stage in stages}
    scored = {int(stage): rate for stage, rate in outcome.facts.exit_rates.items()}
    ends = [*stages, len(tiers) - 1]
    for place, stage in enumerate(ends):
        is_exit, alone = place < len(stages), ends.count(stage) == 1
        latency = _pool([_pick_ended(block, stage, is_exit=is_exit) for block in blocks])
        yield Leaving(
            exit=place if is_exit else None,
            stage=stage,
            tier=tiers[stage],
            rate=rates[stage] if is_exit else _find_rest(rates.values()),
            scored_rate=scored.get(stage) if is_exit or not scored else _find_rest(scored.values()),
            requests=len(latency) if alone else None,
            mean_s=fmean(latency) if latency and alone else None,
        )


def _find_rest(shares: Iterable[float]) -> float:
    """Return what is left of the whole; exactly nothing where what adds up to it is rounded."""
    return round(1 - sum(shares), 12) + 0.0


def _rate(blocks: Sequence[Block], stage: int) -> float:
    """Return the share of the samples of some blocks that left behind a stage."""
    sizes = [len(block.latency_s) for block in blocks if block.latency_s is not None]
    shares = [block.exit_rates.get(str(stage), 0.0) for block in blocks]
    return sum(n * share for n, share in zip(sizes, shares, strict=True)) / sum(sizes)


def _pool(found: Sequence[NDArray[Any]]) -> list[float]:
    return [float(seconds) for one in found for seconds in one]


def _pick_ended(block: Block, stage: int, *, is_exit: bool) -> NDArray[Any]:
    """Return the latency of the requests whose last sample left behind a stage."""
    import numpy as np

    latency = np.asarray(block.latency_s, dtype=float)
    ran = _ran(block, stage)
    chosen: NDArray[Any] = latency[ran & ~_ran(block, stage + 1) if is_exit else ran]
    return chosen


def _ran(block: Block, stage: int) -> NDArray[Any]:
    """Say of each request whether a stage had any of its samples: what did not happen is NaN."""
    import numpy as np

    count = len(block.latency_s) if block.latency_s is not None else 0
    spent = block.phases_s.get(f"inference-{stage}")
    return np.zeros(count, dtype=bool) if spent is None else ~np.isnan(spent)


def find_sent(outcome: Outcome) -> Mapping[str, float]:
    """Return the mean bytes a request that each tier sends on, and those of its answer.

    A request whose samples have all left sends nothing; without exits each is sent on.
    """
    blocks = outcome.measured
    found: dict[str, float] = {}
    for tier in outcome.case.route[:-1]:
        sent = [_mean(b, tier) * _share_sent_on(outcome, b, tier) for b in blocks]
        if sent and any(tier in block.bytes_out or block.exit_rates for block in blocks):
            found[tier] = fmean(sent)
    answers = [_mean(block, "answer") for block in blocks if "answer" in block.bytes_out]
    return {**found, "answer": fmean(answers)} if answers else found


def _mean(block: Block, what: str) -> float:
    # An older version kept the medians alone, which are no less than all there is.
    return block.bytes_mean.get(what, block.bytes_out.get(what, 0.0))


def find_share_sent(outcome: Outcome, tier: str) -> float:
    """Return the share of the requests that a tier sends on: so many answers come back to it."""
    shares = [_share_sent_on(outcome, block, tier) for block in outcome.measured]
    return fmean(shares) if shares else 1.0


def _share_sent_on(outcome: Outcome, block: Block, tier: str) -> float:
    """Return the share of the requests of a block that a tier has sent on."""
    route = outcome.case.route
    behind = set(route[: route.index(tier) + 1])
    tiers = [stage.tier for stage in outcome.facts.stages]
    computed = [number for number, one in enumerate(tiers) if one in behind]
    if not block.exit_rates or not computed:
        return 1.0
    # The tier behind it has computed whatever this one has sent.
    return float(_ran(block, computed[-1] + 1).mean())
