"""The result of a case: its outcome, and all that follows from it by analysis."""

from __future__ import annotations

from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.accuracy import judge_loss
from edgebench.analysis.agreement import describe_check, is_refuted, judge
from edgebench.analysis.doubts import find_doubts
from edgebench.analysis.exits import find_exits, find_sent
from edgebench.analysis.intervals import PERCENTILES, Latency, count_needed
from edgebench.analysis.links import collect_tier_checks, describe_links, summarise_links
from edgebench.analysis.phases import add_up_groups, find_medians
from edgebench.analysis.quick import settle_spread
from edgebench.records.freezing import Frozen
from edgebench.records.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgebench.analysis.doubts import Doubt
    from edgebench.records.facts import Figure
    from edgebench.records.quick import Quick


@attrs.frozen(kw_only=True)
class Result(Outcome):
    """What one case gave, raw samples included, with the statistics of it."""

    quick: Quick | None = None
    """How its run was measured where that was quick."""

    @classmethod
    def of(cls, outcome: Outcome, quick: Quick | None = None) -> Result:
        """Return the result of an outcome; of one of a quick run, as *quick* says."""
        known = {field.name: getattr(outcome, field.name) for field in attrs.fields(Outcome)}
        return cls(**known, quick=quick)

    @cached_property
    def latency(self) -> Latency | None:
        """The statistics of its latency; None without a measured request."""
        blocks = [b.latency_s for b in self.measured if b.latency_s is not None]
        if not self.samples:
            return None
        plain = Latency(blocks=tuple(blocks))
        if self.quick is None:
            return plain
        settled = settle_spread(self.quick, {self.case: plain.median})
        return attrs.evolve(plain, spread=settled.spread)

    @property
    def median(self) -> float | None:
        """Its median latency in seconds."""
        return self.latency.median if self.latency else None

    @cached_property
    def phases(self) -> Mapping[str, float]:
        """The median seconds of each phase, numbered ones apart, in the order of a request."""
        return Frozen(find_medians(self.measured))

    @cached_property
    def groups(self) -> Mapping[str, float]:
        """The median seconds that a request spends on each kind of phase."""
        return Frozen(add_up_groups(self.measured))

    @cached_property
    def reasons(self) -> tuple[Doubt, ...]:
        """Reasons to doubt it, each with its cause, the worst cause first."""
        return find_doubts(self, self.latency, self.groups, quick=self.quick is not None)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Reasons to doubt it, a sentence each."""
        return tuple(doubt.text for doubt in self.reasons)

    def to_json(self) -> dict[str, Any]:
        """Return the case as `run --json` shows it: seconds, bytes and shares, never ms."""
        case, facts = self.case, self.facts
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
            "network": describe_links(case),
            "fabric": case.fabric,
            "scenario": case.scenario,
            "batch": case.batch,
            "threads": case.threads,
            "status": self.status,
            "reason": self.reason,
            "samples": self.samples,
            "blocks": len(self.measured),
            "planned_blocks": self.planned,
            "stopped": facts.stopped,
            **_figures(self),
            **_measured(self),
            "model_bytes": self.model_bytes,
            "stages": _stages(self),
            "versions": dict(facts.versions),
            "artifact": facts.artifact,
            "prediction": _prediction(self),
            "doubts": list(self.doubts),
        }


def _prediction(result: Result) -> dict[str, Any] | None:
    """Return what a case was predicted to take, and how far that is from what it took."""
    found, measured = result.facts.prediction, result.median
    if found is None:
        return None
    error = found.median_s / measured - 1 if measured else None
    return {**attrs.asdict(found), "ci95_s": list(found.ci95_s), "error": error}


def _figures(result: Result) -> dict[str, Any]:
    facts = result.facts
    return {
        "accuracy": {one.metric: one.value for one in facts.figures},
        "accuracy_ci95": {one.metric: list(one.ci95) for one in facts.figures},
        "accuracy_loss": {one.metric: describe_loss(one) for one in facts.figures},
        "accuracy_samples": {one.metric: one.samples for one in facts.figures},
        "inputs": facts.inputs,
        "request_bytes": facts.request_bytes,
        "no_accuracy": facts.no_accuracy,
        "agreement": attrs.asdict(facts.agreement) if facts.agreement else None,
        "no_agreement": facts.no_agreement,
        "runtimes": [
            {**attrs.asdict(check), "verdict": judge(check), "words": describe_check(check)}
            for check in facts.checks
        ],
        "refuted": is_refuted(facts),
    }


def describe_loss(figure: Figure) -> dict[str, Any] | None:
    """Return what was lost of a figure, in points; None where there is nothing to compare."""
    if figure.loss is None:
        return None
    verdict, ends = judge_loss(figure), figure.loss_ci95
    points = [100 * end for end in ends] if ends else None
    return {
        "points": 100 * figure.loss,
        "ci95": points,
        "verdict": verdict,
        "margin": 100 * figure.margin,
        "open_points": points[1] if points and verdict == "open" else None,
        "labels": figure.samples,
        "labels_needed": figure.labels_needed,
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
        "exits": [attrs.asdict(one) for one in find_exits(result)],
        "bytes_out": _medians([block.bytes_out for block in blocks]),
        "bytes_sent": dict(find_sent(result)),
        "links": [attrs.asdict(link) for link in summarise_links(blocks)],
        "tiers": _tiers(result),
    }


def _latency(latency: Latency) -> dict[str, Any]:
    """Return median and percentiles with intervals; those unsupported are null, with the need."""
    found = {name: latency.percentile(name) for name in PERCENTILES}
    lacking = {
        name: f"needs {count_needed(q)}" for name, q in PERCENTILES.items() if found[name] is None
    }
    return {
        "median": latency.median,
        "ci95": list(latency.interval()),
        **found,
        "percentiles_ci95": {
            name: None if name in lacking else list(latency.interval(name)) for name in found
        },
        "unsupported": lacking,
        "mean": float(latency.seconds.mean()),
        "min": float(latency.seconds.min()),
        "max": float(latency.seconds.max()),
        "block_medians": list(latency.block_medians),
    }


def _medians(mappings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    keys = dict.fromkeys(key for mapping in mappings for key in mapping)
    return {key: median(one[key] for one in mappings if key in one) for key in keys}


def _medians_by_tier(mappings: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    tiers = dict.fromkeys(tier for mapping in mappings for tier in mapping)
    return {tier: _medians([mapping.get(tier, {}) for mapping in mappings]) for tier in tiers}


def _stages(result: Result) -> list[dict[str, Any]]:
    """Return the stages; the last of a tier carries the bytes that the tier sends on."""
    sent = _medians([block.bytes_out for block in result.measured])
    stages = result.facts.stages
    last = {stage.tier: number for number, stage in enumerate(stages)}
    return [
        {
            **attrs.asdict(s),
            "assignment": _describe_assignment(s.assignment),
            "bytes_out": sent.get(s.tier) if last[s.tier] == number else None,
        }
        for number, s in enumerate(stages)
    ]


def _describe_assignment(found: Mapping[str, Sequence[str]]) -> list[dict[str, Any]] | None:
    """Return what runs the nodes of a stage, what was asked for first; None where none tells."""
    shared = [{"by": by, "count": len(n), "nodes": list(n)} for by, n in found.items()]
    return shared or None


def _tiers(result: Result) -> list[dict[str, Any]]:
    """Return each tier once, with the medians of its checks; ok if all of them were."""
    peaks = _medians([block.peak_memory_bytes for block in result.measured])
    return [
        {
            "name": name,
            "claimed": checks[0].claimed,
            "stated": checks[0].stated,
            "measured": median(check.measured for check in checks),
            "measured_p95": median(check.measured_p95 for check in checks),
            "work_s": median(check.work_s for check in checks),
            "enforced": dict(checks[0].enforced),
            "threads": checks[0].threads,
            "processors": checks[0].processors,
            "accelerator": checks[0].accelerator,
            "device": checks[0].device,
            "checks": len(checks),
            "ok": all(check.ok for check in checks),
            "peak_memory_bytes": peaks.get(name),
        }
        for name, checks in collect_tier_checks(result).items()
    ]
