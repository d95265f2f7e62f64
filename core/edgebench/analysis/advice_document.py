"""An advice as the document that `recommend --json` prints: seconds, bytes and shares, never ms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.bounds import Drop
from edgebench.analysis.evidence import find_evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench.analysis.admission import Check
    from edgebench.analysis.advised import Advice, Candidate
    from edgebench.analysis.bounds import Bound
    from edgebench.analysis.explanation import Explainer

SCHEMA = 2


def describe_advices(
    advices: Sequence[Advice], explainer: Explainer | None
) -> list[dict[str, Any]]:
    """Return a document of each advice; what is ranked is explained if somebody can."""
    return [_describe(one, explainer) for one in advices]


def _describe(advice: Advice, explainer: Explainer | None) -> dict[str, Any]:
    evidence, nearest = find_evidence(advice), advice.nearest
    return {
        "title": advice.title,
        "margin": advice.within,
        "bounds": [_describe_bound(one) for one in advice.bounds],
        "accuracy_known": advice.accuracy_known,
        "recommended": advice.best.result.case.id if advice.best else None,
        "ranked": [_describe_candidate(one, explainer) for one in advice.ranked],
        "open": [_describe_candidate(one) for one in advice.open],
        "unchecked": [_describe_candidate(one) for one in advice.unchecked],
        "missed": [_describe_candidate(one) for one in advice.missed],
        "refuted": [one.case.id for one in advice.refuted],
        "unfinished": [one.case.id for one in advice.unfinished],
        "front": [one.case.id for one in advice.front],
        "probability_of_none": advice.none_best,
        "nearest": _describe_nearest(nearest) if nearest else None,
        "evidence": _list_texts(attrs.asdict(evidence)) if evidence else None,
    }


def _describe_bound(bound: Bound | Drop) -> dict[str, Any]:
    if isinstance(bound, Drop):
        return {"figure": bound.metric, "kind": "drop", "limit": bound.points}
    return {"figure": bound.figure, "kind": "max", "limit": bound.limit}


def _describe_candidate(candidate: Candidate, explainer: Explainer | None = None) -> dict[str, Any]:
    case = candidate.result.case
    return {
        "id": case.id,
        "model": case.subject,
        "chain": case.chain,
        "placement": str(case.placement),
        "backend": case.backend,
        "median_s": candidate.median,
        "median_ci95_s": list(candidate.ends),
        "probability": candidate.probability,
        "standing": candidate.standing or None,
        "ratio": list(candidate.ratio) if candidate.ratio else None,
        "checks": [_describe_check(one) for one in candidate.checks],
        "explanation": _list_texts(attrs.asdict(explainer.explain(candidate.result)))
        if explainer is not None
        else None,
    }


def _describe_check(check: Check) -> dict[str, Any]:
    return {
        **_describe_bound(check.bound),
        "verdict": check.verdict,
        "value": check.value,
        "ci95": list(check.ends) if check.ends else None,
        "text": check.text,
        "labels_needed": check.labels_needed,
    }


def _describe_nearest(candidate: Candidate) -> dict[str, Any]:
    return {
        "id": candidate.result.case.id,
        "relax": [
            {
                **_describe_bound(one.bound),
                "to": _describe_bound(one.relaxed)["limit"] if one.relaxed else None,
                "text": one.text,
            }
            for one in candidate.failing
        ],
    }


def _list_texts(found: dict[str, Any]) -> dict[str, Any]:
    """Return a record's fields as JSON has them: what JSON reads back is equal."""
    return {key: _plain(value) for key, value in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return _list_texts(dict(value)) if hasattr(value, "items") else value
