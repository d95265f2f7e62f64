"""Scoring: once for each artifact, backends and options, kept in the artifact store and shared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.accuracy import agreement, figures
from edgebench.cases.case import Case
from edgebench.cases.inputs import describe_inputs, find_metrics, why_no_accuracy
from edgebench.measure.stand.deployment import Deployment
from edgebench.parts.digest import digest
from edgebench.parts.documents import to_document
from edgebench.parts.npz import to_npz
from edgebench.parts.places import Backend
from edgebench.parts.subjects import Model
from edgebench.records.environment import describe
from edgebench.records.facts import Facts, StageFacts
from edgebench.records.outcome import Score
from edgebench.store.artifacts import digest_content

if TYPE_CHECKING:
    from edgebench.prepare.recipe import Recipes


@attrs.frozen(kw_only=True)
class Scores:
    """Finds or makes the scores of prepared cases, and writes the facts of them."""

    recipes: Recipes
    measure: Callable[[Case, Path], Score]
    """Sends the test split through the deployed pipeline."""

    def find_or_make(self, case: Case, artifact: Path) -> Score:
        """Return the score of a case, prepared in *artifact*.

        It is measured if it was not before on such a machine.
        """
        key = self._key(case, artifact)
        what = f"score of {case.model}:{case.variant} {case.chain} with {case.backend}"

        def fill(directory: Path) -> None:
            store_score(attrs.evolve(self.measure(case, artifact), key=key), directory)

        return load_score(self.recipes.store.make(key, what, fill))

    def _key(self, case: Case, artifact: Path) -> str:
        """Return the key of a case's score: its placement and links have no part in it."""
        options = [[choice.name, choice.device, choice.options] for choice in case.backends]
        return digest(
            {
                "score of": digest_content(artifact),
                "inputs": self.recipes.keys.inputs(case),
                # Where there is no accuracy, a few samples do: they show how the outputs agree.
                "bounded": bool(why_no_accuracy(case, self.recipes.plugins)),
                "backends": options,
                "by": [self.recipes.keys.maker(Backend, choice.name) for choice in case.backends],
                "model": self.recipes.keys.maker(Model, case.model),
                "processor": describe().processor,
            }
        )

    def facts(
        self, deployment: Deployment, score: Score, reference: tuple[Case, Score] | None
    ) -> Facts:
        """Return what is known of a case from its score and that of its model untransformed."""
        case, plugins = deployment.case, self.recipes.plugins
        against = agreed = None
        if reference:
            other, against = reference
            label = f"{case.model}:{case.variant} untransformed with {other.backend}"
            agreed = agreement(score, against, label)
        why, metrics = why_no_accuracy(case, plugins), find_metrics(case, plugins)
        return Facts(
            device=score.device,
            precision=self._precision(deployment),
            artifact=deployment.artifact.name,
            score_key=score.key,
            figures=() if why else figures(score, metrics, against, case.seed),
            inputs=describe_inputs(case, plugins),
            no_accuracy=why,
            agreement=agreed,
            stages=_stages(deployment),
            versions=score.versions,
        )

    def _precision(self, deployment: Deployment) -> str:
        """Name what each stage computes in: what it is kept in, or what its backend makes of it."""
        pipeline, named = deployment.pipeline, []
        for piece, choice in zip(pipeline.pieces, deployment.case.backends, strict=True):
            computing = self.recipes.find_precision(choice)
            for number in piece:
                kept = pipeline.stages[number].precision
                named.append(computing if kept == "f32" else kept)
        return "+".join(dict.fromkeys(named))


def _stages(deployment: Deployment) -> tuple[StageFacts, ...]:
    pipeline = deployment.pipeline
    placed = zip(deployment.case.placement.tiers, pipeline.pieces, strict=True)
    return tuple(
        StageFacts(
            tier=tier,
            format=stage.format,
            precision=stage.precision,
            bytes=stage.size,
            parameters=stage.parameters,
            operations=stage.operations,
        )
        for tier, piece in placed
        for stage in (pipeline.stages[number] for number in piece)
    )


_PLAIN = ("key", "device", "samples", "exit_rates", "versions")


def store_score(score: Score, directory: Path) -> None:
    """Write a score into an empty directory."""
    import numpy as np

    (directory / "counts.npz").write_bytes(to_npz(score.counts))
    np.savez(directory / "outputs.npz", *score.outputs)
    plain = {name: to_document(getattr(score, name)) for name in _PLAIN}
    (directory / "score.json").write_text(json.dumps(plain, indent=1))


def load_score(directory: Path) -> Score:
    """Read what `store_score` wrote; an archive gives its arrays in the order they were written."""
    import numpy as np

    kept = json.loads((directory / "score.json").read_text())
    with np.load(directory / "counts.npz") as counts, np.load(directory / "outputs.npz") as outputs:
        return Score(
            **{name: kept[name] for name in _PLAIN},
            counts=dict(counts),
            outputs=tuple(outputs.values()),
        )
