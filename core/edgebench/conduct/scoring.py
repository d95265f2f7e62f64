"""Scoring: once for each artifact, backends and options, kept in the artifact store and shared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.accuracy import agreement, figures
from edgebench.cases.case import Case
from edgebench.cases.inputs import describe_inputs, find_metrics, why_no_accuracy
from edgebench.parts.digest import digest
from edgebench.parts.places import Backend
from edgebench.parts.subjects import Model
from edgebench.prepare.preparer import Prepared
from edgebench.records.environment import describe
from edgebench.records.facts import Facts, StageFacts
from edgebench.records.outcome import Score
from edgebench.store.artifacts import Store, digest_content, read_pipeline

if TYPE_CHECKING:
    from edgebench.prepare.recipe import Recipes


@attrs.frozen(kw_only=True)
class Scores:
    """Finds or makes the scores of prepared cases, and writes the facts of them."""

    recipes: Recipes
    measure: Callable[[Case, Prepared], Score]
    """Sends the test split through the deployed pipeline."""

    @property
    def store(self) -> Store:
        """Where scores are kept."""
        return self.recipes.store

    def find_or_make(self, case: Case, prepared: Prepared) -> Score:
        """Return the score of a prepared case, measured if it was not before on such a machine."""
        key = self.key(case, prepared)
        what = f"score of {case.model}:{case.variant} {case.chain} with {case.backend}"

        def fill(directory: Path) -> None:
            store_score(attrs.evolve(self.measure(case, prepared), key=key), directory)

        return load_score(self.store.make(key, what, fill))

    def bounded(self, case: Case) -> bool:
        """Say whether a few samples will do: where there is no accuracy, only agreement."""
        return bool(why_no_accuracy(case, self.recipes.plugins))

    def key(self, case: Case, prepared: Prepared) -> str:
        """Return the key of a case's score: its placement and links have no part in it."""
        options = [[choice.name, choice.device, choice.options] for choice in case.backends]
        return digest(
            {
                "score of": digest_content(prepared.path),
                "inputs": self.recipes.keys.inputs(case),
                "bounded": self.bounded(case),
                "backends": options,
                "by": [self.recipes.keys.maker(Backend, choice.name) for choice in case.backends],
                "model": self.recipes.keys.maker(Model, case.model),
                "processor": describe().processor,
            }
        )

    def facts(
        self, case: Case, prepared: Prepared, score: Score, reference: tuple[Case, Score] | None
    ) -> Facts:
        """Return what is known of a case from its score and that of its model untransformed."""
        plugins, against = self.recipes.plugins, reference[1] if reference else None
        agreed = None
        if reference:
            label = f"{case.model}:{case.variant} untransformed with {reference[0].backend}"
            agreed = agreement(score, reference[1], label)
        why, metrics = why_no_accuracy(case, plugins), find_metrics(case, plugins)
        return Facts(
            device=score.device,
            precision=self._precision(case, prepared),
            artifact=prepared.path.name,
            score_key=score.key,
            figures=() if why else figures(score, metrics, against, case.seed),
            inputs=describe_inputs(case, plugins),
            no_accuracy=why,
            agreement=agreed,
            stages=_stages(case, prepared),
            versions=score.versions,
        )

    def _precision(self, case: Case, prepared: Prepared) -> str:
        """Name what each stage computes in: what it is kept in, or what its backend makes of it."""
        pipeline = read_pipeline(prepared.path)
        named = []
        for piece, choice in zip(pipeline.pieces, case.backends, strict=True):
            computing = self.recipes.find_precision(choice)
            for number in piece:
                kept = pipeline.stages[number].precision
                named.append(computing if kept == "f32" else kept)
        return "+".join(dict.fromkeys(named))


def _stages(case: Case, prepared: Prepared) -> tuple[StageFacts, ...]:
    pipeline = read_pipeline(prepared.path)
    return tuple(
        StageFacts(
            tier=tier,
            format=pipeline.stages[number].format,
            precision=pipeline.stages[number].precision,
            bytes=pipeline.stages[number].size,
            parameters=pipeline.stages[number].parameters,
            operations=pipeline.stages[number].operations,
        )
        for tier, piece in zip(case.placement.tiers, pipeline.pieces, strict=True)
        for number in piece
    )


def store_score(score: Score, directory: Path) -> None:
    """Write a score into an empty directory."""
    import numpy as np

    counts: dict[str, Any] = dict(score.counts)
    outputs: dict[str, Any] = {f"output-{n}": values for n, values in enumerate(score.outputs)}
    np.savez(directory / "counts.npz", **counts)
    np.savez(directory / "outputs.npz", **outputs)
    facts = {
        "key": score.key,
        "device": score.device,
        "metrics": list(score.counts),
        "outputs": len(score.outputs),
        "samples": score.samples,
        "exit_rates": dict(score.exit_rates),
        "versions": dict(score.versions),
    }
    (directory / "score.json").write_text(json.dumps(facts, indent=1))


def load_score(directory: Path) -> Score:
    """Read what `store_score` wrote."""
    import numpy as np

    facts = json.loads((directory / "score.json").read_text())
    with (
        np.load(directory / "counts.npz", allow_pickle=False) as counts,
        np.load(directory / "outputs.npz", allow_pickle=False) as outputs,
    ):
        return Score(
            key=facts["key"],
            device=facts["device"],
            counts={name: counts[name] for name in facts["metrics"]},
            outputs=tuple(outputs[f"output-{n}"] for n in range(facts["outputs"])),
            samples=facts["samples"],
            exit_rates=facts["exit_rates"],
            versions=facts["versions"],
        )
