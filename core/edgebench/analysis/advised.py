"""What is asked of strategies, and what is then advised: the records of a recommendation."""

from __future__ import annotations

import attrs

from edgebench.analysis.admission import VERDICTS, Check
from edgebench.analysis.bounds import Bound, Drop
from edgebench.analysis.result import Result

Triple = tuple[float, float, float]
"""A ratio, and the ends of its 95 % interval."""


@attrs.frozen(kw_only=True)
class Wish:
    """What somebody asks of a strategy."""

    bounds: tuple[Bound, ...] = ()
    drops: tuple[Drop, ...] = ()
    """Without any a margin bounds the figure that decides, of cases of which a loss is known."""
    margin: Drop | None = None
    """That margin; None for that of the study."""
    admit_open: bool = False
    """Whether what is not shown to keep to a bound, nor not to, is taken for what keeps to it."""


@attrs.frozen(kw_only=True)
class Candidate:
    """A strategy, how it stands to each bound, and to the best."""

    result: Result
    checks: tuple[Check, ...]
    median: float
    """Seconds."""
    ends: tuple[float, float]
    """The 95 % interval of the median, as a report shows it."""
    probability: float | None = None
    """In how many of the resamples it is the best of those that keep to the bounds, 0 to 1; None
    where it does not compete."""
    standing: str = ""
    """`best`, or to the best: `equal`, `undecided`, `slower`; empty where it is not ranked, or was
    not among the quickest that study mode compares."""
    ratio: tuple[float, float, float] | None = None
    """Its median over that of the best, and the ends of the 95 % interval."""

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`: the worst of its checks."""
        return max((one.verdict for one in self.checks), key=VERDICTS.index, default="met")

    @property
    def failing(self) -> tuple[Check, ...]:
        """The checks that it does not meet."""
        return tuple(one for one in self.checks if one.verdict != "met")


@attrs.frozen(kw_only=True)
class Advice:
    """What is recommended of one model under one set of conditions."""

    title: str
    within: float
    """The margin below which two medians are equal in practice."""
    bounds: tuple[Bound | Drop, ...]
    """Those that were applied: a study's margin too where no loss was bounded."""
    accuracy_known: bool
    by_request: bool
    """Whether requests were drawn, as each case is one block."""
    rounds: int
    studied: int = 0
    """How many strategies study mode held against each other; 0 where rounds tell."""
    ranked: tuple[Candidate, ...] = ()
    """Shown to keep to all bounds, or admitted; the best first."""
    open: tuple[Candidate, ...] = ()
    """Neither shown to keep to them nor not to; that of the lowest median first, as all below."""
    unchecked: tuple[Candidate, ...] = ()
    """Of which a bound cannot be checked."""
    missed: tuple[Candidate, ...] = ()
    refuted: tuple[Result, ...] = ()
    """Whose outputs are another model's: never recommended."""
    unfinished: tuple[Result, ...] = ()
    """Without all their blocks, or of one block alone: never recommended either."""
    front: tuple[Result, ...] = ()
    """Beaten by none in latency, accuracy and size together, whatever the bounds."""

    def with_result(self, result: Result) -> Advice:
        """Return the same with more known of one result: it was read without its phases."""

        def refresh(found: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
            same = (one.result.case.id == result.case.id for one in found)
            pairs = zip(found, same, strict=True)
            return tuple(attrs.evolve(one, result=result) if own else one for one, own in pairs)

        return attrs.evolve(
            self,
            ranked=refresh(self.ranked),
            open=refresh(self.open),
            unchecked=refresh(self.unchecked),
            missed=refresh(self.missed),
        )

    @property
    def best(self) -> Candidate | None:
        """The first that is recommended; None if nothing is."""
        return self.ranked[0] if self.ranked else None

    @property
    def nearest(self) -> Candidate | None:
        """Where nothing is recommended, what misses the fewest bounds, and these by the least."""
        if self.ranked:
            return None
        rest = [*self.open, *self.unchecked, *self.missed]
        return min(rest, key=_measure_miss, default=None)

    @property
    def none_best(self) -> float:
        """In how many resamples nothing that competes keeps to the bounds, 0 to 1."""
        known = [one.probability for one in (*self.ranked, *self.open) if one.probability]
        return max(0.0, 1 - sum(known))


def _measure_miss(candidate: Candidate) -> tuple[int, float]:
    return len(candidate.failing), max(one.excess for one in candidate.failing)
