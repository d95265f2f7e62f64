"""A figure over the runs of a database, and where it changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.change_points import LEAST_RUNS, ChangePoint, find_change_points
from edgebench.analysis.decisions import find_margin
from edgebench.analysis.estimates import LEVEL
from edgebench.analysis.likeness import Difference, find_surroundings
from edgebench.analysis.quantities import Quantity, read_value
from edgebench.parts.grouping import group_by

if TYPE_CHECKING:
    from edgebench.analysis.results import RunResults
    from edgebench.cases.case import Case

ACCURACY_MARGIN = 1.0
"""Points below which accuracies are equal."""


@attrs.frozen(kw_only=True)
class Change:
    """A run from which on a figure is another."""

    run: str
    before: float
    """The mean since the change before, geometric of what has a ratio. And the one from here on."""
    after: float
    chance: float
    """How likely runs that do not differ would show such a change, however many cases there are."""
    beside: tuple[Difference, ...]
    """What else differs between this run and the one before it that has the case."""


@attrs.frozen(kw_only=True)
class Series:
    """A figure of one case, run by run."""

    case: Case
    runs: tuple[str, ...]
    """The ids of the runs that have it, the earliest first."""
    values: tuple[float, ...]
    """Seconds, bytes, or per cent."""
    changes: tuple[Change, ...]

    @property
    def remark(self) -> str:
        """Why nothing can be told of it; empty where something can."""
        if not self.missing:
            return ""
        return f"{len(self.runs)} of at least {LEAST_RUNS} runs that could tell a change"

    @property
    def missing(self) -> int:
        """How many more runs would be needed to tell anything."""
        return max(0, LEAST_RUNS - len(self.runs))


def follow(
    quantity: Quantity, runs: Sequence[RunResults], *, case: str = "", model: str = ""
) -> tuple[Series, ...]:
    """Follow a figure through runs, the earliest first, case by case.

    *case* is how the id of a case begins, and *model* a model, with globs; empty for all.
    """
    found = [
        (run, result.case, value)
        for run in runs
        for result in run.results
        if (value := read_value(quantity, result)) is not None
        and result.case.id.startswith(case)
        and _is_of(result.case, model)
    ]
    by_case = group_by(found, lambda one: one[1].id)
    level = LEVEL / max(1, len(by_case))
    return tuple(_follow_case(quantity, list(rows), level) for rows in by_case.values())


def _is_of(case: Case, model: str) -> bool:
    names = (case.model, f"{case.model}:{case.variant}")
    return not model or any(fnmatchcase(name, model) for name in names)


def _follow_case(
    quantity: Quantity, rows: Sequence[tuple[RunResults, Case, float]], level: float
) -> Series:
    runs, values = [run for run, _, _ in rows], [value for _, _, value in rows]
    margin = max(find_margin(run.run) for run in runs)
    if quantity.relative:
        points = find_change_points(list(map(math.log, values)), math.log1p(margin), level)
    else:
        points = find_change_points(values, ACCURACY_MARGIN, level)
    return Series(
        case=rows[-1][1],
        runs=tuple(run.run.id for run in runs),
        values=tuple(values),
        changes=tuple(_describe(quantity, runs, point, level) for point in points),
    )


def _describe(
    quantity: Quantity, runs: Sequence[RunResults], point: ChangePoint, level: float
) -> Change:
    before, after = (
        math.exp(one) if quantity.relative else one for one in (point.before, point.after)
    )
    return Change(
        run=runs[point.place].run.id,
        before=before,
        after=after,
        chance=min(1.0, point.chance * LEVEL / level),
        beside=find_surroundings(runs[point.place - 1], runs[point.place]),
    )


def describe_history(
    quantity: Quantity, runs: Sequence[RunResults], series: Sequence[Series]
) -> dict[str, Any]:
    """Return the document that `history --json` prints."""
    return {
        "schema": 1,
        "figure": quantity.name,
        "unit": quantity.unit,
        "runs": [
            {
                "run": one.run.id,
                "started": one.run.started,
                "suite": one.run.suite,
                "tag": one.run.tag,
            }
            for one in runs
        ],
        "cases": [
            {
                "id": one.case.id,
                "label": one.case.label,
                "values": [
                    {"run": run, "value": value}
                    for run, value in zip(one.runs, one.values, strict=True)
                ],
                "changes": [
                    {**attrs.asdict(change), "beside": [attrs.asdict(b) for b in change.beside]}
                    for change in one.changes
                ],
                "remark": one.remark,
            }
            for one in series
        ],
    }
