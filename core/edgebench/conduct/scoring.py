"""Scoring: once for each artifact, backends and options, kept in the artifact store and shared.

What is known of a case beside its blocks, its facts, follows from its score.
"""

from __future__ import annotations

import json
from pathlib import Path

import attrs

from edgebench.analysis.accuracy import compare_outputs, find_figures
from edgebench.cases.case import Case
from edgebench.cases.inputs import find_dataset, find_metrics
from edgebench.conduct.deployments import Deployments
from edgebench.conduct.inputs import describe_inputs, why_no_accuracy
from edgebench.conduct.shortened import describe_shortened
from edgebench.measure.stand.deployment import Deployment
from edgebench.measure.stand.scoring import score_deployment
from edgebench.parts.digest import digest
from edgebench.parts.documents import to_document
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.npz import to_npz
from edgebench.parts.places import Backend, Fabric
from edgebench.parts.subjects import Model
from edgebench.prepare.recipe import Recipes
from edgebench.records.environment import find_processor
from edgebench.records.facts import Facts, StageFacts
from edgebench.records.outcome import Score
from edgebench.store.artifacts import digest_content
from edgebench.store.splits import describe_unreadable, open_split

ENOUGH, ENOUGH_S = 16, 4.0
"""Samples that are scored where there is no accuracy, for agreement alone, and seconds after which
no more are sent."""


