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
    latency_s: NDArray[Any] = attrs.field(converter=freeze_array, eq=False, repr=False)
    """Seconds of each request that counts, in order, shape (requests,), float64."""
    inputs: NDArray[Any] | None = attrs.field(
        default=None, converter=attrs.converters.optional(freeze_array), eq=False, repr=False
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
