"""Several strategies of one model held against each other: all of them, then each two.

Where blocks were measured in rounds, a round is the replicate: requests of one process are one
draw. Of what was imported as one block only the study mode is left, which tests requests as the
studies did and says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.intervals import NORMAL
from edgebench.analysis.rank_tests import (
    MAGNITUDES,
    Pair,
    adjust,
    conover_friedman,
    conover_iman,
    friedman,
    kruskal_wallis,
    shapiro_wilk,
    wilcoxon_exact,
)
from edgebench.analysis.verdicts import (
    LEVEL,
    Verdicts,
    count_pairs,
    find_least_difference,
    was_dropped,
)

if TYPE_CHECKING:
    from edgebench.analysis.rank_tests import RankTest
    from edgebench.analysis.result import Result
    from edgebench.analysis.rounds import Round

STUDY, ROUNDS, NONE = "study", "rounds", "none"
"""What a replicate is: a request, as in the studies; a round; nothing, as there are too few."""
FEWEST_ROUNDS = 2
CONTENDERS = 24
"""As many strategies, those of the lowest medians, are compared to find the fastest in study mode:
all pairs of a thousand would take minutes."""
CORRECTION = "holm"
"""How the p values of all pairs of one question are adjusted."""


@attrs.frozen(kw_only=True)
class Versus:
    """How one strategy stands to another."""

    first: Result
    second: Result
    verdict: str
    """Of the first: `faster`, `slower`, `equal` or `undecided`."""
    ratio: float
    """How many times the first takes as long as the second."""
    ratio_ci95: tuple[float, float] | None = None
    """Within rounds; None in study mode."""
    tested: Pair | None = None
    """None where one of them was dropped early, and is left out of the tests."""
    least: float | None = None
    """The least difference, as a share, that their rounds would have told; None in study mode."""
    wilcoxon: float | None = None
    """The exact p of the signed ranks over rounds, adjusted too; None where Holm could not be met.
    """

    def turn(self) -> Versus:
        """Return how the second stands to the first."""
        ends = self.ratio_ci95
        turned = {"faster": "slower", "slower": "faster"}
        return attrs.evolve(
            self,
            first=self.second,
            second=self.first,
            verdict=turned.get(self.verdict, self.verdict),
            ratio=1 / self.ratio,
            ratio_ci95=(1 / ends[1], 1 / ends[0]) if ends else None,
            tested=_turn(self.tested) if self.tested else None,
        )


def _turn(pair: Pair) -> Pair:
    return attrs.evolve(pair, first=pair.second, second=pair.first, delta=-pair.delta)


@attrs.frozen(kw_only=True)
class GroupTest:
    """What is found of several strategies."""

    results: tuple[Result, ...]
    """The strategies, the lowest median first, those that were dropped early last."""
    mode: str
    """One of `STUDY`, `ROUNDS` and `NONE`."""
    why_not: str = ""
    """Why nothing was tested."""
    name: str = ""
    """The test of all of them."""
    symbol: str = ""
    """What its statistic is called."""
    post_hoc: str = ""
    correction: str = ""
    whole: RankTest | None = None
    replicates: tuple[int, ...] = ()
    """How many requests of each, or how many rounds of all."""
    pairs: tuple[Versus, ...] = ()
    dropped: tuple[Result, ...] = ()
    """Those that were dropped early, as another was shown to be faster: the tests are without them.
    """

    def find(self, one: Result, other: Result) -> Versus | None:
        """Return how one strategy stands to another; None where that was not tested."""
        return self._by_ids.get((one.case.id, other.case.id))

    @cached_property
    def _by_ids(self) -> Mapping[tuple[str, str], Versus]:
        ways = [way for pair in self.pairs for way in (pair, pair.turn())]
        return {(way.first.case.id, way.second.case.id): way for way in ways}


def compare_all(results: Sequence[Result], verdicts: Verdicts) -> GroupTest:
    """Hold measured results against each other, at least two, all of one model.

    In study mode: Kruskal-Wallis over the requests, Conover-Iman with Holm's correction, and
    Cliff's delta. Two differ where the adjusted p is at most 5 % and delta is not negligible; they
    are equal where its whole 95 % interval is negligible, which takes about 120 requests of each at
    the least, and undecided otherwise.

    By rounds: Friedman and Conover-Friedman with Holm's correction over the block medians of the
    rounds that all of them share; how two stand follows from the interval of their ratio within
    rounds (`verdicts.judge`). Wilcoxon's signed ranks are added where so many rounds can meet Holm.
    What was dropped early is left out of the tests, which would have no more rounds than it had,
    and is slower than what it was dropped for.
    """
    ranked = tuple(sorted(results, key=lambda one: (was_dropped(one), one.median or 0.0)))
    if any(one.facts.imported for one in ranked):
        return _test_requests(ranked)
    kept = tuple(one for one in ranked if not was_dropped(one)) or ranked
    shared = sorted(verdicts.rounds.find_common([one.case for one in kept]))
    if len(shared) < FEWEST_ROUNDS:
        many = f"{len(shared)} round{'s' * (len(shared) != 1)}"
        why = f"{many} shared by all of them, and at least {FEWEST_ROUNDS} are needed"
        return GroupTest(results=ranked, mode=NONE, why_not=why)
    return _test_rounds(ranked, len(kept), shared, verdicts)


def answer_by_study(results: Sequence[Result], verdicts: Verdicts) -> str:
    """Say what the study mode finds the fastest of strategies that were imported as one block.

    Empty where none was, or nothing is left to compare.
    """
    imported = [one for one in results if one.facts.imported]
    if len(imported) < 2:
        return ""
    quickest = sorted(imported, key=lambda one: one.median or 0.0)[:CONTENDERS]
    test = compare_all(quickest, verdicts)
    best, *others = test.results
    stands = [found for one in others if (found := test.find(one, best))]
    beside = [one.first for one in stands if one.verdict != "slower"]
    name, median = _name(best), write_ms(best.median)
    among = f" among the {CONTENDERS} of the lowest medians" * (len(imported) > CONTENDERS)
    lead = f"has the lowest median, {median}, and is the fastest"
    if beside:
        names = ", ".join(map(_name, beside))
        lead = f"has the lowest median, {median}; not told from it: {names}"
    return (
        f"by study mode ({test.name} over requests, {test.post_hoc} with "
        f"{test.correction.title()}'s correction{among}), as one block each was imported: "
        f"{name} {lead}. What differs between processes or days is not in it."
    )


def write_ms(seconds: float | None) -> str:
    """Write seconds for people, in milliseconds with three digits or all before the point."""
    value = 1e3 * (seconds or 0.0)
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def _name(result: Result) -> str:
    return f"{result.case.chain} on {result.case.placement}"


def is_normal(result: Result) -> bool | None:
    """Say whether requests may be normally distributed (Shapiro-Wilk at 5 %); None if not known."""
    found = shapiro_wilk(result.latency.seconds) if result.latency else None
    return None if found is None else found.p > LEVEL


# --- requests ------------------------------------------------------------------------------------


def _test_requests(ranked: tuple[Result, ...]) -> GroupTest:
    samples = [one.latency.seconds for one in ranked if one.latency]
    sizes = tuple(map(len, samples))
    pairs = conover_iman(samples, CORRECTION)
    return GroupTest(
        results=ranked,
        mode=STUDY,
        name="Kruskal-Wallis",
        symbol="H",
        post_hoc="Conover-Iman",
        correction=CORRECTION,
        whole=kruskal_wallis(samples),
        replicates=sizes,
        pairs=tuple(_pair_up(ranked, pair, _judge_requests(pair, sizes)) for pair in pairs),
    )


def _judge_requests(pair: Pair, sizes: Sequence[int]) -> str:
    if pair.magnitude == "negligible":
        half = _find_half_width(sizes[pair.first], sizes[pair.second])
        return "equal" if abs(pair.delta) + half < MAGNITUDES["negligible"] else "undecided"
    if pair.adjusted > LEVEL:
        return "undecided"
    return "slower" if pair.delta > 0 else "faster"


def _find_half_width(one: int, other: int) -> float:
    """Return how far the 95 % interval of a small delta reaches to each side of it.

    Where nothing differs its variance is (n + m + 1) / 3 n m (Mann and Whitney 1947, Annals of
    Mathematical Statistics 18), and so small a delta changes that little.
    """
    return NORMAL * math.sqrt((one + other + 1) / (3 * one * other))


def _pair_up(ranked: Sequence[Result], pair: Pair, verdict: str) -> Versus:
    first, second = ranked[pair.first], ranked[pair.second]
    ratio = (first.median or 0.0) / (second.median or 1.0)
    return Versus(first=first, second=second, verdict=verdict, ratio=ratio, tested=pair)


# --- rounds --------------------------------------------------------------------------------------


def _test_rounds(
    ranked: tuple[Result, ...], kept: int, shared: Sequence[Round], verdicts: Verdicts
) -> GroupTest:
    """Test the first of the ranked, as many as were kept, and hold the others against each."""
    test = GroupTest(
        results=ranked, mode=ROUNDS, replicates=(len(shared),), dropped=ranked[kept:],
        pairs=tuple(
            _judge_rounds(ranked, one, two, verdicts)
            for one, two in combinations(range(len(ranked)), 2)
            if two >= kept
        ),
    )  # fmt: skip
    if kept < 2:
        return attrs.evolve(test, why_not="all others were dropped early, as slower")
    table: Any = verdicts.rounds.tabulate([one.case for one in ranked[:kept]], shared).T
    pairs = conover_friedman(table, CORRECTION)
    signed = zip(pairs, _rank_signs(table, pairs), strict=True)
    judged = (
        (_judge_rounds(ranked, pair.first, pair.second, verdicts), pair, p) for pair, p in signed
    )
    tested = (attrs.evolve(one, tested=pair, wilcoxon=p) for one, pair, p in judged)
    return attrs.evolve(
        test,
        name="Friedman",
        symbol="Q",
        post_hoc="Conover-Friedman",
        correction=CORRECTION,
        whole=friedman(table),
        pairs=(*tested, *test.pairs),
    )


def _rank_signs(table: Any, pairs: Sequence[Pair]) -> Sequence[float | None]:
    """Return Wilcoxon's p for each pair, adjusted; None where not even the least could be met."""
    least = 2.0 ** (1 - len(table))
    if least * len(pairs) > LEVEL:
        return [None] * len(pairs)
    found = [wilcoxon_exact(table[:, pair.first], table[:, pair.second]).p for pair in pairs]
    return adjust(found, CORRECTION)


def _judge_rounds(ranked: Sequence[Result], one: int, two: int, verdicts: Verdicts) -> Versus:
    first, second = ranked[one], ranked[two]
    ratio, pairs = verdicts.compare(first, second), count_pairs(len(ranked))
    return Versus(
        first=first,
        second=second,
        verdict=verdicts.stand(first, second, pairs),
        ratio=ratio.middle,
        ratio_ci95=(ratio.low, ratio.high),
        least=find_least_difference(ratio, verdicts.within, pairs),
    )
