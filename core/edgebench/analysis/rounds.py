"""Rounds: the blocks of a model's cases that were measured in one pass, compared within it.

The blocks of a round share their minute. So the ratio of two cases is taken within each round, and
what is left of its spread is weighed with that of the other cases of the model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.quick import estimate_ratio, is_wild, settle_spread
from edgebench.analysis.spread import Estimate, Prior, estimate, find_p, find_t

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgebench.analysis.result import Result
    from edgebench.cases.case import Case
    from edgebench.records.outcome import Block
    from edgebench.records.quick import Quick

Round = tuple[int, int]
"""Which start of the run, and which block of each case in it."""
FEWEST = 2
"""Rounds that two cases must share to be compared within them."""
FARTHEST = 14.0
"""A logarithm beyond which intervals end: a millionfold is as good as more."""


def find_company(case: Case) -> tuple[str, str, str]:
    """Return what cases share that are measured in rounds: model, variant and weights."""
    return case.model, case.variant, case.weights.label


@attrs.frozen(kw_only=True)
class Ratio:
    """How many times the latency of one case is that of another."""

    middle: float
    low: float
    high: float
    """The ends of its 95 % interval."""
    p: float
    """Of the two being equal, two-sided."""
    error: float
    """The standard error of its logarithm."""
    freedom: float
    """Degrees of freedom of that."""
    rounds: int
    """How many rounds it was taken within; 0 where the cases share too few."""
    blocks: int
    """How many blocks of each case it rests on; of the one that has fewer."""

    @classmethod
    def of(cls, found: Estimate, rounds: int, blocks: int | None = None) -> Ratio:
        """Make a ratio of an estimate of its logarithm; *blocks* where they share no rounds."""
        half = find_t(found.freedom) * found.error if found.freedom else FARTHEST
        middle = _limit(found.middle)
        return cls(
            middle=math.exp(middle),
            low=math.exp(_limit(found.middle - half)),
            high=math.exp(_limit(found.middle + half)),
            p=_find_p(found),
            error=found.error,
            freedom=found.freedom,
            rounds=rounds,
            blocks=rounds if blocks is None else blocks,
        )

    @property
    def half_width(self) -> float:
        """How far its 95 % interval reaches to each side, as a share of it."""
        return math.sqrt(self.high / self.low) - 1

    def invert(self) -> Ratio:
        """Return the ratio of the second to the first."""
        low, high = 1 / self.high, 1 / self.low
        return attrs.evolve(self, middle=1 / self.middle, low=low, high=high)


def _find_p(found: Estimate) -> float:
    if not found.middle or not found.freedom:
        return 1.0
    return find_p(found.middle / found.error, found.freedom) if found.error else 0.0


def _limit(logarithm: float) -> float:
    return max(-FARTHEST, min(FARTHEST, logarithm))


@attrs.frozen(eq=False)
class Rounds:
    """The medians of the blocks of some cases, by round."""

    medians: Mapping[Case, Mapping[Round, float]]
    """The logarithm of the median seconds of each block that counts."""
    quick: Quick | None = None
    """How they were measured in a quick run; None in any other. Without a spread that is not of
    cases like them."""

    @classmethod
    def of(cls, results: Sequence[Result]) -> Rounds:
        """Return the rounds of some results of one run."""
        medians = {one.case: dict(_list_medians(one)) for one in results}
        quick = results[0].quick if results else None
        lengths = {one.case: one.median for one in results if one.median is not None}
        return cls(medians, quick and settle_spread(quick, lengths))

    @cached_property
    def _companies(self) -> Mapping[tuple[str, str, str], list[Case]]:
        found: dict[tuple[str, str, str], list[Case]] = {}
        for case in self.medians:
            found.setdefault(find_company(case), []).append(case)
        return found

    @cached_property
    def _priors(self) -> dict[tuple[tuple[str, str, str], frozenset[Round]], Prior]:
        return {}

    def find_shared(self, one: Case, other: Case) -> frozenset[Round]:
        """Return the rounds in which both were measured; none for cases of two models."""
        if find_company(one) != find_company(other):
            return frozenset()
        return self.find_common((one, other))

    def find_common(self, cases: Sequence[Case]) -> frozenset[Round]:
        """Return the rounds in which all of some cases of one model were measured."""
        rounds = [frozenset(self.medians[case]) for case in cases]
        return frozenset.intersection(*rounds) if rounds else frozenset()

    def compare(self, one: Case, other: Case) -> Ratio:
        """Return how many times the latency of one case is that of another.

        The trimmed mean of the ratios within each round that they share (`spread.estimate`), on a
        logarithmic scale, so that swapping the two mirrors the interval; its variance is weighed
        with that of all cases of the model in the same rounds (`spread.Prior`). Of cases that
        share fewer than two rounds the blocks are compared unpaired, with the degrees of freedom
        of Welch 1947, Biometrika 34, 28-35: a round that was torn, by a run that was resumed or a
        block that failed, pairs nothing. In a quick run `quick.estimate_ratio` says how sure it is.
        """
        shared = self.find_shared(one, other)
        if self.quick is not None:
            return self._compare_quickly(one, other, shared)
        if len(shared) < FEWEST:
            return self._compare_unpaired(one, other)
        own, base = self.medians[one], self.medians[other]
        found = estimate([own[each] - base[each] for each in shared])
        return Ratio.of(self._find_prior(one, shared).moderate(found, times=2.0), len(shared))

    def _compare_quickly(self, one: Case, other: Case, shared: frozenset[Round]) -> Ratio:
        """Compare by what equal cases are known to differ by; by nothing where none is known."""
        own, base = self.medians[one], self.medians[other]
        rounds = sorted(shared) or sorted({*own} | {*base})
        logs = [average(v for k, v in each.items() if k in rounds) for each in (own, base)]
        spread = self.quick.spread if self.quick and len(shared) >= FEWEST else None
        table = self.tabulate(self._companies[find_company(one)], shared)
        return Ratio.of(estimate_ratio(logs[0] - logs[1], table, spread), len(shared))

    def are_wild(self, cases: Sequence[Case]) -> bool:
        """Say whether cases of a quick run differ more between rounds than equal ones would."""
        shared = self.find_common(cases)
        spread = self.quick.spread if self.quick and len(shared) >= FEWEST else None
        return spread is not None and is_wild(self.tabulate(cases, shared), spread)

    def _compare_unpaired(self, one: Case, other: Case) -> Ratio:
        own, base = (estimate(list(self.medians[case].values())) for case in (one, other))
        variance, freedom = own.variance + base.variance, 0.0
        if own.freedom and base.freedom and variance:
            parts = own.variance**2 / own.freedom + base.variance**2 / base.freedom
            freedom = variance**2 / parts
        blocks = min(len(self.medians[one]), len(self.medians[other]))
        return Ratio.of(Estimate(own.middle - base.middle, variance, freedom), 0, blocks)

    def _find_prior(self, case: Case, rounds: frozenset[Round]) -> Prior:
        """Return what the cases of a model say of the variance of one within these rounds."""
        key = find_company(case), rounds
        if key not in self._priors:
            self._priors[key] = _fit_prior(self.tabulate(self._companies[key[0]], rounds))
        return self._priors[key]

    def tabulate(self, cases: Sequence[Case], rounds: Iterable[Round]) -> NDArray[Any]:
        """Return the logarithms of block medians, (cases, rounds), of the cases that have all."""
        import numpy as np

        ordered = sorted(rounds)
        known = [medians for case in cases if (medians := self.medians[case]).keys() >= {*ordered}]
        return np.array([[medians[each] for each in ordered] for medians in known])

    def adjust(self, cases: Sequence[Case]) -> Mapping[Case, float]:
        """Return the logarithm of each case's latency as if all had been measured in all rounds.

        Least squares of a case's effect and a round's on the block medians, the one and the other
        in turn: cases that were given other rounds can then be put in order.
        """
        effects = {case: average(self.medians[case].values()) for case in cases}
        if len({frozenset(self.medians[case]) for case in cases}) <= 1:
            return effects
        level = 0.0
        for _ in range(20):
            by_round: dict[Round, list[float]] = {}
            for case in cases:
                for each, value in self.medians[case].items():
                    by_round.setdefault(each, []).append(value - effects[case])
            shift = {each: average(values) for each, values in by_round.items()}
            effects = {
                case: average(v - shift[each] for each, v in self.medians[case].items())
                for case in cases
            }
            level = average(shift.values())
        # Of a case that was in all rounds it is then the average of what was measured.
        return {case: effect + level for case, effect in effects.items()}


def average(values: Iterable[float]) -> float:
    """Return the mean of some numbers; infinite where there are none."""
    known = list(values)
    return sum(known) / len(known) if known else math.inf


def _list_medians(result: Result) -> Iterable[tuple[Round, float]]:
    return ((name_round(block), find_log_median(block)) for block in result.measured)


def name_round(block: Block) -> Round:
    """Return the round that a block belongs to."""
    return block.resumption, block.number


def find_log_median(block: Block, requests: int | None = None) -> float:
    """Return the logarithm of the median seconds of a block's requests, or of the first of them."""
    import numpy as np

    return math.log(float(np.median(np.asarray(block.latency_s)[:requests])))


def _fit_prior(table: NDArray[Any]) -> Prior:
    """Fit the variances of cases to what rounds and cases do not explain of their block medians.

    *table* holds logarithms, shape (cases, rounds). Of cases and rounds each (cases - 1) / cases
    of the variance is left by the means; what all but two cases have of degrees of freedom is not
    in the difference of these two.
    """
    cases = len(table)
    if cases <= 2:
        return Prior(0.0, 0.0)
    left = table - table.mean(axis=1, keepdims=True)
    left -= left.mean(axis=0, keepdims=True)
    scaled = left * math.sqrt(cases / (cases - 1))
    found = [estimate(row) for row in scaled]
    return Prior.fit(found, (cases - 2) * found[0].freedom)
