"""Estimates of what runs that share no round gave, and how sure their differences are."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.intervals import NORMAL
from edgebench.analysis.spread import find_t

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.05
"""What an interval leaves out, half of it at each end."""
POWER = 0.8
"""So likely the blocks that are foreseen are to be enough."""
MOST = 10_000
"""More blocks than anybody measures."""
Blocks = Sequence["NDArray[Any]"]


@attrs.frozen(kw_only=True)
class Estimate:
    """A figure, or a difference of two, with its deviation to each side."""

    value: float
    below: float
    """Its standard deviation as far as what lies below it is concerned; and above."""
    above: float
    freedom: float = math.inf
    """Degrees of freedom of these deviations; infinite where they are known."""
    blocks: int = 0
    """How many blocks it rests on, the fewer of two; 0 where it rests on none."""

    @classmethod
    def of_blocks(cls, blocks: Blocks, statistic: Callable[[Blocks], float]) -> Estimate:
        """Estimate a statistic of all blocks, with the deviation that leaving out each in turn has.

        The jackknife over groups (Miller 1974, Biometrika 61, 1-15), whole blocks left out: what
        differs between blocks counts, and it holds for a quantile as so many requests are left out
        at once (Shao and Wu 1989, Annals of Statistics 17, 1176-1197).

        Raises:
            ValueError: There are fewer than two blocks.
        """
        count = len(blocks)
        if count < 2:
            raise ValueError("one block says nothing of what differs between blocks")
        without = [statistic([*blocks[:n], *blocks[n + 1 :]]) for n in range(count)]
        middle = math.fsum(without) / count
        # Of equal values, the mean may miss them by a rounding.
        if max(without) == min(without):
            middle = without[0]
        squares = math.fsum((one - middle) ** 2 for one in without)
        deviation = math.sqrt((count - 1) / count * squares)
        return cls(
            value=statistic(blocks),
            below=deviation,
            above=deviation,
            freedom=count - 1,
            blocks=count,
        )

    @classmethod
    def of_interval(cls, value: float, low: float, high: float, *, blocks: int = 0) -> Estimate:
        """Return the estimate that has this 95 % interval: Student's where it rests on blocks."""
        freedom = blocks - 1 if blocks else math.inf
        wide = find_t(freedom, LEVEL / 2) if blocks else NORMAL
        return cls(
            value=value,
            below=(value - low) / wide,
            above=(high - value) / wide,
            freedom=freedom,
            blocks=blocks,
        )

    def less(self, other: Estimate) -> Estimate:
        """Return what this lies above another one, of samples that have nothing in common.

        Deviations to each side are added up by squares (Zou and Donner 2008, Statistics in Medicine
        27, 1693-1702; of proportions Newcombe 1998, ibid. 17, 873-890). Where both sides are alike
        that is Welch's difference, with his degrees of freedom (1947, Biometrika 34, 28-35).
        """
        ours, theirs = (one.below**2 + one.above**2 for one in (self, other))
        parts = ours**2 / self.freedom + theirs**2 / other.freedom
        counts = [one.blocks for one in (self, other) if one.blocks]
        return Estimate(
            value=self.value - other.value,
            below=math.hypot(self.below, other.above),
            above=math.hypot(self.above, other.below),
            freedom=(ours + theirs) ** 2 / parts if parts else math.inf,
            blocks=min(counts, default=0),
        )

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the ends of the interval that leaves out *level*, by Student's t."""
        wide = find_t(self.freedom, level / 2)
        return self.value - wide * self.below, self.value + wide * self.above

    def find_chance(self, bound: float, *, above: bool) -> float:
        """Return how likely it is to be so far above a bound, or below, if it lay on the bound."""
        from scipy.special import stdtr

        beyond = self.value - bound if above else bound - self.value
        deviation = self.below if above else self.above
        if deviation == 0:
            return 0.0 if beyond > 0 else 1.0
        return float(stdtr(min(self.freedom, 1e9), -beyond / deviation))

    def find_chance_of_none(self) -> float:
        """Return how likely it is to lie so far from 0, to either side, if it lay there."""
        return min(1.0, 2 * min(self.find_chance(0.0, above=side) for side in (True, False)))

    def count_more_blocks(self, bound: float, level: float = LEVEL) -> int | None:
        """Return about how many more blocks each would tell on which side of a bound it lies.

        For a mean, n = ((t(1 - level / 2) + z(80 %)) s / d)^2 (Lachin 1981, Controlled Clinical
        Trials 2, 93-113), with the difference d seen now taken for the true one. None if not even
        ten thousand would, or where it rests on no blocks.
        """
        from scipy.special import ndtri

        distance = abs(self.value - bound)
        deviation = self.below if self.value > bound else self.above
        if not self.blocks or not distance:
            return None
        reach = float(ndtri(POWER))

        def tells(more: int) -> bool:
            total = self.blocks + more
            freedom = self.freedom * (total - 1) / max(1, self.blocks - 1)
            needed = find_t(freedom, level / 2) + reach
            return needed * deviation * math.sqrt(self.blocks / total) < distance

        # The more blocks, the more they tell.
        found = bisect_left(range(1, MOST), True, key=tells) + 1
        return found if found < MOST else None


def find_levels(chances: Sequence[float], level: float = LEVEL) -> tuple[float, ...]:
    """Return the level of each of several tests at which together they err as seldom as one.

    Holm's (1979, Scandinavian Journal of Statistics 6, 65-70): the least chance is held against
    the level over all of them, the next over one fewer, and so on until one is not below; that
    and all larger ones are held against the level of that step. A test rejects where its chance is
    at most its level, and then the interval that leaves out so much does not hold what was tested.
    """
    found = [level] * len(chances)
    stopped = 0.0
    for step, place in enumerate(sorted(range(len(chances)), key=lambda one: chances[one])):
        found[place] = stopped or level / (len(chances) - step)
        if chances[place] > found[place]:
            stopped = found[place]
    return tuple(found)
