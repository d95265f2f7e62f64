"""The reasons to doubt the results of a run, grouped by what they are about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.doubts import CAUSES
from edgebench.parts.grouping import group_by

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgebench.analysis.doubts import Doubt

NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?")

Found = tuple[str, "Doubt"]
"""The id of a case, and a reason to doubt it."""


@attrs.frozen(kw_only=True)
class Kind:
    """Doubts of one cause that differ in their numbers alone."""

    text: str
    """The worst of them."""
    worst: str
    """The id of the case that it was said of."""
    excess: float | None
    """How many times what is allowed was found there; None where that is no number."""
    cases: tuple[str, ...]
    """The ids of all cases that have one."""


@attrs.frozen(kw_only=True)
class Cause:
    """All doubts about the same."""

    name: str
    """Which of `CAUSES`."""
    kinds: tuple[Kind, ...]
    """That first which goes furthest beyond what is allowed."""

    @property
    def cases(self) -> tuple[str, ...]:
        """The ids of all cases that have such a doubt."""
        return tuple(dict.fromkeys(case for kind in self.kinds for case in kind.cases))


def group_doubts(reasons: Mapping[str, Sequence[Doubt]]) -> tuple[Cause, ...]:
    """Group the reasons to doubt some cases, given by id, by cause; the worst cause first."""
    found = [(case, doubt) for case, doubts in reasons.items() for doubt in doubts]
    by_cause = group_by(found, lambda one: one[1].cause)
    return tuple(
        Cause(name=name, kinds=_find_kinds(by_cause[name])) for name in CAUSES if name in by_cause
    )


def _find_kinds(found: Sequence[Found]) -> tuple[Kind, ...]:
    alike = group_by(found, lambda one: NUMBER.sub("#", one[1].text))
    kinds = [_sum_up(group) for group in alike.values()]
    return tuple(sorted(kinds, key=lambda kind: -(kind.excess or 1.0)))


def _sum_up(found: Sequence[Found]) -> Kind:
    case, worst = max(found, key=lambda one: one[1].excess or 1.0)
    cases = tuple(dict.fromkeys(one for one, _ in found))
    return Kind(text=worst.text, worst=case, excess=worst.excess, cases=cases)
