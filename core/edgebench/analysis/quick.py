"""What two blocks of ten requests say, where it is known what equal cases differ by in as few.

The deviations are those of an A/A run of the same machine (`repeatability.find_equal_spread`): of
c copies in r rounds, s within a round and b between rounds, as Searle, Casella and McCulloch 1992,
Variance Components, chapter 4, estimate them in a two-way layout without interaction.
"""

from __future__ import annotations

from statistics import variance
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.bounds import write_ms
from edgebench.analysis.prefixes import UNTRANSFORMED
from edgebench.analysis.spread import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edgebench.cases.case import Case
    from edgebench.records.quick import EqualSpread, Quick

FAR = 3.0
"""Cases that are so many times as long as the one that was copied, or as short, are unlike it:
what a long one differs by, as a share, is mostly less."""
WILD = 0.05
"""Cases that differ from round to round by more than equal ones would in so large a share of runs
are held against what they themselves do."""


def estimate_ratio(difference: float, table: NDArray[Any], spread: EqualSpread | None) -> Estimate:
    """Return the estimate of the logarithm of a ratio of two cases, taken within the rounds.

    What a round does to both cancels, so that of n rounds the variance is 2 s^2 / n, with the
    (c - 1) (r - 1) degrees of freedom that s has. Where the cases of this run differ from round to
    round by more than s explains (an F test at 5 %; another case than the one that was copied, or
    a busier machine), their own variance and its few degrees of freedom stand in its place.

    Args:
        difference: The mean of the logarithms of one case less those of the other.
        table: Those of all cases of their model in these rounds, shape (cases, rounds).
        spread: What equal cases are known to differ by; None where nothing is known, and then
            nothing of the variance is either.
    """
    if spread is None:
        return Estimate(difference, 0.0, 0.0)
    single, freedom = spread.within**2, float((spread.copies - 1) * (spread.rounds - 1))
    if is_wild(table, spread):
        single, freedom = _find_own(table)
    return Estimate(difference, 2 * single / table.shape[1], freedom)


def is_wild(table: NDArray[Any], spread: EqualSpread) -> bool:
    """Say whether cases differ from round to round by more than equal ones would.

    *table* holds the logarithms of block medians, shape (cases, rounds).
    """
    known = (spread.copies - 1.0) * (spread.rounds - 1)
    return _exceeds(*_find_own(table), spread.within**2, known)


def _exceeds(own: float, freedom: float, known: float, known_freedom: float) -> bool:
    """Say whether a variance is more than a known one, each with its degrees of freedom."""
    from scipy.special import fdtrc

    if not freedom or not known:
        return own > 0
    return float(fdtrc(freedom, known_freedom, own / known)) < WILD


def _find_own(table: NDArray[Any]) -> tuple[float, float]:
    """Return the variance that cases and rounds do not explain, and its degrees of freedom."""
    cases, rounds = table.shape
    freedom = float((cases - 1) * (rounds - 1))
    if not freedom:
        return 0.0, 0.0
    left = table - table.mean(axis=1, keepdims=True)
    left -= left.mean(axis=0, keepdims=True)
    return float((left**2).sum()) / freedom, freedom


def estimate_median(logs: Sequence[float], spread: EqualSpread) -> Estimate:
    """Return the estimate of the logarithm of a median, from those of the blocks' medians.

    What a round does is in it: of n blocks the variance is (s^2 + b^2) / n. With V, the variance of
    the means of the A/A run's rounds, s^2 + b^2 = V + s^2 (1 - 1 / c), whose degrees of freedom are
    Satterthwaite's (1946, Biometrics Bulletin 2, 110-114). Where the blocks differ by more than
    that explains (an F test at 5 %), their own variance stands in its place, as in a ratio.
    """
    within, between = spread.within**2, spread.between**2
    by_round = between + within / spread.copies
    by_copy = within * (1 - 1 / spread.copies)
    whole = by_round + by_copy
    parts = by_round**2 / (spread.rounds - 1)
    parts += by_copy**2 / ((spread.copies - 1) * (spread.rounds - 1))
    freedom = whole**2 / parts if parts else 1e6
    middle, own = sum(logs) / len(logs), variance(logs)
    if _exceeds(own, len(logs) - 1, whole, freedom):
        whole, freedom = own, len(logs) - 1.0
    return Estimate(middle, whole / len(logs), freedom)


def settle_spread(quick: Quick, medians: Mapping[Case, float]) -> Quick:
    """Return how some cases were measured, without figures of equal cases that are unlike them.

    The shortest of the cases decides, as it differs by most. One of the same model under the same
    conditions as the one that was copied counts as being as long, whatever operators did to it;
    untransformed, or where it is the very case that was copied, as long as it was measured to be.

    Args:
        quick: How their run was measured.
        medians: The latencies of the cases that are looked at together, in seconds.
    """
    found = quick.spread
    if found is None or not found.median_s or not medians:
        return quick
    shortest = min(
        seconds if is_measured(case, quick) else found.median_s for case, seconds in medians.items()
    )
    if found.median_s / FAR <= shortest <= found.median_s * FAR:
        return quick
    return attrs.evolve(quick, spread=None, unlike=found)


def is_measured(case: Case, quick: Quick) -> bool:
    """Say whether the length of a case is what it was measured to be, not that of its like."""
    plain = not case.chain or case.chain == UNTRANSFORMED
    copied = quick.spread is not None and quick.spread.case_id == case.id
    return plain or copied or case.id not in quick.like


def say_nothing_is_told(quick: Quick) -> str:
    """Say why a quick run calls nothing faster, without a full stop."""
    if (found := quick.unlike) is not None:
        return (
            "nothing is called faster: the A/A figures stored of this machine are of a case of "
            f"{write_ms(found.median_s)} ms, {found.case}: `edgebench run --aa --model M ...` "
            "stores nearer ones"
        )
    return (
        "nothing is called faster: no A/A figures of this machine are stored; "
        "`edgebench run --aa --model M` stores them"
    )


def describe_quick(quick: Quick) -> str:
    """Say what a quick run is worth, in a sentence without its full stop."""
    said = f"A quick run, {quick.blocks} blocks of {quick.requests} requests a case, is rough"
    if quick.spread is None:
        return f"{said}, and {say_nothing_is_told(quick)}"
    found = quick.spread
    long = f", {write_ms(found.median_s)} ms" if found.median_s else ""
    return (
        f"{said}: intervals are made from what equal cases differed by on this machine, up to "
        f"{found.difference:.1%} in 95 of 100, in the A/A run of {found.measured[:10]} of "
        f"{found.case}{long}"
    )
