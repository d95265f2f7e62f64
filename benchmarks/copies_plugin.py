"""What `decisions.py` measures: copies of one case, told apart by their names alone."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from edgebench import Context, Operator, Pipeline, hookimpl


@attrs.frozen(kw_only=True)
class CopyOptions:
    """Which copy it is."""

    n: int = 0


def leave(pipeline: Pipeline, context: Context) -> Pipeline:
    """Return the pipeline as it is: a copy of a case differs from another in nothing."""
    return pipeline


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer the copies."""
    yield Operator(
        name="copy", summary="Changes nothing.", apply=leave, options=CopyOptions, may_keep=True
    )
