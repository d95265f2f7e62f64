"""Which result of one run is held against which of another."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.analysis.result import Result
from edgebench.parts.grouping import group_by


def match_results(before: Sequence[Result], after: Sequence[Result]) -> dict[str, Result]:
    """Return by the id of a later case the earlier one of that id, or of a file elsewhere.

    Where either run has several files of one name, which of them is meant by a new one is not
    known: what is left when those of one id are taken out may be another model.
    """
    by_id = {one.case.id: one for one in before}
    named, others = (group_by(ones, lambda one: one.case.id_anywhere) for ones in (before, after))
    lone = {
        ones[0].case.id: named[name][0]
        for name, ones in others.items()
        if len(ones) == len(named.get(name, ())) == 1
    }
    same = {one.case.id: by_id[one.case.id] for one in after if one.case.id in by_id}
    return lone | same
