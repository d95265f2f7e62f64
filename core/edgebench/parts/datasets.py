"""What is measured on: datasets, their samples in splits, and their figures of merit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.parts.part import Part, is_callable, is_slug

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS = ("training", "calibration", "validation", "test")

Sample = tuple[bytes, Any]
"""One input in its wire form, and its answer (a number, a text, or an array)."""


@attrs.frozen(kw_only=True)
class Metric:
    """A figure of merit as counts that add up: nothing but the counts is held in memory.

    Each sample gives a short vector of counts; the figure is a function of their sum. So a metric
    can be accumulated in any order, merged, and resampled for a bootstrap interval.
    """

    name: str = attrs.field(validator=is_slug)
    count: Callable[[Any, Any], Sequence[float]] = attrs.field(validator=is_callable)
    """From one prediction and its answer to the counts, always equally many."""
    value: Callable[[NDArray[Any]], float] = attrs.field(validator=is_callable)
    """From the summed counts, shape (k,), to the figure, 0 to 1."""
    proportion: bool = False
    """Whether the counts of a sample are 1 and 1 if it is right and 0 and 1 if it is wrong, and the
    figure the share of those that are right: intervals of such a figure are exact."""
    wrong: Callable[[Sequence[float]], Sequence[float]] | None = None
    """From the counts of a sample to those that it would have, had it been answered wrong: what an
    answer that changes for the worse costs. Where neither this nor `proportion` is said, it is
    sought among the counts at hand."""


@attrs.frozen(kw_only=True)
class Unreadable:
    """What a dataset yields in place of a sample that it cannot read.

    They are counted and named; a dataset of which 1 % or more cannot be read is refused.
    """

    name: str
    """What the user would look for: a file, a line."""
    reason: str


@attrs.frozen(kw_only=True)
class Dataset(Part):
    """Inputs with answers, in named splits that share no payload."""

    samples: Callable[[str, int], Iterable[Sample | Unreadable]] | None = attrs.field(
        default=None, validator=attrs.validators.optional(is_callable)
    )
    """Yield the samples of a split (`training`, `calibration`, `validation`, `test`) in a fixed
    order, made with a seed; nothing for a split that it does not have. None for one that has to be
    given as a directory."""
    from_directory: Callable[[Path], Dataset] | None = None
    """From the directory in which its owner ships it to a record with `samples` and the same
    `metrics` as this one. It looks whether what it needs is there, and raises a `DataError` that
    says what it looked for and found."""
    layout: str = ""
    """What it looks for in that directory, in one phrase."""
    lacks: Callable[[], Mapping[str, str]] = attrs.field(default=dict, validator=is_callable)
    """Say by split, of those that it has no samples of, how it can be given some: what needs such a
    split is left out for that reason when cases are planned."""
    look: Callable[[], Sequence[str]] | None = None
    """Look over what the user gave, as far as is worth it before anything long begins, once when
    cases are planned; return what was understood in a line or two, which people are shown. It
    raises the `DataError` that reading the samples would."""
    metrics: Callable[[], Sequence[Metric]] = attrs.field(default=tuple, validator=is_callable)
    """The figures of merit, the one that decides first. What `from_directory` returns has the
    same: hosts that score take those of the record offered, and have no such directory."""
    synthetic: bool = False
    """Whether the inputs themselves are invented; said wherever the dataset is shown."""
    payloads: str = ""
    """What a payload is, where its name does not tell (`raw tensors`); said with the inputs."""
    doubt: str = ""
    """What speaks against taking the time that payloads travel for that of real requests; a doubt
    of every case whose requests pass a link."""

    def __attrs_post_init__(self) -> None:
        """Refuse a dataset of which nothing can be had."""
        if self.samples is None and self.from_directory is None:
            raise ValueError(f"the dataset {self.name!r} needs samples or from_directory")
