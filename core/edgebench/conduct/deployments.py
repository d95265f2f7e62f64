"""How cases are deployed, to be scored and measured, and what is known of them by their scores."""

from __future__ import annotations

from pathlib import Path

import attrs

from edgebench.cases.case import Case
from edgebench.cases.inputs import why_no_accuracy
from edgebench.cases.plan import Plan
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import BOUND_S
from edgebench.conduct.scoring import Scores
from edgebench.conduct.shortened import describe_shortened
from edgebench.measure.stand.compiling import compile_on_hosts
from edgebench.measure.stand.deployment import Deployment
from edgebench.measure.stand.scoring import score_deployment
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.places import Backend, Fabric, Tier
from edgebench.parts.subjects import Model
from edgebench.prepare.preparer import Preparer
from edgebench.records.facts import Facts
from edgebench.records.outcome import Score
from edgebench.store.artifacts import read_pipeline
from edgebench.store.splits import describe_unreadable, open_split

ENOUGH, ENOUGH_S = 16, 4.0
"""Samples that are scored where there is no accuracy, for agreement alone, and seconds after which
no more are sent."""


@attrs.frozen(kw_only=True)
class Deployments:
    """The deployments of a run's cases, each made once."""

    plan: Plan
    preparer: Preparer
    limit_s: float
    """A block that takes longer is ended, and scoring where nothing is answered for as long."""
    scratch: Path
    """A directory for what is thrown away after each block."""
    _made: dict[str, Deployment] = attrs.field(factory=dict, init=False)

    @property
    def _plugins(self) -> Plugins:
        return self.preparer.recipes.plugins

    def deploy(self, case: Case, artifact: Path) -> Deployment:
        """Return how a case, prepared in *artifact*, is measured and scored.

        Its stages are compiled when that is first asked.
        """
        if case.id in self._made:
            return self._made[case.id]
        deployment = Deployment(
            case=case,
            artifact=artifact,
            pipeline=read_pipeline(artifact),
            split=self.preparer.inputs(case) / "test",
            compiled=self.preparer.recipes.store.compiled.root,
            requests=self.plan.study.suite.requests,
            bound_s=BOUND_S if self.plan.study.bounded else 0.0,
            seed=self.plan.study.seed,
            deadline_s=self.limit_s,
            source=self._plugins.source,
            tiers=tuple(self._plugins.get(Tier, name) for name in case.route),
            scratch=self.scratch,
        )
        backends = [self._plugins.get(Backend, choice.name) for choice in case.backends]
        compile_on_hosts(deployment, self._plugins.get(Fabric, case.fabric), backends)
        return self._made.setdefault(case.id, deployment)

    def find_facts(self, deployment: Deployment) -> Facts:
        """Return what is known of a case by its score, made if need be, and by its inputs.

        It is compared with the score of its model untransformed; what prevents that is a doubt.
        """
        case, reference, doubts = deployment.case, None, []
        scores = Scores(recipes=self.preparer.recipes, measure=self._score)
        own = scores.find_or_make(case, deployment.artifact)
        if other := self.plan.references.get(case.id):
            try:
                reference = other, scores.find_or_make(other, self.preparer.prepare(other).path)
            except EdgebenchError as error:
                doubts.append(f"not compared with the untransformed model: {error}")
        doubts += self._doubts_of_inputs(deployment)
        return attrs.evolve(scores.facts(deployment, own, reference), doubts=tuple(doubts))

    def _doubts_of_inputs(self, deployment: Deployment) -> list[str]:
        """Say what the inputs lack: those that could not be read, those that were shortened."""
        directory, case = deployment.split.parent, deployment.case
        model = self._plugins.get(Model, case.model)
        # A tokenizer, for one, is kept with the prepared pipeline.
        bound = model.bound(case.variant, deployment.pipeline.resources)
        shortened = describe_shortened(open_split(directory, "test"), bound, case.variant)
        return [said for said in (describe_unreadable(directory), shortened) if said]

    def _score(self, case: Case, artifact: Path) -> Score:
        """Score a deployed case: the whole test split, or a few samples without an accuracy."""
        deployment = self.deploy(case, artifact)
        if why_no_accuracy(case, self._plugins):
            deployment = attrs.evolve(deployment, scored=ENOUGH, bound_s=ENOUGH_S)
        what = f"scoring {case.label}"
        return score_deployment(
            deployment,
            self._plugins.get(Fabric, case.fabric),
            lambda done, samples: self.preparer.progress(done, samples, what),
        )
