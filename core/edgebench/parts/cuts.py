"""Where a pipeline may be cut, as operators tell it to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from edgebench.parts.pipeline import TensorSpec


@attrs.frozen(kw_only=True)
class Cut:
    """One place where a pipeline may be cut, as it is shown to people."""

    crossing: Sequence[TensorSpec]
    """The tensors that cross, by the names that they would have in the pipeline."""
    bytes: int
    """What crosses for one sample, in bytes."""
    parameters: Sequence[float]
    """The share of the parameters of the pipeline on each side; what both use counts for both."""
    operations: Sequence[float]
    """The share of its multiply-accumulate operations on each side."""
    exact: bool
    """Whether the pieces give what the whole gives, but for rounding or to the bit."""
    difference: float | None = None
    """By how much at most they were measured to differ, relative to the largest output where that
    exceeds 1; None where it was not measured."""
    written: str = ""
    """The operator with the options that cut just there; empty where none do."""


@attrs.frozen(kw_only=True)
class Cuts:
    """The best places where a pipeline may be cut, and how many there are."""

    cuts: Sequence[Cut]
    """The best by the rule that was asked for, the best first."""
    total: int
    """How many there are, as far as they were counted."""
    more: bool
    """Whether there are more than that, which were not counted."""
    assumed: Mapping[str, int] = attrs.field(factory=dict)
    """By the names of sizes that the pipeline leaves open, what bytes are counted with."""
