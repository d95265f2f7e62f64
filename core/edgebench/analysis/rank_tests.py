"""Rank tests and effect sizes: those of the studies, and those that take rounds as replicates.

scipy computes what it has and is imported when it is needed. Values are seconds or any other number
of which larger is more; what is returned has no unit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CORRECTIONS = ("none", "bonferroni", "holm")
"""How p values of several comparisons may be adjusted: `adjust` says what each does."""
MAGNITUDES: Mapping[str, float] = {"negligible": 0.147, "small": 0.33, "medium": 0.474}
"""Below which absolute value of Cliff's delta a difference is called so; `large` from there on."""
MOST_NORMAL = 5000
"""Up to so many values Royston's p of the Shapiro-Wilk test is known to hold."""


@attrs.frozen(kw_only=True)
class RankTest:
    """A statistic, and the probability of one as extreme where nothing differs."""

    statistic: float
    p: float


@attrs.frozen(kw_only=True)
class Pair:
    """Two of several groups, compared after all of them were."""

    first: int
    """Which group, from 0; so the second."""
    second: int
    t: float
    """Without a sign; infinite where nothing varies but between groups."""
    p: float
    adjusted: float
    """The p value, adjusted for all comparisons of the same groups."""
    delta: float
    """Cliff's delta: above 0 where the first tends to be larger."""
    magnitude: str
    """What that is called."""


# --- effect sizes and corrections ----------------------------------------------------------------


def cliffs_delta(one: ArrayLike, other: ArrayLike) -> float:
    """Return by how much more often a value of the first is larger than one of the second.

    delta = [#(a > b) - #(a < b)] / (n_a n_b), -1 to 1 (Cliff 1993, Psychological Bulletin 114).
    Counted by sorting, in memory of n_a + n_b.

    Args:
        one: Values, shape (n_a,), at least one.
        other: Values, shape (n_b,), at least one.
    """
    import numpy as np

    values, against = np.asarray(one, dtype=float), np.sort(np.asarray(other, dtype=float))
    above = int(np.searchsorted(against, values, side="left").sum())
    below = len(values) * len(against) - int(np.searchsorted(against, values, side="right").sum())
    return (above - below) / (len(values) * len(against))


def name_magnitude(delta: float) -> str:
    """Return what a Cliff's delta is called: negligible, small, medium or large.

    By the thresholds 0.147, 0.33 and 0.474 (Romano et al. 2006, Florida Association of
    Institutional Research).
    """
    return next((name for name, limit in MAGNITUDES.items() if abs(delta) < limit), "large")


def adjust(p_values: Sequence[float], correction: str) -> tuple[float, ...]:
    """Return p values adjusted for how many there are, in their order, none above 1.

    `bonferroni` multiplies each by their number (Dunn 1961, JASA 56); `holm` does so step by step
    from the least on, and is never worse (Holm 1979, Scandinavian Journal of Statistics 6); `none`
    leaves them.

    Raises:
        ValueError: There is no such correction.
    """
    if correction not in CORRECTIONS:
        raise ValueError(f"correction must be one of {', '.join(CORRECTIONS)}, not {correction!r}")
    count = len(p_values)
    if correction == "none":
        return tuple(p_values)
    if correction == "bonferroni":
        return tuple(min(1.0, count * p) for p in p_values)
    found, least = [0.0] * count, 0.0
    for step, place in enumerate(sorted(range(count), key=p_values.__getitem__)):
        least = max(least, min(1.0, (count - step) * p_values[place]))
        found[place] = least
    return tuple(found)


# --- groups of values that share nothing ---------------------------------------------------------


def shapiro_wilk(values: ArrayLike) -> RankTest | None:
    """Test whether values may be drawn from a normal distribution (Shapiro and Wilk 1965).

    Biometrika 52, with Royston's p value (1995, Applied Statistics 44); by scipy.

    Args:
        values: Shape (n,).

    Returns:
        W and its p; None for fewer than 3 values, more than 5000, or values that are all equal,
        where the test says nothing.
    """
    import numpy as np
    from scipy import stats

    given = np.asarray(values, dtype=float)
    if not 3 <= len(given) <= MOST_NORMAL or np.ptp(given) == 0:
        return None
    found = stats.shapiro(given)
    return RankTest(statistic=float(found.statistic), p=float(found.pvalue))


