"""Conducting a run: model by model, prepare its cases, score them, then measure their blocks.

The blocks of a model's cases are interleaved in rounds, each round in a random order of its own, so
that what drifts on the machine falls on all cases alike. The order follows from the plan and its
seed, which are recorded; a resumed run takes the same order and leaves out what was measured.
"""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import attrs

from edgebench.analysis.enough import Enough
from edgebench.analysis.result import Result
from edgebench.cases.case import Case
from edgebench.catalogue.rows import BOUND_S
from edgebench.conduct.deployments import Deployments
from edgebench.conduct.scoring import Scores
from edgebench.conduct.turns import Turns
from edgebench.conduct.watcher import Watcher
from edgebench.measure.stand.block import measure_block
from edgebench.measure.stand.deployment import Deployment
from edgebench.parts.errors import CaseSkipped, ChainError, EdgebenchError, Stopped, one_line
from edgebench.parts.grouping import group_by
from edgebench.parts.places import Fabric
from edgebench.records.database import Database
from edgebench.records.facts import Facts
from edgebench.records.outcome import Run

GIVE_UP_AFTER = 2
"""Blocks of one case that may fail in a row before the rest of them is given up."""
UNWRITABLE = (ValueError, TypeError, OverflowError)
"""What is raised where a record holds what JSON or a column cannot: NaN, half a character, bytes.
That a disk is full, or a database is gone, concerns all cases and is another error."""


