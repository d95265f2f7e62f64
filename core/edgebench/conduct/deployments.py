"""How cases are deployed, to be scored and measured."""

from __future__ import annotations

from pathlib import Path

import attrs

from edgebench.cases.case import Case
from edgebench.cases.inputs import why_too_many
from edgebench.cases.plan import Plan
from edgebench.catalogue.blame import name_part
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import BOUND_S
from edgebench.measure.stand.compiling import compile_on_hosts
from edgebench.measure.stand.deployment import Deployment
from edgebench.parts.digest import digest
from edgebench.parts.errors import CaseSkipped
from edgebench.parts.places import Backend, Fabric, Tier
from edgebench.parts.subjects import Model
from edgebench.prepare.makers import identify_maker
from edgebench.prepare.preparer import Preparer
from edgebench.store.artifacts import digest_content, read_pipeline


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
    _compiled: set[object] = attrs.field(factory=set, init=False)

    @property
    def plugins(self) -> Plugins:
        """What the cases are made of."""
        return self.preparer.recipes.plugins

    def deploy(self, case: Case, artifact: Path) -> Deployment:
        """Return how a case, prepared in *artifact*, is measured and scored.

        Its stages are compiled when that is first asked.

        Raises:
            CaseSkipped: Its requests would hold more samples than the pipeline takes.
        """
        if case.id in self._made:
            return self._made[case.id]
        pipeline = read_pipeline(artifact)
        sizes = (spec.shape[0] for spec in pipeline.inputs if spec.shape)
        most = min((size for size in sizes if isinstance(size, int)), default=None)
        if why := why_too_many(case, most):
            raise CaseSkipped(why)
        deployment = Deployment(
            case=case,
            artifact=artifact,
            pipeline=pipeline,
            split=self.preparer.inputs(case) / "test",
            compiled=self.preparer.recipes.store.compiled.root,
            requests=self.plan.study.suite.requests,
            score_limit=self.plan.study.score_limit,
            bound_s=BOUND_S if self.plan.study.bounded else 0.0,
            seed=self.plan.study.seed,
            deadline_s=self.limit_s,
            source=self.plugins.source,
            tiers=tuple(self.plugins.get(Tier, name) for name in case.route),
            scratch=self.scratch,
            code=name_code(self.plugins, case),
            compilers=identify_compilers(self.plugins, case),
        )
        self._compile(deployment)
        return self._made.setdefault(case.id, deployment)

    def _compile(self, deployment: Deployment) -> None:
        """Have the stages compiled, unless another case of the run had the same compiled."""
        case = deployment.case
        # Nothing else reaches a compiler: neither links nor batch, nor how the bytes came about.
        content = digest_content(deployment.artifact)
        key = (content, case.backends, case.threads, case.placement, case.fabric)
        if key not in self._compiled:
            backends = [self.plugins.get(Backend, choice.name) for choice in case.backends]
            fabric = self.plugins.get(Fabric, case.fabric)
            compile_on_hosts(deployment, fabric, backends, self.preparer.stopping)
            self._compiled.add(key)


def identify_compilers(plugins: Plugins, case: Case) -> dict[str, str]:
    """Return a digest of the code of each backend of a case that compiles."""
    backends = {choice.name: plugins.get(Backend, choice.name) for choice in case.backends}
    compilers = [name for name, backend in backends.items() if backend.compile is not None]
    return {name: digest(identify_maker(plugins, Backend, name)) for name in compilers}


def name_code(plugins: Plugins, case: Case) -> dict[str, tuple[str, ...]]:
    """Name, for each tier that computes, the parts whose code its host runs."""
    model = name_part(plugins, Model, case.model)
    return {
        tier: (name_part(plugins, Backend, choice.name), model)
        for tier, choice in zip(case.placement.tiers, case.backends, strict=True)
    }
