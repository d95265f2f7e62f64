"""Conducting a run: model by model, prepare its cases, score them, then measure their blocks.

The blocks of a model's cases are interleaved in rounds, each round in a random order of its own, so
that what drifts on the machine falls on all cases alike. The order follows from the plan and its
seed, which are recorded; a resumed run takes the same order and leaves out what was measured.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import attrs

from edgebench.analysis.result import Result
from edgebench.cases.case import Case
from edgebench.cases.inputs import why_no_accuracy
from edgebench.cases.plan import Plan
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import BOUND_S
from edgebench.conduct.events import Events
from edgebench.conduct.scoring import Scores
from edgebench.conduct.shortened import describe_shortened
from edgebench.measure.stand.block import measure_block
from edgebench.measure.stand.compiling import compile_on_hosts
from edgebench.measure.stand.deployment import Deployment
from edgebench.measure.stand.scoring import score_deployment
from edgebench.parts.errors import CaseSkipped, ChainError, EdgebenchError, one_line
from edgebench.parts.places import Backend, Fabric, Tier
from edgebench.parts.subjects import Model
from edgebench.prepare.preparer import Prepared, Preparer
from edgebench.records.database import Database
from edgebench.records.facts import Facts
from edgebench.records.outcome import Block, Score
from edgebench.store.artifacts import read_pipeline
from edgebench.store.splits import describe_unreadable, open_split

ENOUGH, ENOUGH_S = 16, 4.0
"""Samples that are scored where there is no accuracy, for agreement alone, and seconds after which
no more are sent."""
GIVE_UP_AFTER = 2
"""Blocks of one case that may fail in a row before the rest of them is given up."""


@attrs.frozen(kw_only=True)
class Settings:
    """What a run is told beside its plan."""

    limit_s: float = 300.0
    """A block that takes longer is ended, and scoring where nothing is answered for as long."""
    bound_s: float = BOUND_S
    """No request of a block is begun later, where nobody said how many there are to be."""
    scratch: Path
    """A directory for what is thrown away after each block."""


class Watcher(Protocol):
    """Whoever watches a run: told between blocks, and never during one."""

    def begun(self, resumed: str) -> None:
        """Take note that a run begins: a new one, or the one of the id *resumed* goes on."""
        ...

    def preparing(self, done: int, total: int, what: str) -> None:
        """Take note of how far one long step of preparing or scoring has come."""
        ...

    def prepared(self, case: Case) -> None:
        """Take note that a case is prepared and scored, or turned out not to be possible."""
        ...

    def measured(self, case: Case, block: Block) -> None:
        """Take note that a block is in the database."""
        ...

    def stopping(self) -> bool:
        """Say whether to end before the next block."""
        ...


@attrs.frozen(kw_only=True)
class Conductor:
    """Conducts one run into an open database."""

    plan: Plan
    preparer: Preparer
    database: Database
    run: str
    settings: Settings
    watcher: Watcher
    _facts: dict[str, Facts] = attrs.field(factory=dict, init=False)
    _deployments: dict[str, Deployment] = attrs.field(factory=dict, init=False)
    _failures: dict[str, int] = attrs.field(factory=dict, init=False)
    _order: Iterator[int] = attrs.field(factory=count, init=False)

    @property
    def _plugins(self) -> Plugins:
        return self.preparer.recipes.plugins

    @property
    def _events(self) -> Events:
        return Events(self._plugins)

    def conduct(self) -> None:
        """Prepare and measure everything that is planned and not yet in the database."""
        for skipped in self.plan.skipped:
            self._tell_finished(skipped.case)
        for cases in self._by_model():
            unfinished = [case for case in cases if not self._complete(case)]
            self._measure(cases, dict(self._ready(unfinished)))

    def _by_model(self) -> Iterable[list[Case]]:
        groups: dict[tuple[str, str, str], list[Case]] = {}
        for case in self.plan.cases:
            groups.setdefault((case.model, case.variant, case.weights.label), []).append(case)
        return groups.values()

    def _complete(self, case: Case) -> bool:
        return self.database.standing(self.run, case.id).status == "ok"

    # --- preparing and scoring -------------------------------------------------------------------

    def _ready(self, cases: Sequence[Case]) -> Iterator[tuple[str, Deployment]]:
        """Prepare and score cases; yield the ids of those that can be measured, deployed."""
        for case in cases:
            if self.watcher.stopping():
                return
            try:
                self._events.case_started(case)
                deployment = self._deployed(case)
            except (CaseSkipped, ChainError) as error:
                self._close(case, "skipped", str(error), error.log)
            except EdgebenchError as error:
                self._close(case, "failed", str(error), error.log)
            except Exception as error:  # noqa: BLE001 (parts are asked here too, and may raise)
                self._close(case, "failed", one_line(error), traceback.format_exc())
            else:
                yield case.id, deployment
            self.watcher.prepared(case)

    def _deployed(self, case: Case) -> Deployment:
        """Prepare a case, have its stages compiled where they must be, and score it."""
        prepared = self.preparer.prepare(case)
        if prepared.log:
            self.database.save_log(self.run, case.id, "preparing", prepared.log)
        deployment = self._deploy(case, prepared)
        scores = Scores(recipes=self.preparer.recipes, measure=self._scored)
        own = scores.find_or_make(case, prepared)
        reference, doubts = self._reference(case, scores)
        doubts = (*doubts, *self._doubts_of_inputs(deployment))
        self._facts[case.id] = scores.facts(case, prepared, own, reference)
        self._note(case, doubts=doubts)
        return deployment

    def _doubts_of_inputs(self, deployment: Deployment) -> Iterator[str]:
        """Yield what the inputs lack: those that could not be read, those that were shortened."""
        directory, variant = deployment.split.parent, deployment.case.variant
        samples = open_split(directory, "test")
        yield from filter(
            None,
            (
                describe_unreadable(directory),
                describe_shortened(samples, self._bound(deployment), variant),
            ),
        )

    def _bound(self, deployment: Deployment) -> Model:
        """Return the record of a case's model with what its prepared pipeline keeps."""
        case = deployment.case
        model = self._plugins.get(Model, case.model)
        return model.bound(case.variant, deployment.pipeline.resources)

    def _reference(
        self, case: Case, scores: Scores
    ) -> tuple[tuple[Case, Score] | None, tuple[str, ...]]:
        """Score the model untransformed, to compare with; what prevents it is a doubt."""
        other = self.plan.references.get(case.id)
        if other is None:
            return None, ()
        try:
            return (other, scores.find_or_make(other, self.preparer.prepare(other))), ()
        except EdgebenchError as error:
            return None, (f"not compared with the untransformed model: {error}",)

    def _scored(self, case: Case, prepared: Prepared) -> Score:
        deployment = self._deploy(case, prepared)
        if why_no_accuracy(case, self._plugins):
            deployment = attrs.evolve(deployment, scored=ENOUGH, bound_s=ENOUGH_S)
        fabric = self._plugins.get(Fabric, case.fabric)
        what = f"scoring {case.label}"
        return score_deployment(
            deployment,
            fabric,
            lambda done, samples: self.preparer.progress(done, samples, what),
        )

    def _deploy(self, case: Case, prepared: Prepared) -> Deployment:
        """Return how a case is measured and scored; its stages are compiled when first asked."""
        if case.id in self._deployments:
            return self._deployments[case.id]
        deployment = Deployment(
            case=case,
            artifact=prepared.path,
            pipeline=read_pipeline(prepared.path),
            split=self.preparer.inputs(case) / "test",
            compiled=self.preparer.recipes.store.root / "compiled",
            requests=self.plan.study.suite.requests,
            bound_s=self.settings.bound_s if self.plan.study.bounded else 0.0,
            seed=self.plan.study.seed,
            deadline_s=self.settings.limit_s,
            source=self._plugins.source,
            tiers=tuple(self._plugins.get(Tier, name) for name in case.route),
            scratch=self.settings.scratch,
        )
        backends = [self._plugins.get(Backend, choice.name) for choice in case.backends]
        compile_on_hosts(deployment, self._plugins.get(Fabric, case.fabric), backends)
        return self._deployments.setdefault(case.id, deployment)

    # --- measuring -------------------------------------------------------------------------------

    def _measure(self, cases: Sequence[Case], ready: Mapping[str, Deployment]) -> None:
        """Measure the blocks of a model's cases, in rounds of random order."""
        done = self.database.finished_blocks(self.run)
        last = self.plan.study.suite.blocks - 1
        for number in range(self.plan.study.suite.blocks):
            for case in self._round(cases, number):
                # Those that are left out have their numbers, so that resuming changes none.
                order = next(self._order)
                if self.watcher.stopping():
                    return
                if case.id not in ready:
                    continue
                if (case.id, number) not in done and not self._given_up(case):
                    self._block(attrs.evolve(ready[case.id], number=number, order=order))
                if number == last:
                    self._finish(case)

    def _round(self, cases: Sequence[Case], number: int) -> Sequence[Case]:
        shuffler = random.Random(f"{self.plan.study.seed}/{number}")  # noqa: S311 (an order)
        return shuffler.sample(cases, len(cases))

    def _given_up(self, case: Case) -> bool:
        return self._failures.get(case.id, 0) >= GIVE_UP_AFTER

    def _block(self, deployment: Deployment) -> None:
        """Measure one block and keep it, whatever became of it."""
        case = deployment.case
        block = measure_block(deployment, self._plugins.get(Fabric, case.fabric))
        self.database.save_block(self.run, case.id, block)
        failed = block.status != "ok"
        self._failures[case.id] = self._failures.get(case.id, 0) + 1 if failed else 0
        self.watcher.measured(case, block)
        try:
            self._events.block_finished(case, block)
        except EdgebenchError as error:
            self._failures[case.id] = GIVE_UP_AFTER
            self._note(case, status="failed", reason=str(error))

    # --- what is known of a case -----------------------------------------------------------------

    def _note(self, case: Case, **changes: Any) -> None:
        """Keep what has become known of a case."""
        known = self._facts.get(case.id, Facts())
        self._facts[case.id] = attrs.evolve(known, **changes)
        self.database.finish_case(self.run, case.id, self._facts[case.id])

    def _close(self, case: Case, status: str, reason: str, log: str) -> None:
        """Keep why a case ended before its blocks were measured, and what was printed."""
        self._note(case, status=status, reason=reason)
        if log:
            self.database.save_log(self.run, case.id, "preparing", log)
        self._tell_finished(case)

    def _finish(self, case: Case) -> None:
        if not self._facts[case.id].status:
            self._note(case, stopped=self._stopped(case))
        self._tell_finished(case)

    def _stopped(self, case: Case) -> str:
        """Say why a case has no more requests than it has."""
        if self._given_up(case):
            return f"{GIVE_UP_AFTER} blocks that failed in a row"
        study, standing = self.plan.study, self.database.standing(self.run, case.id)
        suite = study.suite
        stopped = f"{suite.blocks} block{'s' * (suite.blocks != 1)} planned"
        # What a block that failed would have given is no fault of the bound's.
        wanted = standing.measured * suite.requests
        if study.bounded and standing.requests < wanted:
            stopped += f" of {self.settings.bound_s:g} s each: "
            stopped += f"{standing.requests} of {wanted} requests"
        return stopped

    def _tell_finished(self, case: Case) -> None:
        """Tell the plugins of a case's result; what goes wrong there is a doubt, no failure."""
        result = Result.of(self.database.outcome(self.run, case.id))
        self._facts.setdefault(case.id, result.facts)
        try:
            self._events.case_finished(case, result)
        except EdgebenchError as error:
            self._note(case, doubts=(*result.facts.doubts, str(error)))
