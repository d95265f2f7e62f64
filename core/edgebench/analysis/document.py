"""Results as the JSON documents that others script against; seconds, bytes and shares, never ms."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.accuracy import keeps
from edgebench.analysis.decide import decisions, margin
from edgebench.analysis.intervals import PERCENTILES, needed
from edgebench.analysis.links import summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edgebench.analysis.decide import Decision
    from edgebench.analysis.intervals import Latency
    from edgebench.results import Result, RunResults, TierCheck

__all__ = ["case_document", "run_document"]


def run_document(results: RunResults) -> dict[str, Any]:
    """Return the document of a run, as its schema `run.json` says."""
    run = results.run
    return {
        "schema": 1,
        "run": run.id,
        "db": str(results.path),
        "started": run.started,
        "finished": run.finished,
        "suite": run.suite,
        "seed": run.seed,
        "tag": run.tag,
        "arguments": list(run.arguments),
        "registry_digest": run.registry_digest,
        "plan_digest": run.plan_digest,
        "environment": run.environment,
        "overheads_s": run.overheads_s,
        "margin": margin(run),
        "cases": [case_document(result) for result in results.results],
        "decisions": [_decision(one) for one in decisions(results)],
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "title": decision.title,
        "cases": list(decision.cases),
        "fastest": decision.fastest.case.id if decision.fastest else None,
        "equal": [result.case.id for result in decision.equal],
        "undecided": [result.case.id for result in decision.undecided],
        "sentence": decision.sentence,
    }


def case_document(result: Result) -> dict[str, Any]:
    """Return the document of a case, as its schema `run.json` says."""
    case, facts = result.case, result.facts
    return {
        "id": case.id,
        "model": case.model,
        "variant": case.variant,
        "options": dict(case.options),
        "weights": case.weights.label,
        "dataset": case.dataset,
        "chain": case.chain,
        "placement": str(case.placement),
        "backend": case.backend,
        "device": facts.device or ",".join(dict.fromkeys(b.device for b in case.backends)),
        "precision": facts.precision,
        "route": list(case.route),
        "network": [
            {"between": list(link.between), "rate_bit_s": link.rate, "delay_s": link.delay}
            for link in case.links
        ],
        "fabric": case.fabric,
        "scenario": case.scenario,
        "batch": case.batch,
        "threads": case.threads,
        "status": result.status,
        "reason": result.reason,
        "samples": result.samples,
        "blocks": len(result.measured),
        "planned_blocks": result.planned,
        "stopped": facts.stopped,
        **_figures(result),
        **_measured(result),
        "model_bytes": result.model_bytes,
        "stages": _stages(result),
        "versions": dict(facts.versions),
        "artifact": facts.artifact,
        "doubts": list(result.doubts),
    }


def _figures(result: Result) -> dict[str, Any]:
    facts = result.facts
    return {
        "accuracy": {one.metric: one.value for one in facts.figures},
        "accuracy_ci95": {one.metric: list(one.ci95) for one in facts.figures},
        "accuracy_loss": {one.metric: one.loss for one in facts.figures},
        "accuracy_loss_ci95": {
            one.metric: list(one.loss_ci95) if one.loss_ci95 else None for one in facts.figures
        },
        "accuracy_samples": {one.metric: one.samples for one in facts.figures},
        "accuracy_kept": keeps(result.figure) if result.figure else None,
        "inputs": facts.inputs,
        "no_accuracy": facts.no_accuracy,
        "agreement": attrs.asdict(facts.agreement) if facts.agreement else None,
    }


def _measured(result: Result) -> dict[str, Any]:
    blocks = result.measured
    return {
        "latency_s": _latency(result.latency) if result.latency else None,
        "phases_s": dict(result.phases),
        "groups_s": dict(result.groups),
        "cold_s": _medians_by_tier([block.cold_s for block in blocks]),
        "peak_memory_bytes": max(
            (peak for block in blocks for peak in block.peak_memory_bytes.values()), default=None
        ),
        "exit_rates": _medians([block.exit_rates for block in blocks]),
        "bytes_out": _medians([block.bytes_out for block in blocks]),
        "links": [attrs.asdict(link) for link in summary(blocks)],
        "tiers": _tiers(result),
    }


def _latency(latency: Latency) -> dict[str, Any]:
    """Return median and percentiles with intervals; those unsupported are null, with the need."""
    count = len(latency.seconds)
    supported = {name: count >= needed(q) for name, q in PERCENTILES.items()}
    return {
        "median": latency.median,
        "ci95": list(latency.interval()),
        **{name: latency.percentile(name) for name in PERCENTILES},
        "percentiles_ci95": {
            name: list(latency.interval(name)) if supported[name] else None for name in PERCENTILES
        },
        "unsupported": {
            name: f"needs {needed(q)}" for name, q in PERCENTILES.items() if not supported[name]
        },
        "mean": float(latency.seconds.mean()),
        "min": float(latency.seconds.min()),
        "max": float(latency.seconds.max()),
        "block_medians": [float(median(block)) for block in latency.blocks],
    }


def _medians(mappings: Iterable[Mapping[str, float]]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            found.setdefault(key, []).append(value)
    return {key: median(values) for key, values in found.items()}


def _medians_by_tier(mappings: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    tiers = dict.fromkeys(tier for mapping in mappings for tier in mapping)
    return {tier: _medians(mapping.get(tier, {}) for mapping in mappings) for tier in tiers}


def _stages(result: Result) -> list[dict[str, Any]]:
    """Return the stages; the last of a tier carries the bytes that the tier sends on."""
    sent = _medians(block.bytes_out for block in result.measured)
    stages = result.facts.stages
    last = {stage.tier: number for number, stage in enumerate(stages)}
    return [
        {**attrs.asdict(s), "bytes_out": sent.get(s.tier) if last[s.tier] == number else None}
        for number, s in enumerate(stages)
    ]


def _tiers(result: Result) -> list[dict[str, Any]]:
    """Return each tier once, with the medians of its checks; ok if all of them were."""
    found: dict[str, list[TierCheck]] = {}
    for block in result.measured:
        for check in block.tiers:
            found.setdefault(check.name, []).append(check)
    peaks = _medians(block.peak_memory_bytes for block in result.measured)
    return [
        {
            "name": name,
            "claimed": checks[0].claimed,
            "measured": median(check.measured for check in checks),
            "measured_p95": median(check.measured_p95 for check in checks),
            "work_s": median(check.work_s for check in checks),
            "enforced": dict(checks[0].enforced),
            "threads": checks[0].threads,
            "checks": len(checks),
            "ok": all(check.ok for check in checks),
            "peak_memory_bytes": peaks.get(name),
        }
        for name, checks in found.items()
    ]