@attrs.frozen(kw_only=True)
class Conductor:
    """Conducts one run into an open database."""

    database: Database
    run: Run
    resumed: bool
    """Whether the run was begun before, and ended early."""
    deployments: Deployments
    watcher: Watcher
    _resumption: int = attrs.field(init=False)
    """Which start of the run this is, from 0."""
    _scores: Scores = attrs.field(init=False)
    _facts: dict[str, Facts] = attrs.field(factory=dict, init=False)
    _failures: dict[str, int] = attrs.field(factory=dict, init=False)
    _order: Iterator[int] = attrs.field(factory=count, init=False)

    @_resumption.default
    def _count_starts(self) -> int:
        return self.database.count_starts(self.run.id)

    @_scores.default
    def _share_scores(self) -> Scores:
        return Scores(deployments=self.deployments)

    def conduct(self) -> None:
        """Prepare and measure everything that is planned and not yet in the database."""
        # The others of a run that goes on were told of when it began.
        for skipped in () if self.resumed else self.deployments.plan.skipped:
            self._tell_finished(skipped.case)
        # One model at a time: what drifts in between then sets no strategies of a model apart.
        by_model = group_by(
            self.deployments.plan.cases, lambda case: (case.model, case.variant, case.weights.label)
        )
        for cases in by_model.values():
            unfinished = [case for case in cases if not self._complete(case)]
            self._measure(cases, dict(self._ready(unfinished)))

    def _complete(self, case: Case) -> bool:
        return self.database.read_outcome(self.run.id, case.id, timed=False).status == "ok"

    # --- preparing and scoring -------------------------------------------------------------------

    def _ready(self, cases: Sequence[Case]) -> Iterator[tuple[str, Deployment]]:
        """Prepare and score cases; yield the ids of those that can be measured, deployed."""
        for case in cases:
            if self.watcher.stopping():
                return
            self.watcher.begins(case)
            try:
                self.deployments.plugins.tell("edgebench_case_started", case=case)
                deployment = self._deploy(case)
            except Stopped:
                # It is prepared anew when the run goes on.
                return
            except (CaseSkipped, ChainError) as error:
                self._close(case, "skipped", str(error), error.log)
            except EdgebenchError as error:
                self._close(case, "failed", str(error), error.log)
            except Exception as error:  # noqa: BLE001 (parts are asked here too, and may raise)
                self._close(case, "failed", one_line(error), traceback.format_exc())
            else:
                yield case.id, deployment
            self.watcher.prepared(case)

    def _deploy(self, case: Case) -> Deployment:
        """Prepare a case, have its stages compiled where they must be, and score it."""
        begin = time.monotonic()
        prepared = self.deployments.preparer.prepare(case)
        if prepared.log:
            self.database.save_log(self.run.id, case.id, "preparing", prepared.log)
        deployment = self.deployments.deploy(case, prepared.path)
        ready = time.monotonic()
        facts = self._scores.find_facts(deployment)
        facts = attrs.evolve(facts, preparing_s=ready - begin, scoring_s=time.monotonic() - ready)
        self._keep(case, facts)
        return deployment

    # --- measuring -------------------------------------------------------------------------------

    def _measure(self, cases: Sequence[Case], ready: Mapping[str, Deployment]) -> None:
        """Measure the blocks of a model's cases, in rounds of random order."""
        turns = Turns(
            database=self.database,
            run=self.run,
            study=self.deployments.plan.study,
            cases=cases,
            resumption=self._resumption,
        )
        done = self.database.list_finished_blocks(self.run.id)
        if turns.open_ended and self.resumed:
            turns.look(0, ())
        for number in range(turns.most):
            measured = False
            for case in self._round(cases, number):
                # Those that are left out have their numbers, so that resuming changes none.
                order = next(self._order)
                if self.watcher.stopping():
                    return
                if case.id not in ready or case.id in turns.enough:
                    continue
                if (case.id, number) not in done and not self._given_up(case):
                    self._block(turns.deploy(ready[case.id], number, order))
                    measured = True
                if number == turns.most - 1 and not turns.open_ended:
                    self._finish(case)
            # What an earlier start of the run has measured was looked at then.
            last = number == turns.most - 1
            if turns.open_ended and (measured or last) and not self._look(turns, ready, number + 1):
                return

    def _look(self, turns: Turns, ready: Mapping[str, Deployment], rounds: int) -> bool:
        """Say whether any case is to have more blocks; if none is, end them all."""
        out = {case.id for case in turns.cases if self._given_up(case) or self._failed(case)}
        turns.look(rounds, out)
        going = [case for case in turns.cases if case.id in ready and not self._ended(case)]
        if any(case.id not in turns.enough and case.id not in out for case in going):
            return True
        # Not before all have enough: who beat another may turn out not to work.
        for case in going:
            why = turns.enough.get(case.id)
            self._finish(case, why, turns.list_beaters(case.id) if why else ())
        return False

    def _failed(self, case: Case) -> bool:
        return bool(self._facts.get(case.id, Facts()).status)

    def _ended(self, case: Case) -> bool:
        return bool(self._facts[case.id].stopped or self._facts[case.id].status)

    def _round(self, cases: Sequence[Case], number: int) -> Sequence[Case]:
        shuffler = random.Random(f"{self.deployments.plan.study.seed}/{number}")  # noqa: S311 (an order)
        return shuffler.sample(cases, len(cases))

    def _given_up(self, case: Case) -> bool:
        return self._failures.get(case.id, 0) >= GIVE_UP_AFTER

    def _block(self, deployment: Deployment) -> None:
        """Measure one block and keep it, whatever became of it."""
        case = deployment.case
        block = measure_block(deployment, self.deployments.plugins.get(Fabric, case.fabric))
        try:
            self.database.save_block(self.run.id, case.id, block)
        except UNWRITABLE as error:
            # A plugin gave it something that no database holds: the other cases did not.
            self._failures[case.id] = GIVE_UP_AFTER
            reason = f"block {block.number} cannot be kept: {one_line(error)}"
            self._note(case, status="failed", reason=reason)
            return
        failed = block.status != "ok"
        self._failures[case.id] = self._failures.get(case.id, 0) + 1 if failed else 0
        self.watcher.measured(case, block)
        try:
            self.deployments.plugins.tell("edgebench_block_finished", case=case, block=block)
        except EdgebenchError as error:
            # Whoever collects the blocks of the case has lost one: more of them would not help.
            self._failures[case.id] = GIVE_UP_AFTER
            self._note(case, status="failed", reason=str(error))

    # --- what is known of a case -----------------------------------------------------------------

    def _note(self, case: Case, **changes: Any) -> None:
        """Keep what has become known of a case."""
        known = self._facts.get(case.id, Facts())
        self._keep(case, attrs.evolve(known, **changes))

    def _keep(self, case: Case, facts: Facts) -> None:
        """Keep the facts of a case, in the database first.

        What cannot be kept there is not known here either: it would be kept again with the reason.
        """
        self.database.finish_case(self.run.id, case.id, facts)
        self._facts[case.id] = facts

    def _close(self, case: Case, status: str, reason: str, log: str) -> None:
        """Keep why a case ended before its blocks were measured, and what was printed."""
        self._note(case, status=status, reason=reason)
        if log:
            self.database.save_log(self.run.id, case.id, "preparing", log)
        self._tell_finished(case)

    def _finish(
        self, case: Case, enough: Enough | None = None, beaten_by: tuple[str, ...] = ()
    ) -> None:
        """Keep why a case has no more blocks than it has.

        *enough* is why it needs no more, and *beaten_by* the ids of the cases that beat it.
        """
        if not self._failed(case):
            blocks, requests = self.database.count_requests(self.run.id, case.id)
            stopped = enough.words if enough else self._explain_end(case, blocks, requests)
            if enough:
                # A block that failed is missed where all that were allowed would not do.
                given = self.database.count_blocks(self.run.id, case.id)
                wanted = given if enough.exhausted else blocks
                self.database.plan_blocks(self.run.id, case.id, wanted)
            self._note(case, stopped=stopped, beaten_by=beaten_by)
        self._tell_finished(case)

    def _explain_end(self, case: Case, blocks: int, requests: int) -> str:
        """Say why a case has no more requests than it has."""
        if self._given_up(case):
            return f"{GIVE_UP_AFTER} blocks that failed in a row"
        study = self.deployments.plan.study
        suite = study.suite
        stopped = f"{suite.blocks} block{'s' * (suite.blocks != 1)} planned"
        if study.copies > 1:
            stopped += f" of each of {study.copies} copies"
        # What a block that failed would have given is no fault of the bound's.
        wanted = blocks * suite.requests
        if study.bounded and requests < wanted:
            stopped += f" of {BOUND_S:g} s each: {requests} of {wanted} requests"
        return stopped

    def _tell_finished(self, case: Case) -> None:
        """Tell the plugins of a case's result; what goes wrong there is a doubt, no failure."""
        # A result holds all samples, which take the longest to read.
        if not self.deployments.plugins.hears("edgebench_case_finished"):
            return
        kept = self.database.read_outcome(self.run.id, case.id)
        result = Result.of(kept, self.run.quick)
        try:
            self.deployments.plugins.tell("edgebench_case_finished", case=case, result=result)
        except EdgebenchError as error:
            self._note(case, doubts=(*result.facts.doubts, str(error)))