@attrs.frozen(kw_only=True)
class Scores:
    """The scores of a run's cases, found or made, and the facts that follow from them."""

    deployments: Deployments
    _references: dict[str, Score] = attrs.field(factory=dict, init=False)
    _shortened: dict[object, str] = attrs.field(factory=dict, init=False)
    _processor: str | None = attrs.field(factory=find_processor, init=False)

    @property
    def _recipes(self) -> Recipes:
        return self.deployments.preparer.recipes

    # --- facts -----------------------------------------------------------------------------------

    def find_facts(self, deployment: Deployment) -> Facts:
        """Return what is known of a case by its score, made if need be, and by its inputs.

        It is compared with the score of its model untransformed; what prevents that is a doubt.
        """
        case, against, agreed = deployment.case, None, None
        doubts = list(deployment.pipeline.doubts)
        score = self._find_or_make(case, deployment.artifact)
        if other := self.deployments.plan.references.get(case.id):
            try:
                against = self._find_reference(other)
                label = f"{case.model}:{case.variant} untransformed with {other.backend}"
                agreed = compare_outputs(score, against, label, deployment.pipeline.classes)
            except EdgebenchError as error:
                doubts.append(f"not compared with the untransformed model: {error}")
        doubts += filter(None, self._doubts_of_inputs(deployment))
        doubts += filter(None, [self._doubt_travel(case)])
        plugins = self.deployments.plugins
        why, metrics = why_no_accuracy(case, plugins), find_metrics(case, plugins)
        whole = len(open_split(deployment.split))
        if not why and score.samples < whole:
            doubts.append(f"accuracy is that of {score.samples} of {whole} samples (--score-limit)")
        margin = self.deployments.plan.study.suite.accuracy_margin / 100
        return Facts(
            device=score.device,
            precision=self._precision(deployment),
            artifact=deployment.artifact.name,
            score_key=score.key,
            figures=()
            if why
            else find_figures(score, metrics, against, margin=margin, seed=case.seed),
            inputs=describe_inputs(case, plugins),
            request_bytes=case.batch * open_split(deployment.split).mean_bytes,
            no_accuracy=why,
            agreement=agreed,
            stages=_stages(deployment),
            versions=score.versions,
            doubts=tuple(doubts),
        )

    def _find_reference(self, case: Case) -> Score:
        """Return the score of an untransformed model, which many cases are compared with.

        Raises:
            EdgebenchError: It cannot be prepared or scored.
        """
        if case.id not in self._references:
            # Its outputs may be large, and the cases of a model come one after the other: those of
            # the model before are not asked for again.
            self._references.clear()
            artifact = self.deployments.preparer.prepare(case).path
            self._references[case.id] = self._find_or_make(case, artifact)
        return self._references[case.id]

    def _doubts_of_inputs(self, deployment: Deployment) -> tuple[str, str]:
        """Say what the inputs lack: those that could not be read, those that were shortened."""
        directory, case = deployment.split.parent, deployment.case
        # A tokenizer, for one, is kept with the prepared pipeline.
        resources = deployment.pipeline.resources
        key = (case.model, case.variant, directory, tuple(sorted(resources.items())))
        if key not in self._shortened:
            bound = self.deployments.plugins.get(Model, case.model).bound(case.variant, resources)
            test = open_split(deployment.split)
            self._shortened[key] = describe_shortened(test, bound, case.variant)
        return describe_unreadable(directory), self._shortened[key]

    def _doubt_travel(self, case: Case) -> str:
        """Say what speaks against the time of requests on links, where they pass any."""
        dataset = find_dataset(case, self.deployments.plugins)
        travels = case.route[0] != case.placement.tiers[0]
        return dataset.doubt if dataset and travels else ""

    def _precision(self, deployment: Deployment) -> str:
        """Name what each stage computes in: what it is kept in, or what its backend makes of it."""
        pipeline, named = deployment.pipeline, []
        for piece, choice in zip(pipeline.pieces, deployment.case.backends, strict=True):
            computing = self._recipes.find_precision(choice)
            for number in piece:
                kept = pipeline.stages[number].precision
                named.append(computing if kept == "f32" else kept)
        return "+".join(dict.fromkeys(named))

    # --- scores ----------------------------------------------------------------------------------

    def _find_or_make(self, case: Case, artifact: Path) -> Score:
        """Return the score of a case, prepared in *artifact*.

        It is measured if it was not before on such a machine.
        """
        key = self._key(case, artifact)
        what = f"score of {case.model}:{case.variant} {case.chain} with {case.backend}"

        def fill(directory: Path) -> None:
            store_score(attrs.evolve(self._measure(case, artifact), key=key), directory)

        return load_score(self._recipes.store.make(key, what, fill))

    def _measure(self, case: Case, artifact: Path) -> Score:
        """Send the whole test split, or a few samples without an accuracy, through its hosts."""
        deployment = self.deployments.deploy(case, artifact)
        if why_no_accuracy(case, self.deployments.plugins):
            deployment = attrs.evolve(deployment, scored=ENOUGH, bound_s=ENOUGH_S)
        what = f"scoring {case.label}"
        return score_deployment(
            deployment,
            self.deployments.plugins.get(Fabric, case.fabric),
            lambda done, samples: self.deployments.preparer.progress(done, samples, what),
            self.deployments.preparer.stopping,
        )

    def _key(self, case: Case, artifact: Path) -> str:
        """Return the key of a case's score: its placement and links have no part in it."""
        keys = self._recipes.keys
        options = [[choice.name, choice.device, choice.options] for choice in case.backends]
        return digest(
            {
                "score of": digest_content(artifact),
                "keeps": _PLAIN,
                "inputs": keys.inputs(case),
                # Where there is no accuracy, a few samples do: they show how the outputs agree.
                "bounded": bool(why_no_accuracy(case, self.deployments.plugins)),
                "backends": options,
                "by": [keys.maker(Backend, choice.name) for choice in case.backends],
                "model": keys.maker(Model, case.model),
                "processor": self._processor,
                # Scores of whole splits keep the keys that they have.
                **({"limit": limit} if (limit := self.deployments.plan.study.score_limit) else {}),
            }
        )


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


_PLAIN = ("key", "device", "samples", "exit_rates", "versions", "kept")


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
            **{name: kept[name] for name in _PLAIN if name in kept},
            counts=dict(counts),
            outputs=tuple(outputs.values()),
        )
