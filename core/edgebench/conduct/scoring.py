"""Scoring: once for each artifact, backends and options, kept in the artifact store and shared.

What is known of a case beside its blocks, its facts, follows from its score.
"""

from __future__ import annotations

import secrets
from math import isfinite
from pathlib import Path
from typing import Any

import attrs

from edgebench.analysis.accuracy import compare_outputs, find_figures
from edgebench.analysis.agreement import NOT_CHECKED
from edgebench.cases.case import Case
from edgebench.cases.inputs import find_dataset, find_metrics
from edgebench.conduct.contributions import find_contribution
from edgebench.conduct.deployments import Deployments
from edgebench.conduct.inputs import describe_inputs, why_no_accuracy
from edgebench.conduct.runtimes import RuntimeChecks, Untransformed, name_untransformed
from edgebench.conduct.score_doubts import doubt_score
from edgebench.conduct.score_files import PLAIN, load_score, store_score
from edgebench.conduct.shortened import describe_shortened
from edgebench.conduct.step_facts import describe_stages, describe_steps
from edgebench.measure.stand.deployment import Deployment
from edgebench.measure.stand.scoring import score_deployment
from edgebench.parts.digest import digest
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.pipeline import Pipeline
from edgebench.parts.places import Backend, Fabric
from edgebench.parts.subjects import Model
from edgebench.prepare.named_files import find_files
from edgebench.prepare.recipe import Recipes
from edgebench.records.environment import find_processor
from edgebench.records.facts import Contribution, Facts, Figure
from edgebench.records.outcome import Score
from edgebench.store.artifacts import digest_content, read_pipeline
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
    # Stands in keys for what may be another the next time.
    _session: str = attrs.field(factory=lambda: secrets.token_hex(16), init=False)
    _processor: str | None = attrs.field(factory=find_processor, init=False)
    _checks: RuntimeChecks = attrs.field(init=False)

    @_checks.default
    def _open_checks(self) -> RuntimeChecks:
        plan, plugins = self.deployments.plan, self.deployments.plugins
        return RuntimeChecks.of(plan, plugins, self._score_untransformed)

    @property
    def _recipes(self) -> Recipes:
        return self.deployments.preparer.recipes

    # --- facts -----------------------------------------------------------------------------------

    def find_facts(self, deployment: Deployment) -> Facts:
        """Return what is known of a case by its score, made if need be, and by its inputs.

        It is compared with the score of its model untransformed, and each of its backends with
        another runtime; what prevents that is a doubt.
        """
        case, plugins = deployment.case, self.deployments.plugins
        score = self._find_or_make(case, deployment.artifact)
        against, doubts = None, list(deployment.pipeline.doubts)
        if other := self.deployments.plan.references.get(case.id):
            try:
                against = self._find_reference(other)
            except EdgebenchError as error:
                doubts.append(f"not compared with the untransformed model: {error}")
        figures, why = self._find_figures(case, score, against)
        doubts += filter(None, (*self._doubts_of_inputs(deployment), self._doubt_travel(case)))
        doubts += filter(None, doubt_score(score, deployment, accurate=not why))
        return Facts(
            device=score.device,
            precision=self._precision(case, deployment.pipeline),
            artifact=deployment.artifact.name,
            content=digest_content(deployment.artifact, doubts=False),
            score_key=score.key,
            copies=self.deployments.plan.study.copies,
            figures=figures,
            inputs=describe_inputs(case, plugins),
            request_bytes=case.batch * open_split(deployment.split).mean_bytes,
            no_accuracy=why,
            stages=tuple(describe_stages(deployment, score.assignments)),
            steps=tuple(describe_steps(self.deployments.preparer.trace(case))),
            contribution=self._find_contribution(deployment, score),
            exit_rates=score.exit_rates,
            remarks=score.remarks,
            versions=score.versions,
            doubts=tuple(doubts),
            **self._find_agreement(deployment, score, against),
        )

    def _find_figures(
        self, case: Case, score: Score, against: Score | None
    ) -> tuple[tuple[Figure, ...], str]:
        """Return the figures of merit that are numbers, or why there are none."""
        plugins = self.deployments.plugins
        if why := why_no_accuracy(case, self.deployments):
            return (), why
        margin = self.deployments.plan.study.suite.accuracy_margin / 100
        metrics = find_metrics(case, plugins)
        figures = find_figures(score, metrics, against, margin=margin, seed=case.seed)
        for number, figure in enumerate(figures):
            if not _is_finite(figure) and number == 0:
                # The first decides, and no other may take its place.
                return (), f"{figure.metric} is no number over {figure.samples} samples"
        left_out = self._count_labels(case) - score.samples
        kept = filter(_is_finite, figures)
        return tuple(attrs.evolve(figure, left_out=left_out) for figure in kept), ""

    def _find_contribution(self, deployment: Deployment, score: Score) -> Contribution | None:
        """Return what the last operator of a case's chain added to the chain without it."""
        plan, preparer = self.deployments.plan, self.deployments.preparer
        return find_contribution(
            deployment.case,
            score,
            deployment.pipeline,
            chains=self._recipes.chains,
            plan=plan,
            find_score=lambda one: self._find_or_make(one, preparer.prepare(one).path),
            find_figures=self._find_figures,
        )

    def _find_agreement(
        self, deployment: Deployment, score: Score, against: Score | None
    ) -> dict[str, Any]:
        """Return how the outputs agree, those of a case and those of its backends, as facts."""
        case = deployment.case
        found = self._checks.check(case)
        checks = tuple(check for check, _ in found)
        # The comparison of a model to which nothing was done is the check of its backend.
        if len(found) == 1 and found[0][1] == score.key:
            return {
                "checks": checks,
                "agreement": checks[0].agreement,
                "no_agreement": checks[0].why_not,
            }
        if against is None:
            return {"checks": checks, "no_agreement": NOT_CHECKED}
        label = name_untransformed(self.deployments.plan.references[case.id])
        pipeline = deployment.pipeline
        agreed = compare_outputs(
            score, against, label, names=pipeline.outputs, classes=pipeline.classes
        )
        why = "its outputs have other shapes than the untransformed model's, or no values"
        return {"checks": checks, "agreement": agreed, "no_agreement": "" if agreed else why}

    def _score_untransformed(self, case: Case) -> Untransformed:
        """Prepare a model untransformed and score it: its first samples, if not all are known.

        Raises:
            EdgebenchError: It cannot be prepared or scored.
        """
        artifact = self.deployments.preparer.prepare(case).path
        # Not deployed: where the score is known already, nothing need be compiled for it.
        pipeline, key = read_pipeline(artifact), self._key(case, artifact)
        score = self._references.get(case.id)
        if score is None:
            few = self._recipes.store.find(key) is None
            score = self._find_or_make(case, artifact, few=few)
        return Untransformed(
            case=case,
            key=key,
            score=score,
            precision=self._precision(case, pipeline),
            outputs=pipeline.outputs,
            classes=pipeline.classes,
            formats=tuple(pipeline.stages[piece[0]].format for piece in pipeline.pieces),
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

    def _precision(self, case: Case, pipeline: Pipeline) -> str:
        """Name what each stage computes in: what it is kept in, or what its backend makes of it."""
        named = []
        for piece, choice in zip(pipeline.pieces, case.backends, strict=True):
            computing = self._recipes.find_precision(choice)
            for number in piece:
                kept = pipeline.stages[number].precision
                coarser = kept == "f64" and computing != "f32"
                named.append(computing if kept == "f32" or coarser else kept)
        return "+".join(dict.fromkeys(named))

    # --- scores ----------------------------------------------------------------------------------

    def _find_or_make(self, case: Case, artifact: Path, *, few: bool = False) -> Score:
        """Return the score of a case, prepared in *artifact*, of a *few* samples or of all.

        It is measured if it was not before on such a machine.
        """
        few = few or bool(why_no_accuracy(case, self.deployments))
        key = self._key(case, artifact, few=few)
        chain = case.chain or "untransformed"
        what = f"score of {case.model}:{case.variant} {chain} with {case.backend}"

        def fill(directory: Path) -> None:
            store_score(attrs.evolve(self._measure(case, artifact, few=few), key=key), directory)

        return load_score(self._recipes.store.make(key, what, fill))

    def _measure(self, case: Case, artifact: Path, *, few: bool) -> Score:
        """Send the whole test split, or a few samples for agreement alone, through its hosts."""
        deployment = self.deployments.deploy(case, artifact)
        if few:
            deployment = attrs.evolve(deployment, scored=ENOUGH, bound_s=ENOUGH_S)
        what = f"scoring {case.label}"
        return score_deployment(
            deployment,
            self.deployments.plugins.get(Fabric, case.fabric),
            lambda done, samples: self.deployments.preparer.progress(done, samples, what),
            self.deployments.preparer.stopping,
        )

    def _key(self, case: Case, artifact: Path, *, few: bool = False) -> str:
        """Return the key of a case's score: its placement and links have no part in it."""
        # Where there is no accuracy, a few samples do: they show how the outputs agree.
        few = few or bool(why_no_accuracy(case, self.deployments))
        keys = self._recipes.keys
        plugins = self.deployments.plugins
        options = [[c.name, c.device, c.options, *find_files(c, plugins)] for c in case.backends]
        backends = [plugins.get(Backend, choice.name) for choice in case.backends]
        return digest(
            {
                "score of": digest_content(artifact),
                "keeps": PLAIN,
                "inputs": keys.inputs(case),
                "bounded": few,
                "backends": options,
                "by": [keys.maker(Backend, choice.name) for choice in case.backends],
                "model": keys.maker(Model, case.model),
                "processor": self._processor,
                # Where one does not load its stages, it may hold something else the next time.
                **({} if all(each.loads for each in backends) else {"only in": self._session}),
                # A backend may be right for one sample at once and wrong for more. Scores of single
                # samples and of whole splits keep the keys that they have.
                **({"batch": case.batch} if case.batch > 1 else {}),
                **({"limit": limit} if (limit := self._find_limit(case)) else {}),
            }
        )

    def _find_limit(self, case: Case) -> int | None:
        """Return how many samples are drawn to be scored; None where the split holds no more."""
        if (limit := self.deployments.plan.study.score_limit) is None:
            return None
        return limit if limit < self._count_labels(case) else None

    def _count_labels(self, case: Case) -> int:
        return len(open_split(self.deployments.preparer.inputs(case) / "test"))


def _is_finite(figure: Figure) -> bool:
    numbers = (figure.value, *figure.ci95, figure.loss, *(figure.loss_ci95 or ()))
    return all(number is None or isfinite(number) for number in numbers)
