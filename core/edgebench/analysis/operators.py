"""What each operator of a chain did, step by step, with what was scored and measured after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.prefixes import UNTRANSFORMED, list_like, say_unscored
from edgebench.analysis.result import describe_loss
from edgebench.parts.documents import to_document
from edgebench.parts.grouping import group_by

if TYPE_CHECKING:
    from edgebench.analysis.result import Result
    from edgebench.cases.case import Case
    from edgebench.records.facts import Contribution, StepFacts


def describe_operators(results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    """Yield an entry, as `run --json` has it, for each artifact whose steps are known.

    Cases of the same model and chain that run the same artifact, wherever, share one.
    """
    known = [result for result in results if result.facts.steps]
    alike = group_by(
        known,
        lambda one: (one.case.subject, one.case.weights.label, one.case.chain, one.facts.artifact),
    )
    by_case = {one.case: one for one in results}
    for found in alike.values():
        yield _describe_entry(found, by_case)


def _describe_entry(found: Sequence[Result], by_case: Mapping[Case, Result]) -> dict[str, Any]:
    first = found[0]
    return {
        "model": first.case.model,
        "variant": first.case.variant,
        "subject": first.case.subject,
        "weights": first.case.weights.label,
        "chain": first.case.chain,
        "artifact": first.facts.artifact,
        "cases": [one.case.id for one in found],
        "steps": list(_describe_steps(found, by_case)),
    }


def _describe_steps(
    found: Sequence[Result], by_case: Mapping[Case, Result]
) -> Iterator[dict[str, Any]]:
    steps = found[0].facts.steps
    for number, step in enumerate(steps):
        # Where the format is another, so are the words for what is in it.
        comparable = number > 0 and steps[number - 1].formats == step.formats
        # A model that is only built, and whatever is converted, is no case by itself.
        scored = step.operator or number == 0
        yield {
            **to_document(step),
            "changed_nodes": list(_compare_nodes(steps[number - 1].nodes, step.nodes))
            if comparable
            else [],
            "after": _describe_state(step, found, by_case) if scored else None,
        }


def _compare_nodes(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """Yield the types whose number changed, the largest change first; none if one is not known."""
    if not before or not after:
        return
    changes = {
        name: (before.get(name, 0), after.get(name, 0)) for name in dict.fromkeys((*before, *after))
    }
    for name, (was, now) in sorted(changes.items(), key=lambda one: -abs(one[1][1] - one[1][0])):
        if was != now:
            yield {"type": name, "before": was, "after": now}


def _describe_state(
    step: StepFacts, found: Sequence[Result], by_case: Mapping[Case, Result]
) -> dict[str, Any]:
    """Return what is known of a chain up to a step, from the cases of just that chain."""
    chain = step.chain or UNTRANSFORMED
    alike = [by_case[one] for one in list_like(found[0].case, chain, by_case)]
    own = next((one for one in alike if one.facts.steps), None)
    reasons = [(one.case, f"{one.status}: {one.reason}" if one.reason else "") for one in alike]
    told = own.facts if own else None
    return {
        "case": own.case.id if own else None,
        "why_not": "" if own else say_unscored(found[0].case, chain, step.pieces, reasons),
        "accuracy": {one.metric: one.value for one in told.figures} if told else {},
        "accuracy_ci95": {one.metric: list(one.ci95) for one in told.figures} if told else {},
        "accuracy_loss": {one.metric: describe_loss(one) for one in told.figures} if told else {},
        "agreement": to_document(told.agreement) if told else None,
        "contribution": _describe_contribution(told.contribution if told else None),
        "latency_s": [_describe_latency(one, chain, by_case) for one in found],
    }


def _describe_contribution(found: Contribution | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "operator": found.operator,
        "against": found.against,
        "case": found.case or None,
        "why_not": found.why_not,
        "accuracy_loss": {one.metric: describe_loss(one) for one in found.figures},
        "agreement": to_document(found.agreement) if found.agreement else None,
    }


def _describe_latency(result: Result, chain: str, by_case: Mapping[Case, Result]) -> dict[str, Any]:
    """Return the median of a chain where a case runs; null where that was not measured."""
    placed = by_case.get(attrs.evolve(result.case, chain=chain))
    latency = placed.latency if placed else None
    return {
        "placement": str(result.case.placement),
        "backend": result.case.backend,
        "case": placed.case.id if placed and latency else None,
        "median": latency.median if latency else None,
        "ci95": list(latency.interval()) if latency else None,
    }
