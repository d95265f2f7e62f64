"""Which tensors of a stage have a batch, and what is one sample of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from edgebench import Stage, TensorSpec


def has_batch(spec: TensorSpec) -> bool:
    """Say whether the first size of a tensor is a name: that of a batch, which is open."""
    return isinstance(next(iter(spec.shape), None), str)


def take_first(specs: Sequence[TensorSpec], arrays: Sequence[Any]) -> list[Any]:
    """Return arrays or tensors with the first sample alone of those that have a batch.

    The others, a scalar among them, are the same for every sample.
    """
    pairs = zip(specs, arrays, strict=True)
    return [array[:1] if has_batch(spec) else array for spec, array in pairs]


def fix_batch(stage: Stage) -> Stage:
    """Return a stage that says of itself that it takes one sample."""
    inputs, outputs = (
        [
            attrs.evolve(spec, shape=(1, *spec.shape[1:])) if has_batch(spec) else spec
            for spec in specs
        ]
        for specs in (stage.inputs, stage.outputs)
    )
    return attrs.evolve(stage, inputs=inputs, outputs=outputs)
