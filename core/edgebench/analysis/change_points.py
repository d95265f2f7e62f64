"""Where a figure changed in a row of runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

import attrs

from edgebench.analysis.estimates import LEVEL

LEAST_RUNS = 4
"""Of fewer, nothing can be told: two on each side of a change."""
LEAST_BESIDE = 2
"""Runs on each side of a change: of one alone it is not known how far such runs scatter."""


@attrs.frozen(kw_only=True)
class ChangePoint:
    """A place in a row of values from which on they are others."""

    place: int
    """The place of the first of the others, from 0."""
    before: float
    """The mean from the change before, or from the first value, up to here."""
    after: float
    """The mean from here to the next change, or to the last value."""
    chance: float
    """How likely values that do not change would show such a place anywhere in their row."""


def find_change_points(
    values: Sequence[float], within: float, level: float = LEVEL
) -> tuple[ChangePoint, ...]:
    """Return where a row of values changes by more than a margin, the first place first.

    The row is split in two, or a stretch of it set apart from what stands around it (Olshen et al.
    2004, Biostatistics 5, 557-572), where Student's t between both is largest; its chance is
    multiplied by the number of ways to do so (Worsley 1979, Journal of the American Statistical
    Association 74, 365-367). Where that is at most *level* all parts are looked at again.
    CI systems do the same with other statistics (Fleming et al. 2023, «Hunter», ICPE); this one
    tells by as little as four values.

    Values of a ratio are to be given as logarithms, and so is the margin.
    """
    places = sorted(_split(values, 0, len(values), within, level).items())
    ends = [0, *(place for place, _ in places), len(values)]
    return tuple(
        ChangePoint(
            place=place,
            before=fmean(values[ends[number] : place]),
            after=fmean(values[place : ends[number + 2]]),
            chance=chance,
        )
        for number, (place, chance) in enumerate(places)
    )


def _split(
    values: Sequence[float], start: int, stop: int, within: float, level: float
) -> dict[int, float]:
    """Return by place the chance of each change between two places."""
    chances = {
        (one, other): _find_chance(*_part(values, start, stop, one, other))
        for one, other in _list_stretches(start, stop)
    }
    if not chances:
        return {}
    ends = min(chances, key=lambda one: chances[one])
    chance = len(chances) * chances[ends]
    inside, outside = map(fmean, _part(values, start, stop, *ends))
    if chance > level or abs(inside - outside) <= within:
        return {}
    places = [place for place in ends if place < stop]
    found = dict.fromkeys(places, chance)
    for first, last in pairwise([start, *places, stop]):
        found |= _split(values, first, last, within, level)
    return found


def _list_stretches(start: int, stop: int) -> list[tuple[int, int]]:
    """Return where a stretch may begin and end that is set apart from the rest of a part."""
    places = range(start + LEAST_BESIDE, stop - LEAST_BESIDE + 1)
    return [
        (one, other) for one in places for other in (*range(one + LEAST_BESIDE, places.stop), stop)
    ]


def _part(
    values: Sequence[float], start: int, stop: int, one: int, other: int
) -> tuple[Sequence[float], Sequence[float]]:
    """Return the values of a stretch, and the others of its part."""
    return values[one:other], [*values[start:one], *values[other:stop]]


def _find_chance(one: Sequence[float], other: Sequence[float]) -> float:
    """Return how likely two means of one deviation lie so far apart (Student's t, both sides)."""
    from scipy.special import stdtr

    means = (fmean(one), fmean(other))
    squares = sum(
        (value - mean) ** 2
        for side, mean in zip((one, other), means, strict=True)
        for value in side
    )
    freedom = len(one) + len(other) - 2
    distance = abs(means[0] - means[1])
    # What is the same in each run misses its mean by a rounding.
    if squares <= 1e-24 * max(1.0, means[0] ** 2):
        return 0.0 if distance > 1e-12 * max(1.0, abs(means[0])) else 1.0
    deviation = math.sqrt(squares / freedom * (1 / len(one) + 1 / len(other)))
    return 2 * float(stdtr(freedom, -distance / deviation))
