"""What equal cases differ by on a machine, from copies of one case measured in rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.rounds import find_log_median
from edgebench.records.quick import REQUESTS, EqualSpread, describe_conditions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgebench.analysis.result import Result
    from edgebench.cases.case import Case
    from edgebench.records.outcome import Block, Run
    from edgebench.records.quick import Setting

NOT_KNOWN = "what equal cases differ by is not known: fewer than two rounds were measured whole"
NOT_YET = "what equal cases differ by is told when the run has come to its end"
COPIES = 20
"""Copies of a case that are measured: 190 pairs, of which 9 or 10 lie beyond the percentile."""
FEWEST = 2
"""Copies, and rounds, from which on anything can be said."""


@attrs.frozen(kw_only=True)
class Repeatability:
    """What equal measurements on one machine differ by: its A/A difference."""

    difference: float
    """The 95th percentile of the relative differences between the medians of two copies."""
    blocks: int
    """How many blocks each copy was measured in."""
    within: float
    """Standard deviation of the logarithms of block medians within a round."""
    between: float
    """That of the rounds themselves."""

    @classmethod
    def of(cls, blocks: Sequence[Block], copies: int) -> Repeatability | None:
        """Return that of a case whose blocks were measured so many times in each round.

        Block n belongs to round n // *copies*. Only rounds that one start of the run measured whole
        count. None of fewer than two of them, or of fewer than two copies.

        The deviations are those of a two-way layout of copies and rounds without interaction
        (Searle, Casella and McCulloch 1992, Variance Components, chapter 4).
        """
        import numpy as np

        whole = _list_whole_rounds(blocks, copies)
        if not whole:
            return None
        within, between = _find_deviations(_tabulate(whole))
        medians = [_find_median([one[n] for one in whole]) for n in range(copies)]
        apart = [max(one, other) / min(one, other) - 1 for one, other in combinations(medians, 2)]
        return cls(
            difference=float(np.quantile(apart, 0.95)),
            blocks=len(whole),
            within=within,
            between=between,
        )


def find_equal_spread(
    blocks: Sequence[Block], copies: int, case: Case, setting: Setting, measured: str
) -> EqualSpread | None:
    """Return what equal cases differ by in a quick run, from an A/A run of *case* begun then.

    *setting* is what that case measured.

    As `Repeatability.of`, of the first requests of each block alone, as many as a quick run
    measures: the median of ten says less than that of a hundred. The difference is that of two
    copies in any two rounds, the mean of the logarithms of their ratios.
    """
    import numpy as np

    whole = _list_whole_rounds(blocks, copies)
    if not whole:
        return None
    kept = [one.latency_s for each in whole for one in each.values() if one.latency_s is not None]
    requests = min(REQUESTS, *map(len, kept))
    table = _tabulate(whole, requests)
    within, between = _find_deviations(table)
    pairs = [(one + other) / 2 for one, other in combinations(table, 2)]
    apart = [abs(one - other) for pair in pairs for one, other in combinations(pair, 2)]
    return EqualSpread(
        difference=math.expm1(float(np.quantile(apart, 0.95))),
        within=within,
        between=between,
        copies=copies,
        rounds=len(whole),
        requests=requests,
        case=_name(case),
        subject=setting.subject,
        measured=measured,
        case_id=case.id,
        conditions=setting.conditions,
        median_s=math.exp(float(table.mean())),
    )


def describe_copies(run: Run, results: Sequence[Result]) -> str:
    """Say what the copies of an A/A run show, a half sentence; nothing of any other run."""
    copies = max((one.facts.copies for one in results), default=1)
    if copies < FEWEST:
        return ""
    if run.aa_difference is None:
        return NOT_KNOWN if run.finished else NOT_YET
    return (
        f"equal cases differ by up to {run.aa_difference:.1%} on this machine (95th percentile of "
        f"{math.comb(copies, 2)} pairs of {copies} copies, each measured in {run.aa_blocks} blocks)"
        f"; medians of their blocks by {run.aa_within or 0.0:.1%} within a round and by "
        f"{run.aa_between or 0.0:.1%} between rounds (standard deviations); kept for --quick on "
        "this machine"
    )


def _name(case: Case) -> str:
    """Return a case in words, with all of its conditions."""
    return case.label + describe_conditions(case).removeprefix(f"on {case.placement}")


def _list_whole_rounds(blocks: Sequence[Block], copies: int) -> list[Mapping[int, Block]]:
    """Return the rounds that hold all copies, by copy; none where there is nothing to be said."""
    rounds: dict[tuple[int, int], dict[int, Block]] = {}
    for block in blocks:
        key = block.resumption, block.number // copies
        rounds.setdefault(key, {})[block.number % copies] = block
    whole = [one for _, one in sorted(rounds.items()) if len(one) == copies]
    return [] if copies < FEWEST or len(whole) < FEWEST else [*whole]


def _tabulate(whole: Sequence[Mapping[int, Block]], requests: int | None = None) -> NDArray[Any]:
    """Return the logarithms of block medians, shape (rounds, copies), of the first *requests*."""
    import numpy as np

    copies = range(len(whole[0]))
    return np.array([[find_log_median(one[n], requests) for n in copies] for one in whole])


def _find_deviations(table: NDArray[Any]) -> tuple[float, float]:
    """Return the standard deviations within a round and between rounds (`Repeatability.of`)."""
    rounds, copies = table.shape
    left = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    within = float((left**2).sum() / ((copies - 1) * (rounds - 1)))
    between = float(table.mean(axis=1).var(ddof=1)) - within / copies
    return within**0.5, max(0.0, between) ** 0.5


def _find_median(blocks: Sequence[Block]) -> float:
    """Return the median of all requests of some blocks, as a result shows it."""
    import numpy as np

    return float(np.median(np.concatenate([np.asarray(b.latency_s) for b in blocks])))
