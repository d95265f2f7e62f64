"""Under which licence the weights of a case stand, as far as it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgebench.cases.case import Case
    from edgebench.prepare.recipe import Recipes


def find_licence(case: Case, recipes: Recipes) -> str:
    """Say under which licence the weights of a case stand; what is not known is not guessed."""
    kind = case.weights.kind
    if kind == "hub" and case.weights.path is None:
        asset = recipes.keys.asset(case)
        return f"{asset.licence} ({asset.name}, {asset.url})"
    if kind == "random":
        return "none: the weights are random"
    if kind == "trained":
        return f"trained by edgebench on {case.dataset or 'given inputs'}: the terms of that apply"
    if case.weights.path is not None:
        return f"licence not known: the weights are of the file {case.weights.path.name}"
    return f"licence not known: the weights come with {case.subject}"
