"""A comparison as one JSON document: seconds, bytes, points and shares, never milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.parts.grouping import group_by

if TYPE_CHECKING:
    from edgebench.analysis.comparison import Change, Comparison
    from edgebench.analysis.gates import Passage
    from edgebench.analysis.result import Result
    from edgebench.analysis.results import RunResults


def describe_comparison(
    comparison: Comparison, passages: Sequence[Passage], *, status: int
) -> dict[str, Any]:
    """Return the document that `compare --json` prints."""
    by_case = group_by(comparison.changes, lambda one: one.case.id)
    return {
        "schema": 2,
        "before": _describe_run(comparison.before),
        "after": _describe_run(comparison.after),
        "status": status,
        "margin": comparison.margin,
        "surroundings": [attrs.asdict(one) for one in comparison.surroundings],
        "gates": [_describe_passage(one) for one in passages],
        "cases": [
            {
                "id": pair.case.id,
                "label": pair.case.label,
                "blocks": [len(one.blocks) for one in pair.requests],
                "samples": [one.count for one in pair.requests],
                "inputs_matched": pair.requests[0].matched,
                "changed": [attrs.asdict(one) for one in pair.changed],
                "figures": {
                    one.quantity.name: _describe_change(one) for one in by_case[pair.case.id]
                },
            }
            for pair in comparison.pairs
        ],
        "only_before": [_describe_alone(comparison, one) for one in comparison.only_before],
        "only_after": [_describe_alone(comparison, one) for one in comparison.only_after],
        "not_measured": [
            {
                "id": pair.case.id,
                "label": pair.case.label,
                "before": f"{pair.before.status} {pair.before.reason}".strip(),
                "after": f"{pair.after.status} {pair.after.reason}".strip(),
            }
            for pair in comparison.unmeasured
        ],
    }


def _describe_run(results: RunResults) -> dict[str, Any]:
    run = results.run
    names = ("started", "suite", "tag")
    return {
        "run": run.id,
        "db": str(results.path),
        **{name: getattr(run, name) for name in names},
        "quick": run.quick is not None,
    }


def _describe_change(change: Change) -> dict[str, Any]:
    of_test = change.interval(change.level)
    alone = change.interval()
    return {
        "before": change.before,
        "after": change.after,
        "unit": change.quantity.unit,
        "difference": change.share,
        "ci95": list(alone) if alone else None,
        "interval_of_test": list(of_test) if of_test else None,
        "verdict": change.verdict,
        "why_not": change.why_not,
        "blocks_needed": change.blocks_needed,
    }


def _describe_passage(passage: Passage) -> dict[str, Any]:
    return {
        "gate": passage.gate.text,
        "id": passage.case.id,
        "verdict": passage.verdict,
        "value": passage.value,
        "interval": list(passage.ends) if passage.ends else None,
        "bound": passage.gate.bound,
        "why_not": passage.why_not,
        "blocks_needed": passage.blocks_needed,
    }


def _describe_alone(comparison: Comparison, one: Result) -> dict[str, Any]:
    said = comparison.explain_unmatched(one)
    return {"id": one.case.id, "label": one.case.label, "status": one.status, "remark": said}
