"""Predicting the cases of a run: under other links, and at cuts that were not measured."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from edgebench.analysis.cut_predictions import (
    CutModel,
    find_models,
    predict_cuts,
    refuse_cuts,
)
from edgebench.analysis.predictions import Prediction, Refusal, predict_links
from edgebench.analysis.result import Result
from edgebench.conduct.candidates import find_uncut, list_candidates
from edgebench.parts.places import Link
from edgebench.prepare.recipe import Recipes


@attrs.frozen(kw_only=True)
class Forecast:
    """All that is predicted of a run, and what is not."""

    strategies: tuple[Prediction, ...]
    """Of what was measured, under the links that were asked for; the quickest of a model first."""
    cuts: tuple[Prediction, ...]
    """Of cuts that were not, the quickest of a model first."""
    refused: tuple[Refusal, ...]


def forecast(results: Sequence[Result], links: Sequence[Link], recipes: Recipes | None) -> Forecast:
    """Predict the measured strategies of a run under *links*, and cuts that were not measured.

    Without *recipes*, which say where else a pipeline could be cut, no cuts are predicted. Without
    links they are predicted under each setting in which cuts were measured.
    """
    found, refused = predict_links(results, links) if links else ([], [])
    cuts: list[Prediction] = []
    for model in _find_models(results, recipes):
        told = list_candidates(model.cuts[0][1].case, recipes) if recipes else ""
        if isinstance(told, str):
            refused.append(refuse_cuts(model.cuts[0][1].case, told))
        else:
            predicted, not_predicted = predict_cuts(model, told, links)
            cuts += predicted
            refused += not_predicted
    return Forecast(
        strategies=tuple(sorted(found, key=lambda one: (one.case.subject, one.median_s))),
        cuts=tuple(sorted(cuts, key=lambda one: (one.case.subject, one.median_s))),
        refused=tuple(refused),
    )


def _find_models(results: Sequence[Result], recipes: Recipes | None) -> list[CutModel]:
    if recipes is None:
        return []
    found = {one.case.id: find_uncut(one.case, recipes) for one in results}
    return find_models(results, {case: told[0] for case, told in found.items() if told})