def kruskal_wallis(groups: Sequence[ArrayLike]) -> RankTest:
    """Test whether groups of values differ at all (Kruskal and Wallis 1952, JASA 47).

    H with its correction for ties, and its p by the chi-square distribution; by scipy. Where all
    values are equal nothing differs: H is 0 and p is 1.

    Args:
        groups: At least two, each of shape (n,) and not empty.
    """
    import numpy as np
    from scipy import stats

    arrays = [np.asarray(group, dtype=float) for group in groups]
    if np.ptp(np.concatenate(arrays)) == 0:
        return RankTest(statistic=0.0, p=1.0)
    found = stats.kruskal(*arrays)
    return RankTest(statistic=float(found.statistic), p=float(found.pvalue))


def conover_iman(groups: Sequence[ArrayLike], correction: str = "none") -> tuple[Pair, ...]:
    """Compare each two of several groups after Kruskal-Wallis (Conover and Iman 1979, LA-7677-MS).

    t = |mean rank - mean rank| / sqrt(S2 (N-1-H)/(N-k) (1/n_i + 1/n_j)) with N - k degrees of
    freedom, where S2 = [sum r^2 - N(N+1)^2/4]/(N-1). Where all values are equal, or every group has
    one value, nothing can be told: p is 1.

    Args:
        groups: At least two, each of shape (n,) and not empty.
        correction: One of `CORRECTIONS`, over all pairs of these groups.
    """
    import numpy as np
    from scipy import stats

    arrays = [np.asarray(group, dtype=float) for group in groups]
    sizes = np.array([len(array) for array in arrays])
    ranks = stats.rankdata(np.concatenate(arrays))
    means = [float(part.mean()) for part in np.split(ranks, np.cumsum(sizes)[:-1])]
    count, freedom = len(ranks), len(ranks) - len(arrays)
    spread = float((ranks**2).sum() - count * (count + 1) ** 2 / 4) / max(count - 1, 1)
    left = max(count - 1 - kruskal_wallis(arrays).statistic, 0.0) / max(freedom, 1)
    places = list(combinations(range(len(arrays)), 2))
    scales = [math.sqrt(spread * left * (1 / sizes[i] + 1 / sizes[j])) for i, j in places]
    t_values = [
        _divide(abs(means[i] - means[j]), scale if freedom else math.inf)
        for (i, j), scale in zip(places, scales, strict=True)
    ]
    p_values = (2 * stats.t.sf(t_values, max(freedom, 1))).tolist()
    return _make_pairs(arrays, places, t_values, p_values, correction)


def _divide(value: float, by: float) -> float:
    """Return a ratio; 0 for nothing over nothing, infinity for something over nothing."""
    return value / by if by else (math.inf if value > 0 else 0.0)


def _make_pairs(
    arrays: Sequence[NDArray[Any]],
    places: Sequence[tuple[int, int]],
    t_values: Sequence[float],
    p_values: Sequence[float],
    correction: str,
) -> tuple[Pair, ...]:
    found = []
    adjusted = adjust(p_values, correction)
    for (i, j), t, p, q in zip(places, t_values, p_values, adjusted, strict=True):
        delta = cliffs_delta(arrays[i], arrays[j])
        magnitude = name_magnitude(delta)
        pair = Pair(first=i, second=j, t=t, p=p, adjusted=q, delta=delta, magnitude=magnitude)
        found.append(pair)
    return tuple(found)


# --- values that belong together -----------------------------------------------------------------


