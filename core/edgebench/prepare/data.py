"""The samples of a split that `store.splits` keeps, as the tensors that a model takes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import attrs

from edgebench.parts.errors import DataError
from edgebench.parts.pipeline import Tensors, TensorSpec, join_batches
from edgebench.parts.subjects import Model
from edgebench.store.splits import Payloads


@attrs.frozen(eq=False)
class Preprocessed:
    """A split, decoded and preprocessed sample by sample whenever it is iterated."""

    payloads: Payloads
    model: Model
    variant: str

    def __len__(self) -> int:
        return len(self.payloads)

    def __iter__(self) -> Iterator[tuple[Tensors, Any]]:
        for payload, answer in self.payloads:
            yield preprocess(payload, self.model, self.variant), answer


def preprocess(payload: bytes, model: Model, variant: str) -> Tensors:
    """Return the tensors that a model takes for one sample, a batch of one."""
    return model.preprocess(model.decode(payload, variant), variant)


def take_batch(split: Preprocessed, most: int, bound: int) -> Tensors:
    """Return the first samples of a split as one batch of 2 to *most*, all of one shape.

    No more than the first two where they are more than *bound* bytes; where there is one sample of
    its shape only, it stands twice.
    """
    samples: list[Tensors] = []
    for tensors, _ in islice(split, most):
        if not samples or list_shapes(tensors) == list_shapes(samples[0]):
            samples.append(tensors)
        if len(samples) >= 2 and count_bytes(samples[0]) * (len(samples) + 1) > bound:
            break
    if not samples:
        raise DataError("a batch was asked of a split that is empty")
    return join_batches(samples if len(samples) != 1 else samples * 2)


def list_shapes(tensors: Tensors) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor by its name."""
    return {name: array.shape for name, array in tensors.items()}


def count_bytes(tensors: Tensors) -> int:
    """Return the bytes of tensors together."""
    return sum(array.nbytes for array in tensors.values())


def draw_tensors(specs: tuple[TensorSpec, ...], batch: int, seed: int) -> Tensors:
    """Return random tensors that fit specifications, for a model without a dataset.

    The first dimension is the batch. Floats are standard normal, whole numbers of 8 bits all that
    there are, others 0 or 1.

    Raises:
        DataError: Another dimension has no number.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    tensors = {}
    for spec in specs:
        if words := [size for size in spec.shape[1:] if isinstance(size, str)]:
            raise DataError(f"the dimension {words[0]!r} of input {spec.name!r} has no number")
        shape = (batch, *(int(size) for size in spec.shape[1:]))
        if np.issubdtype(np.dtype(spec.dtype), np.floating):
            tensors[spec.name] = rng.standard_normal(shape).astype(spec.dtype)
        else:
            eight = spec.dtype in ("int8", "uint8")
            ends = (np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max + 1) if eight else (0, 2)
            tensors[spec.name] = rng.integers(*ends, shape).astype(spec.dtype)
    return tensors
