"""What equal cases differ by on a machine, from copies of one case measured in rounds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.rounds import find_log_median

if TYPE_CHECKING:
    from edgebench.records.outcome import Block

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

        rounds: dict[tuple[int, int], dict[int, Block]] = {}
        for block in blocks:
            key = block.resumption, block.number // copies
            rounds.setdefault(key, {})[block.number % copies] = block
        whole = [one for _, one in sorted(rounds.items()) if len(one) == copies]
        if copies < FEWEST or len(whole) < FEWEST:
            return None
        table = np.array([[find_log_median(one[n]) for n in range(copies)] for one in whole])
        left = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
        within = float((left**2).sum() / ((copies - 1) * (len(whole) - 1)))
        between = float(table.mean(axis=1).var(ddof=1)) - within / copies
        medians = [_find_median([one[n] for one in whole]) for n in range(copies)]
        apart = [max(one, other) / min(one, other) - 1 for one, other in combinations(medians, 2)]
        return cls(
            difference=float(np.quantile(apart, 0.95)),
            blocks=len(whole),
            within=within**0.5,
            between=max(0.0, between) ** 0.5,
        )


def _find_median(blocks: Sequence[Block]) -> float:
    """Return the median of all requests of some blocks, as a result shows it."""
    import numpy as np

    return float(np.median(np.concatenate([np.asarray(b.latency_s) for b in blocks])))