def wilcoxon_exact(one: ArrayLike, other: ArrayLike) -> RankTest:
    """Test whether paired values differ, by signed ranks, with the exact two-sided p.

    Pairs without a difference are left out (Wilcoxon 1945, Biometrics Bulletin 1); differences that
    are equally large share their mean rank. How many of the 2^n signs give each sum of doubled
    ranks, which are whole numbers, is counted rank by rank (as Streitberg and Roehmel 1986,
    Statistical Software Newsletter 12), so that p is exact with ties too. Without any difference p
    is 1.

    Args:
        one: Values, shape (n,).
        other: Those that belong to them, shape (n,).

    Returns:
        The smaller of the two sums of ranks, and p.
    """
    import numpy as np
    from scipy import stats

    differences = np.asarray(one, dtype=float) - np.asarray(other, dtype=float)
    differences = differences[differences != 0]
    doubled = np.rint(2 * stats.rankdata(np.abs(differences))).astype(int)
    total, upper = int(doubled.sum()), int(doubled[differences > 0].sum())
    least = min(upper, total - upper)
    shares = np.zeros(total + 1)
    shares[0] = 1.0
    for rank in doubled.tolist():
        moved = shares.copy()
        moved[rank:] += shares[: total + 1 - rank]
        shares = moved / 2
    return RankTest(statistic=least / 2, p=min(1.0, 2 * float(shares[: least + 1].sum())))


def friedman(blocks: ArrayLike) -> RankTest:
    """Test whether treatments differ at all, each ranked within its block (Friedman 1937, JASA 32).

    The statistic with its correction for ties, and p by the chi-square distribution, which for few
    blocks is rather too large than too small. Where every block's values are equal p is 1.

    Args:
        blocks: Shape (blocks, treatments), at least two treatments, nothing missing.
    """
    from scipy.special import chdtrc

    ranks = _rank_blocks(blocks)
    treatments = ranks.shape[1]
    statistic = _find_friedman(ranks)
    return RankTest(statistic=statistic, p=float(chdtrc(treatments - 1, statistic)))


def _rank_blocks(blocks: ArrayLike) -> NDArray[Any]:
    """Return the rank of each value in its row, from 1, equal values sharing the mean of theirs."""
    import numpy as np

    # scipy's own function comes with all its statistics, which take a second to import.
    ranks = np.empty(np.shape(blocks))
    for row, values in zip(ranks, np.asarray(blocks, dtype=float), strict=True):
        _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
        row[:] = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def _find_friedman(ranks: NDArray[Any]) -> float:
    count, treatments = ranks.shape
    middle = count * treatments * (treatments + 1) ** 2 / 4
    between = float((ranks.sum(axis=0) ** 2).sum()) / count - middle
    within = float((ranks**2).sum()) - middle
    return count * (treatments - 1) * between / within if within else 0.0


def conover_friedman(blocks: ArrayLike, correction: str = "holm") -> tuple[Pair, ...]:
    """Compare each two treatments after Friedman's test (Conover 1999, section 5.8).

    Practical Nonparametric Statistics: t = |R_i - R_j| / sqrt(2 b (A - C)/((b-1)(k-1)) (1 -
    T/(b(k-1)))) with (b-1)(k-1) degrees of freedom, where R is a sum of ranks, A that of their
    squares, C = b k (k+1)^2/4 and T Friedman's statistic. No p is below 1/(k!)^(b-1): so often
    all blocks agree where nothing differs, and no test by ranks could say more of so few.

    Args:
        blocks: Shape (blocks, treatments), at least two of each, nothing missing.
        correction: One of `CORRECTIONS`, over all pairs.
    """
    import numpy as np
    from scipy import stats

    values = np.asarray(blocks, dtype=float)
    ranks = _rank_blocks(values)
    count, treatments = ranks.shape
    freedom = (count - 1) * (treatments - 1)
    within = float((ranks**2).sum()) - count * treatments * (treatments + 1) ** 2 / 4
    left = max(1 - _find_friedman(ranks) / (count * (treatments - 1)), 0.0)
    scale = math.sqrt(2 * count * within / freedom * left) if freedom else math.inf
    sums = ranks.sum(axis=0).tolist()
    places = list(combinations(range(treatments), 2))
    t_values = [_divide(abs(sums[i] - sums[j]), scale) for i, j in places]
    floor = math.exp(-(count - 1) * math.lgamma(treatments + 1))
    p_values = np.maximum(2 * stats.t.sf(t_values, max(freedom, 1)), floor).tolist()
    return _make_pairs(list(values.T), places, t_values, p_values, correction)
