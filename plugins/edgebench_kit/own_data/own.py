"""A user's own data, once it is understood: what it holds, its splits, and its samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import attrs

from edgebench import Sample, Unreadable
from edgebench_kit.own_data.options import DataOptions

Kind = Literal["pictures", "texts", "masks", "tokens", "arrays"]


@attrs.frozen(kw_only=True, slots=False, eq=False)
class OwnData:
    """What a path was understood as; nothing is read before it is asked for."""

    path: Path
    kind: Kind
    """`arrays` says only that: `onnx/array_samples` reads them."""
    options: DataOptions
    columns: tuple[str, ...] = ()
    """The columns that its tables have."""
    pairs: bool = False
    """Whether a sample is two texts."""

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels that were found, numbers by their size; none for masks and arrays.

        Reads the tables whole; of folders the names alone.
        """
        raise NotImplementedError

    def name_classes(self, model_classes: Sequence[str]) -> Sequence[str]:
        """Return the names of the model's classes: those of `classes=FILE` where it is given.

        Raises:
            DataError: The file has another number of names, or the model's names in another order.
        """
        raise NotImplementedError

    def look(self, model_classes: Sequence[str]) -> Sequence[str]:
        """Check all that can be wrong, and say in two lines what was understood.

        Raises:
            DataError: The data cannot be used as it is, with the remedy.
        """
        raise NotImplementedError

    def samples(
        self, split: str, seed: int, numbers: Mapping[str, int]
    ) -> Iterator[Sample | Unreadable]:
        """Yield the samples of a split in the order of their digests; the seed changes nothing.

        *numbers* are the class numbers of the labels; `DataOptions.seed` decides the splits.
        """
        raise NotImplementedError
