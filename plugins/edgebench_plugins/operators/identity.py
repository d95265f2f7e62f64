"""The operator `identity`: the model as it is, which every other strategy is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench import Context, Operator, Pipeline, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator


def apply(pipeline: Pipeline, context: Context) -> Pipeline:
    """Return the pipeline unchanged."""
    return pipeline


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer to leave things as they are."""
    yield Operator(name="identity", summary="Change nothing.", apply=apply, may_keep=True)
