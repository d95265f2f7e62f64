"""Conducting a run: model by model, prepare its cases, score them, then measure their blocks.

The blocks of a model's cases are interleaved in rounds, each round in a random order of its own, so
that what drifts on the machine falls on all cases alike. The order follows from the seed, which is
recorded; a resumed run takes the same order and leaves out what was measured.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Protocol

import attrs

from edgebench.artifacts import read_pipeline
from edgebench.case import Case
from edgebench.components import Dataset, Fabric, Tier
from edgebench.database import Database
from edgebench.errors import CaseSkipped, EdgebenchError
from edgebench.facts import Facts
from edgebench.measure.block import measure_block
from edgebench.measure.compiling import compile_on_host
from edgebench.measure.deployment import Deployment
from edgebench.measure.score import score
from edgebench.plan import Plan
from edgebench.plugins import Plugins
from edgebench.prepare.control import Prepared, Preparer
from edgebench.results import Block, Score
from edgebench.run.scoring import Scorer

__all__ = ["Conductor", "Settings", "Watcher"]

GIVE_UP_AFTER = 2
"""Blocks of one case that may fail in a row before the rest of them is given up."""


@attrs.frozen(kw_only=True)
class Settings:
    """What a run is told beside its plan."""

    limit_s: float = 300.0
    """A block that takes longer is ended."""
    scratch: Path
    """A directory for what is thrown away after each block."""


class Watcher(Protocol):
    """Whoever watches a run: told between blocks, and never during one."""

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
    _failures: dict[str, int] = attrs.field(factory=dict, init=False)
    _order: Iterator[int] = attrs.field(factory=count, init=False)

    @property
    def _plugins(self) -> Plugins:
        return self.preparer.recipes.plugins

    def conduct(self) -> None:
        """Prepare and measure everything that is planned and not yet in the database."""
        for skipped in self.plan.skipped:
            self._tell_finished(skipped.case)
        for cases in self._by_model():
            self._measure(dict(self._ready(cases)))

    def _by_model(self) -> Iterable[list[Case]]:
        groups: dict[tuple[str, str, str], list[Case]] = {}
        for case in self.plan.cases:
            groups.setdefault((case.model, case.variant, case.weights.label), []).append(case)
        return groups.values()

    # --- preparing and scoring -------------------------------------------------------------------

    def _ready(self, cases: Sequence[Case]) -> Iterator[tuple[Case, Prepared]]:
        """Prepare and score cases; yield those that can be measured."""
        for case in cases:
            if self.watcher.stopping():
                return
            try:
                self._plugins.case_started(case)
                prepared = self.preparer.prepare(case)
                self._keep_facts(case, prepared)
            except CaseSkipped as error:
                self._close(case, "skipped", str(error))
            except EdgebenchError as error:
                self._close(case, "failed", str(error), getattr(error, "log", ""))
            else:
                yield case, prepared
            self.watcher.prepared(case)

    def _keep_facts(self, case: Case, prepared: Prepared) -> None:
        """Score a case and its model untransformed, and keep what is known of it."""
        other = self.plan.references.get(case.id)
        reference = (other, self.preparer.prepare(other)) if other else None
        scorer = Scorer(recipes=self.preparer.recipes, measure=self._scored)
        facts, scores = scorer.facts(case, prepared, reference)
        for one in scores:
            self.database.save_score(one)
        self._facts[case.id] = facts
        self.database.finish_case(self.run, case.id, facts)

    def _scored(self, case: Case, prepared: Prepared) -> Score:
        dataset = self._plugins.get(Dataset, case.dataset) if case.dataset else None
        deployment = self._deployment(case, prepared, number=0, order=0)
        compile_on_host(deployment, self._plugins.get(Fabric, case.fabric))
        return score(deployment, self._plugins.get(Fabric, case.fabric), dataset)

    def _close(self, case: Case, status: str, reason: str, log: str = "") -> None:
        """Keep why a case ended before its blocks were measured, and what was printed."""
        known = self._facts.get(case.id, Facts())
        facts = attrs.evolve(known, status=status, reason=reason)
        self.database.finish_case(self.run, case.id, facts)
        if log:
            self.database.save_log(self.run, case.id, "preparing", log)
        self._tell_finished(case)

    # --- measuring -------------------------------------------------------------------------------

    def _measure(self, ready: Mapping[Case, Prepared]) -> None:
        """Measure the blocks of a model's cases, in rounds of random order."""
        done = self.database.finished_blocks(self.run)
        for number in range(self.plan.request.blocks):
            for case in self._round(list(ready), number):
                order = next(self._order)
                if self.watcher.stopping():
                    return
                if (case.id, number) not in done and self._worth_it(case):
                    self._block(case, ready[case], number, order)
        for case in ready:
            self._tell_finished(case)

    def _round(self, cases: list[Case], number: int) -> list[Case]:
        random.Random(f"{self.plan.request.seed}/{number}").shuffle(cases)  # noqa: S311 (an order)
        return cases

    def _worth_it(self, case: Case) -> bool:
        return self._failures.get(case.id, 0) < GIVE_UP_AFTER

    def _block(self, case: Case, prepared: Prepared, number: int, order: int) -> None:
        """Measure one block and keep it, whatever became of it."""
        deployment = self._deployment(case, prepared, number=number, order=order)
        block = measure_block(deployment, self._plugins.get(Fabric, case.fabric))
        self.database.save_block(self.run, case.id, block)
        failed = block.status != "ok"
        self._failures[case.id] = self._failures.get(case.id, 0) + 1 if failed else 0
        self.watcher.measured(case, block)
        try:
            self._plugins.block_finished(case, block)
        except EdgebenchError as error:
            self._failures[case.id] = GIVE_UP_AFTER
            self._close(case, "failed", str(error))

    def _deployment(self, case: Case, prepared: Prepared, *, number: int, order: int) -> Deployment:
        return Deployment(
            case=case,
            artifact=prepared.path,
            pipeline=read_pipeline(prepared.path),
            split=self.preparer.inputs(case) / "test",
            compiled=self.preparer.recipes.store.root / "compiled",
            requests=self.plan.request.requests,
            order=order,
            number=number,
            seed=self.plan.request.seed,
            deadline_s=self.settings.limit_s,
            source=self._plugins.source,
            tiers=tuple(self._plugins.get(Tier, name) for name in case.route),
            scratch=self.settings.scratch,
        )

    def _tell_finished(self, case: Case) -> None:
        """Tell the plugins of a case's result; what goes wrong there is a doubt, no failure."""
        result = self.database.result(self.run, case.id)
        try:
            self._plugins.case_finished(case, result)
        except EdgebenchError as error:
            known = self._facts.get(case.id, result.facts)
            facts = attrs.evolve(known, doubts=(*known.doubts, str(error)))
            self.database.finish_case(self.run, case.id, facts)
