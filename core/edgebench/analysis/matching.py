"""Which result of one run is held against which of another."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.analysis.result import Result
from edgebench.parts.grouping import group_by


def match_results(before: Sequence[Result], after: Sequence[Result]) -> dict[str, Result]:
    """Return by the id of a later case the earlier one of that id, or of files elsewhere."""
    matched = {one.case.id: one for one in before}
    later = {one.case.id for one in after}
    moved = group_by(
        (one for one in before if one.case.id not in later), lambda one: one.case.id_anywhere
    )
    come = group_by(
        (one for one in after if one.case.id not in matched), lambda one: one.case.id_anywhere
    )
    # Where two files of one name were measured, which of them is meant is not known.
    found = {
        ones[0].case.id: moved[name][0]
        for name, ones in come.items()
        if len(ones) == len(moved.get(name, ())) == 1
    }
    return {key: one for key, one in matched.items() if key in later} | found
