"""Whose turn it is: which cases of a model are measured in a round, and which have enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.block_size import choose_requests
from edgebench.analysis.decisions import find_margin, sort_out
from edgebench.analysis.enough import Enough, Rule
from edgebench.analysis.groups import find_groups
from edgebench.analysis.result import Result
from edgebench.analysis.rounds import Rounds
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


@attrs.define(kw_only=True, slots=False)
class Turns:
    """Which cases of one model need more blocks, as far as is known."""

    database: Database
    run: Run
    study: Study
    cases: Sequence[Case]
    requests: int | None = None
    """How many requests the next blocks should have; None for as many as the study says."""
    enough: Mapping[str, Enough] = attrs.field(factory=dict)
    """By id of a case, why it needs no more blocks."""
    _for_good: dict[str, Mapping[Case, Enough]] = attrs.field(factory=dict, init=False)
    """What was found in each group of cases that compete with each other."""

    @property
    def open_ended(self) -> bool:
        """Whether blocks are added until enough is known, in place of a fixed count."""
        return adds_blocks(self.study)

    @property
    def most(self) -> int:
        """How many blocks a case may have."""
        return count_blocks(self.study)

    @cached_property
    def _session(self) -> int:
        return self.database.count_sessions(self.run.id)

    def deploy(self, deployment: Deployment, number: int, order: int) -> Deployment:
        """Return how a block of a case is to be measured."""
        return attrs.evolve(
            deployment,
            number=number,
            order=order,
            session=self._session,
            requests=self.requests or deployment.requests,
        )

    def look(self, rounds: int) -> None:
        """Look at what was measured in so many rounds."""
        kept = (self.database.read_outcome(self.run.id, case.id) for case in self.cases)
        results = [one for one in map(Result.of, kept) if one.latency is not None]
        needed: set[str] = set()
        found: dict[str, Enough] = {}
        for title, group in find_groups(results):
            enough = self._look_at(title, group)
            found |= {case.id: why for case, why in enough.items()}
            needed |= {one.case.id for one in group if one.case not in enough}
        # A case that competes under several conditions is measured as long as one needs it.
        self.enough = {name: why for name, why in found.items() if name not in needed}
        if rounds >= self.most:
            last = Enough(f"no more than {rounds} rounds were allowed", True)
            self.enough = {**dict.fromkeys(needed, last), **self.enough}
        if self.study.bounded:
            self.requests = choose_requests(results, self.study.suite.requests)

    def _look_at(self, title: str, group: Sequence[Result]) -> Mapping[Case, Enough]:
        blocks = max(len(one.measured) for one in group)
        decided = bool(self.study.suite.until)
        rule = Rule(
            within=find_margin(self.run, blocks),
            most=self.study.suite.max_blocks,
            decided=decided,
            precision=self.study.precision,
            fewest=FIRST_LOOK if decided else self.study.suite.blocks,
        )
        found = sort_out(group)
        # Where none is shown to keep its accuracy, the fastest of the open ones is looked for.
        fit = {one.case for one in found.fit or found.open}
        enough = rule.find(Rounds.of(group), fit, self._for_good.get(title))
        self._for_good[title] = {case: why for case, why in enough.items() if why.for_good}
        return enough
