"""Whose turn it is: which cases of a model are measured in a round, and which have enough."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.block_size import choose_requests
from edgebench.analysis.decisions import find_verdicts, sort_out
from edgebench.analysis.enough import Enough, Rule
from edgebench.analysis.groups import find_groups
from edgebench.analysis.result import Result
from edgebench.analysis.verdicts import FIRST_LOOK

if TYPE_CHECKING:
    from edgebench.cases.case import Case
    from edgebench.cases.study import Study
    from edgebench.measure.stand.deployment import Deployment
    from edgebench.records.database import Database
    from edgebench.records.outcome import Run


def adds_blocks(study: Study) -> bool:
    """Say whether blocks are added until enough is known, in place of a fixed count."""
    return bool(study.suite.until or study.precision)


def count_blocks(study: Study) -> int:
    """Return how many blocks a case may have at most, those of all its copies together."""
    return study.copies * (study.suite.max_blocks if adds_blocks(study) else study.suite.blocks)


@attrs.define(kw_only=True)
class Turns:
    """Which cases of one model need more blocks, as far as is known."""

    database: Database
    run: Run
    study: Study
    cases: Sequence[Case]
    resumption: int
    """Which start of the run this is, from 0."""
    requests: int | None = None
    """How many requests the next blocks should have; None for as many as the study says."""
    enough: Mapping[str, Enough] = attrs.field(factory=dict)
    """By id of a case, why it needs no more blocks."""
    _beaten: dict[str, dict[str, Enough]] = attrs.field(factory=dict, init=False)
    """By id of a case that was beaten, and of each that beat it, in which words."""
    _out: Collection[str] = attrs.field(default=(), init=False)

    @property
    def open_ended(self) -> bool:
        """Whether blocks are added until enough is known, in place of a fixed count."""
        return adds_blocks(self.study)

    @property
    def most(self) -> int:
        """How many blocks a case may have."""
        return count_blocks(self.study)

    def deploy(self, deployment: Deployment, number: int, order: int) -> Deployment:
        """Return how a block of a case is to be measured."""
        return attrs.evolve(
            deployment,
            number=number,
            order=order,
            resumption=self.resumption,
            requests=self.requests or deployment.requests,
        )

    def look(self, rounds: int, out: Collection[str]) -> None:
        """Look at what was measured in so many rounds.

        *out* are the ids of cases that are given up or failed: nobody is held against them.
        """
        self._out = out
        # Every round is looked at, and what requests spent their time on is most of what is kept.
        kept = (self.database.read_outcome(self.run.id, case.id, brief=True) for case in self.cases)
        measured = [one for one in map(Result.of, kept) if one.latency is not None]
        results = [one for one in measured if one.case.id not in out]
        needed: set[str] = set()
        found: dict[str, Enough] = {}
        for _, group in find_groups(results):
            enough = self._look_at(group)
            needed |= {one.case.id for one in group if one.case not in enough}
            for case, why in enough.items():
                # Who is the best, or equal to it, under one condition is not beaten by and large.
                if case.id not in found or not why.beaten_by:
                    found[case.id] = why
        # A case that competes under several conditions is measured as long as one needs it.
        self.enough = {name: why for name, why in found.items() if name not in needed}
        if rounds >= self.most:
            last = Enough(words=f"no more than {rounds} rounds were allowed", exhausted=True)
            self.enough = {**dict.fromkeys(needed, last), **self.enough}
        if self.study.bounded:
            self.requests = choose_requests(results, self.study.suite.requests)

    def list_beaters(self, case: str) -> tuple[str, ...]:
        """Return the ids of the cases that beat one, under one condition or several."""
        return tuple(by for by in self._beaten.get(case, ()) if by not in self._out)

    def _look_at(self, group: Sequence[Result]) -> Mapping[Case, Enough]:
        verdicts = find_verdicts(self.run, group)
        decided = bool(self.study.suite.until)
        rule = Rule(
            within=verdicts.within,
            most=self.study.suite.max_blocks,
            decided=decided,
            precision=self.study.precision,
            fewest=FIRST_LOOK if decided else self.study.suite.blocks,
        )
        sorted_out = sort_out(group)
        # Where none is shown to keep its accuracy, the fastest of the open ones is looked for.
        fit = {one.case for one in sorted_out.fit or sorted_out.open}
        enough = rule.find(verdicts.rounds, fit, dict(self._recall(group)))
        for case, why in enough.items():
            if why.beaten_by:
                self._beaten.setdefault(case.id, {})[why.beaten_by] = why
        return enough

    def _recall(self, group: Sequence[Result]) -> Iterator[tuple[Case, Enough]]:
        """Yield those of a group that were beaten before, by one that competes with them still."""
        ids = {one.case.id for one in group}
        for one in group:
            # Those of an earlier start of the run are kept with their results alone.
            said = {by: Enough(words=one.facts.stopped, beaten_by=by) for by in one.facts.beaten_by}
            known = {**said, **self._beaten.get(one.case.id, {})}
            if by := next(filter(ids.__contains__, known), None):
                yield one.case, known[by]
