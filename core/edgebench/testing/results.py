"""Results made up to order, for tests of reporters and of what reads results."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.result import Result
from edgebench.analysis.results import RunResults
from edgebench.cases.case import BackendChoice, Case
from edgebench.parts.places import Link, Placement
from edgebench.records.facts import Agreement, Facts, Figure, StageFacts
from edgebench.records.outcome import Block, LinkCheck, Run, TierCheck

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE, DELAY = 100e6, 1e-3
ROUND_TRIP = 2 * DELAY + 0.2e-3


def case_of(chain: str = "plain", *tiers: str, model: str = "toy", backend: str = "eager") -> Case:
    """Make a case of a chain on tiers, the first of them where none is given."""
    placed = tiers or ("mobile",)
    route = placed if placed[0] == "mobile" else ("mobile", *placed)
    links = [Link(between=ends, rate=RATE, delay=DELAY) for ends in itertools.pairwise(route)]
    return Case(
        model=model,
        variant="small",
        dataset="dots",
        chain=chain,
        placement=Placement(placed),
        backends=[BackendChoice(backend)] * len(placed),
        links=links,
        route=route,
    )


def block_of(
    case: Case,
    number: int = 0,
    *,
    median_s: float = 2e-3,
    requests: int = 100,
    spread: float = 0.02,
    seed: int = 0,
    sound: bool = True,
) -> Block:
    """Make a block whose latency scatters about a median, with phases that explain it.

    Unless *sound*, its links and tiers are not what they claim.
    """
    import numpy as np

    rng = np.random.default_rng((seed, number))
    latency = median_s * np.exp(spread * rng.standard_normal(requests))
    hops = list(zip(case.route, case.route[1:], strict=False))
    network = len(hops) * (ROUND_TRIP + (1e4 + 100) * 8 / RATE)
    travelling = {"uplink": network * 0.9, "downlink": network * 0.1} if hops else {}
    spent = {name: np.full(requests, seconds) for name, seconds in travelling.items()}
    rest = latency - sum(spent.values(), np.zeros(requests))
    return Block(
        number=number,
        order=number,
        status="ok",
        started="2026-01-02T03:04:05+00:00",
        duration_s=1.5,
        latency_s=latency,
        phases_s={"decode": rest * 0.25, **spent, "inference-0": rest * 0.75},
        inputs=np.arange(requests, dtype=np.int64) % 7,
        warmup_s=latency[:5] * 3,
        warmup="stable after 5",
        cold_s={case.placement.tiers[0]: {"start": 0.05, "load": 0.01}},
        bytes_out={**dict.fromkeys(case.route[:-1], 1e4), "answer": 100.0},
        links=tuple(_link(ends, sound=sound) for hop in hops for ends in (hop, hop[::-1])),
        tiers=tuple(_tier(name, sound=sound) for name in case.placement.tiers),
        peak_memory_bytes=dict.fromkeys(case.placement.tiers, 50_000_000),
        controller_cpu=0.001,
        machine={"steal": 0.0, "busy": 0.01, "swapped_bytes": 0, "frequency_hz": None},
        logs={"host mobile": "ready\n"},
    )


def _link(ends: tuple[str, str], *, sound: bool) -> LinkCheck:
    expected = 1e4 * 8 / RATE + 2 * DELAY
    return LinkCheck(
        source=ends[0],
        target=ends[1],
        when="before",
        message_bytes=10_000,
        round_trip_s=ROUND_TRIP,
        measured_s=1e4 * 8 / RATE + ROUND_TRIP if sound else 2 * expected,
        expected_s=expected,
        goodput_bit_s=RATE,
        rate_bit_s=RATE,
        delay_s=DELAY,
        ok=sound,
    )


def _tier(name: str, *, sound: bool) -> TierCheck:
    return TierCheck(
        name=name,
        claimed=0.5,
        stated=0.5,
        measured=0.49 if sound else 0.9,
        measured_p95=0.48,
        work_s=1e-3,
        enforced={"cpu": "emulated: waits 1 x each computation", "memory": "not enforced"},
        threads=1,
        processors=2.0,
        device="cpu",
        ok=sound,
    )


def facts_of(
    case: Case, *, value: float = 0.98, loss: float | None = 0.0, size: int = 300_000
) -> Facts:
    """Make the facts of a case: an accuracy, what was lost of it, and the size of its model."""
    figure = Figure(
        metric="accuracy",
        value=value,
        ci95=(value - 0.01, min(1.0, value + 0.01)),
        samples=500,
        loss=loss,
        loss_ci95=None if loss is None else (loss - 0.004, loss + 0.004),
    )
    return Facts(
        device="cpu",
        precision="f32",
        artifact="a" * 64,
        score_key="b" * 64,
        figures=(figure,),
        agreement=Agreement(
            max_abs_difference=0.01,
            mean_abs_difference=0.001,
            same_answer=1.0,
            classes_axis=1,
            samples=64,
            reference="toy:small untransformed",
        ),
        request_bytes=1250.0,
        stages=tuple(
            StageFacts(tier=tier, format="blob", bytes=size) for tier in case.placement.tiers
        ),
        versions={"eager": "1.0"},
        stopped="3 blocks planned",
    )


def result_of(
    case: Case,
    *,
    median_s: float = 2e-3,
    blocks: int = 3,
    value: float = 0.98,
    loss: float | None = 0.0,
    spread: float = 0.02,
    seed: int = 0,
) -> Result:
    """Make a result that is `ok`."""
    measured = [
        block_of(case, n, median_s=median_s, spread=spread, seed=seed) for n in range(blocks)
    ]
    facts = facts_of(case, value=value, loss=loss)
    return Result(case=case, status="ok", planned=blocks, blocks=tuple(measured), facts=facts)


def run_of(results: Sequence[Result], **fields: Any) -> RunResults:
    """Make a run of results; *fields* are those of its `Run`."""
    run = Run(
        id="20260102-030405",
        started="2026-01-02T03:04:05+00:00",
        finished="2026-01-02T03:05:05+00:00",
        suite="toys",
        environment={"processor": "A Processor"},
    )
    return RunResults(
        run=attrs.evolve(run, **fields), results=tuple(results), path=Path("edgebench.db")
    )
