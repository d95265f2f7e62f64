"""Where a pipeline may be cut, as operators tell it to people."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from edgebench.parts.pipeline import TensorSpec


@attrs.frozen(kw_only=True)
class Cut:
    """One place where a pipeline may be cut, as it is shown to people."""

    crossing: Sequence[TensorSpec]
    bytes: int
    """What crosses for one sample, in bytes."""
    parameters: Sequence[float]
    """The share of the parameters of the pipeline on each side; what both use counts for both."""
    operations: Sequence[float]
    """The share of its multiply-accumulate operations on each side."""
    exact: bool
    """Whether the pieces give what the whole gives, but for rounding or to the bit."""


@attrs.frozen(kw_only=True)
class Cuts:
    """The best places where a pipeline may be cut, and how many there are."""

    cuts: Sequence[Cut]
    total: int
    """How many there are, as far as they were counted."""
    more: bool
    """Whether there are more than that, which were not counted."""
