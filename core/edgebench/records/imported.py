"""What another program measured, as an importer reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench.parts.part import texts
from edgebench.parts.pipeline import as_tuple
from edgebench.parts.places import Link
from edgebench.records.freezing import freeze_array

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _are_latencies(one: Imported, field: attrs.Attribute[Any], values: NDArray[Any]) -> None:
    """Refuse what no request can have taken: every report would fail at it later."""
    import numpy as np

    if values.ndim != 1 or not len(values):
        raise ValueError(
            f"{field.name} of {one.origin} must have the shape (requests,), one or more, "
            f"not {values.shape}"
        )
    wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if len(wrong):
        raise ValueError(
            f"{field.name} of {one.origin} must be seconds above 0, not {values[wrong[0]]} "
            f"(request {wrong[0] + 1})"
        )


def _are_inputs(one: Imported, field: attrs.Attribute[Any], values: NDArray[Any] | None) -> None:
    """Refuse inputs that are not one for each request, counted from 0."""
    if values is None:
        return
    if values.shape != one.latency_s.shape:
        raise ValueError(
            f"{field.name} of {one.origin} must be one for each of {len(one.latency_s)} requests, "
            f"not of shape {values.shape}"
        )
    if values.dtype.kind not in "iu" or values.min() < 0:
        raise ValueError(f"{field.name} of {one.origin} must be whole numbers from 0 on")


@attrs.frozen(kw_only=True)
class Imported:
    """One case that another program measured in one stretch; names as on the command line."""

    model: str
    """With its variant, `model:variant`."""
    chain: str
    placement: str
    backend: str
    """One for all tiers of the placement."""
    links: tuple[Link, ...] = attrs.field(default=(), converter=as_tuple)
    """Those between the tiers: the registry's have no part in it."""
    fabric: str
    """What made tiers and links real, in a word."""
    latency_s: NDArray[Any] = attrs.field(
        converter=freeze_array, eq=False, repr=False, validator=_are_latencies
    )
    """Seconds of each request that counts, in order, shape (requests,), float64."""
    inputs: NDArray[Any] | None = attrs.field(
        default=None,
        converter=attrs.converters.optional(freeze_array),
        eq=False,
        repr=False,
        validator=_are_inputs,
    )
    """Which input each request sent, from 0, shape (requests,), int64; None if not known."""
    device: str = ""
    """What the pieces ran on, by piece, joined by `,`; empty if not known."""
    measured: str
    """How it was measured, in words: `one block of 5 passes of 100 inputs`."""
    no_accuracy: str = ""
    """Why no accuracy comes with it."""
    doubts: tuple[str, ...] = attrs.field(default=(), converter=texts)
    """What else speaks against its figures, a sentence each."""
    origin: str
    """The file that it was read from."""
