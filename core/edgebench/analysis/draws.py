"""What several cases might have measured: rounds are drawn again, for all cases that share them.

A round is one pass over the cases of a model, one block each: what its minute did to one case it
did to all. So a resample draws rounds, and a case has in it the blocks of the rounds that were
drawn. The logarithms of what was found in each block are averaged; the average of all rounds is
moved to what all requests together give. Of n rounds n - 1 are drawn (Rao and Wu 1988, so that the
variance of the mean is without bias), and the deviations are widened by Student's t over the
normal's, as those of a single case are (`find_widening`).

Imported cases have one block each and share no round. Then requests are drawn instead: the
quantile of a resample of n requests is that of the sample at a place which follows the beta
distribution of the k-th of n uniform numbers, and the mean of one is normal.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.bounds import find_quantile
from edgebench.analysis.intervals import QUANTILES, RESAMPLES, find_widening
from edgebench.analysis.rounds import Round, name_round
from edgebench.parts.grouping import group_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgebench.analysis.result import Result
    from edgebench.records.outcome import Block


@attrs.frozen(eq=False)
class Figure:
    """One figure of latency of several cases, and what it might have been."""

    estimates: NDArray[Any]
    """Seconds, shape (cases,)."""
    values: NDArray[Any]
    """Seconds in each resample, shape (resamples, cases)."""
    name: str
    """What is estimated, as `median` or `p95`."""
    results: Sequence[Result]
    """The cases."""
    scaled: NDArray[Any] | float = 1.0
    """By which factors estimates and values were scaled, shape (cases,)."""

    def scale(self, factors: NDArray[Any]) -> Figure:
        """Return the figure so many times as large, each case by a factor of its own."""
        scaled = self.scaled * factors
        estimates, values = self.estimates * factors, self.values * factors
        return attrs.evolve(self, estimates=estimates, values=values, scaled=scaled)

    @cached_property
    def ends(self) -> NDArray[Any]:
        """The ends of the 95 % interval of each, shape (2, cases); the estimate lies between.

        Those that a report shows (`Latency.interval`), where it shows the figure; else of the
        resamples.
        """
        import numpy as np

        if self.name in QUANTILES:
            known = [one.latency.interval(self.name) for one in self.results if one.latency]
            return np.array(known).T * self.scaled
        low, high = np.quantile(self.values, (0.025, 0.975), axis=0)
        return np.stack([np.minimum(low, self.estimates), np.maximum(high, self.estimates)])

    def compare(self, other: int) -> NDArray[Any]:
        """Return how many times each is that of another case, and the ends of its 95 % interval.

        Shape (3, cases). Taken within the resamples, so that what a round did to both cancels.
        """
        import numpy as np

        logs = np.log(self.values) - np.log(self.values[:, [other]])
        middle = np.log(self.estimates) - math.log(float(self.estimates[other]))
        low, high = np.quantile(logs, (0.025, 0.975), axis=0)
        found: NDArray[Any] = np.exp(
            np.stack([middle, np.minimum(low, middle), np.maximum(high, middle)])
        )
        return found


def judge_ratio(ratio: Sequence[float], within: float) -> str:
    """Say of a ratio and its interval whether it is `slower`, `faster`, `equal` or `undecided`.

    Where requests were drawn: rounds say more (`edgebench.analysis.verdicts`).
    """
    middle, low, high = ratio
    if 1 / (1 + within) <= low and high <= 1 + within:
        return "equal"
    if low > 1 and middle > 1 + within:
        return "slower"
    return "faster" if high < 1 and middle < 1 / (1 + within) else "undecided"


@attrs.frozen(eq=False)
class Resampling:
    """Resamples of the latency of several cases, the same for each figure of it."""

    results: Sequence[Result]
    """Each with a measured block at least."""
    seed: int = 0

    @cached_property
    def rounds(self) -> tuple[Round, ...]:
        """The rounds that any of the cases has a block of."""
        return tuple(sorted({name_round(b) for one in self.results for b in one.measured}))

    @property
    def by_request(self) -> bool:
        """Whether requests are drawn, as no case has more than one block."""
        return all(len(one.measured) < 2 for one in self.results)

    def find(self, figure: str) -> Figure:
        """Return a figure of latency (`latency.p95`) of all cases."""
        quantile = find_quantile(figure)
        pooled = [[b.latency_s for b in one.measured] for one in self.results]
        estimates = _compute([_join(blocks) for blocks in pooled], quantile)
        draw = self._draw_requests if self.by_request else self._draw_rounds
        name = figure.removeprefix("latency.")
        return Figure(estimates, draw(estimates, quantile), name, self.results)

    def _draw_rounds(self, estimates: NDArray[Any], quantile: float | None) -> NDArray[Any]:
        import numpy as np

        logs = self._tabulate(quantile)
        held = ~np.isnan(logs)
        known = np.where(held, logs, 0.0)
        own = known.sum(axis=1) / held.sum(axis=1)
        times = self._drawn
        counts = times @ held.T
        sums = times @ known.T
        many = held.sum(axis=1)
        # Of a resample without any block of a case nothing new is known of it. One that was not in
        # all rounds has more or fewer of its n in a resample than n - 1, and spreads as if it had.
        means = np.where(counts > 0, sums / np.maximum(counts, 1.0), own)
        alike = np.sqrt(counts / np.maximum(many - 1, 1))
        wider = np.array([find_widening(each) for each in many.tolist()])
        found: NDArray[Any] = estimates * np.exp(wider * alike * (means - own))
        return found

    @cached_property
    def _drawn(self) -> NDArray[Any]:
        """How often each round was drawn in each resample, shape (resamples, rounds)."""
        import numpy as np

        many = len(self.rounds)
        shares = np.full(many, 1 / many)
        rng = np.random.default_rng(self.seed)
        drawn: NDArray[Any] = rng.multinomial(max(many - 1, 1), shares, RESAMPLES).astype(float)
        return drawn

    def _tabulate(self, quantile: float | None) -> NDArray[Any]:
        """Return the logarithm of the figure of each block, shape (cases, rounds); NaN for none."""
        import numpy as np

        place = {each: at for at, each in enumerate(self.rounds)}
        blocks: list[tuple[int, Block]] = [
            (row, block) for row, one in enumerate(self.results) for block in one.measured
        ]
        values = _compute([np.asarray(block.latency_s) for _, block in blocks], quantile)
        table = np.full((len(self.results), len(self.rounds)), np.nan)
        rows = [row for row, _ in blocks]
        table[rows, [place[name_round(block)] for _, block in blocks]] = np.log(values)
        return table

    def _draw_requests(self, estimates: NDArray[Any], quantile: float | None) -> NDArray[Any]:
        import numpy as np

        rng = np.random.default_rng(self.seed)
        columns = []
        for one, estimate in zip(self.results, estimates.tolist(), strict=True):
            seconds = np.sort(_join([block.latency_s for block in one.measured]))
            many = len(seconds)
            if quantile is None:
                spread = float(seconds.std(ddof=1)) / math.sqrt(many) if many > 1 else 0.0
                drawn = rng.normal(estimate, spread, RESAMPLES)
                columns.append(np.maximum(drawn, seconds[0]))
                continue
            rank = min(max(round(quantile * (many - 1)) + 1, 1), many)
            at = rng.beta(rank, many - rank + 1, RESAMPLES) * many
            columns.append(seconds[np.minimum(at.astype(int), many - 1)])
        return np.stack(columns, axis=1)


def _join(blocks: Sequence[Any]) -> NDArray[Any]:
    import numpy as np

    return np.concatenate(blocks)


def _compute(samples: Sequence[NDArray[Any]], quantile: float | None) -> NDArray[Any]:
    """Return a quantile of each sample, or its mean; those of equal size in one go."""
    import numpy as np

    found = np.empty(len(samples))
    for places in group_by(range(len(samples)), lambda at: len(samples[at])).values():
        table = np.stack([samples[at] for at in places])
        found[list(places)] = (
            table.mean(axis=1) if quantile is None else np.quantile(table, quantile, axis=1)
        )
    return found
