"""What the last operator of a chain added: it, held against the chain without it, in pairs.

The chain without it must be a case of the same run, on the same backend; that is scored where it is
not yet, as it would be in any event. Placement and links have no part in a score.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from edgebench.analysis.accuracy import compare_outputs
from edgebench.analysis.prefixes import UNTRANSFORMED, list_like, say_unscored
from edgebench.cases.case import Case
from edgebench.cases.operations import Chains
from edgebench.cases.plan import Plan
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.pipeline import Pipeline
from edgebench.records.facts import Contribution, Figure
from edgebench.records.outcome import Score


def split_chain(case: Case, chains: Chains) -> tuple[str, str]:
    """Return the chain of a case without its last operator, and that operator, as written."""
    *before, last = map(str, chains.parse(case.chain))
    return "+".join(before) or UNTRANSFORMED, last


def find_contribution(
    case: Case,
    score: Score,
    pipeline: Pipeline,
    *,
    chains: Chains,
    plan: Plan,
    find_score: Callable[[Case], Score],
    find_figures: Callable[[Case, Score, Score], tuple[tuple[Figure, ...], str]],
) -> Contribution | None:
    """Return what the last operator of a case's chain added; None where nothing was done.

    Args:
        case: The case, prepared as *pipeline*.
        score: What it was scored.
        pipeline: Its outputs are named there.
        chains: Reads its chain.
        plan: All that the run measures, and what it does not, with reasons.
        find_score: Scores a case, or finds its score.
        find_figures: From a case, its score and another to its figures, their losses against that.
    """
    if case.chain == UNTRANSFORMED:
        return None
    before, operator = split_chain(case, chains)
    found = Contribution(operator=operator, against="")
    other = next(list_like(case, before, plan.cases), None)
    if other is None:
        pieces = 1 + sum(operation.cuts for operation in chains.of(case.chain)[:-1])
        why = say_unscored(case, before, pieces, _list_reasons(case, before, plan))
        return attrs.evolve(found, why_not=why)
    try:
        against = find_score(other)
    except EdgebenchError as error:
        return attrs.evolve(found, why_not=f"{before} could not be scored: {error}")
    return attrs.evolve(
        found,
        against=before,
        case=other.id,
        figures=find_figures(case, score, against)[0],
        agreement=compare_outputs(
            score, against, before, names=pipeline.outputs, classes=pipeline.classes
        ),
    )


def _list_reasons(case: Case, chain: str, plan: Plan) -> list[tuple[Case, str]]:
    """Return why a chain is not measured where a case is; none where nobody asked for it."""
    reasons = {one.case: one.reason for one in plan.skipped}
    return [(one, f"skipped: {reasons[one]}") for one in list_like(case, chain, reasons)]
