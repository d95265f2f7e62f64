"""The dataset that a user's own data makes for one model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgebench import Dataset, Metric
from edgebench_kit.own_data.own import OwnData


def make_dataset(
    data: OwnData,
    model_classes: Sequence[str],
    *,
    metrics: Callable[[], Sequence[Metric]],
) -> Dataset:
    """Make the dataset of data for a model with these classes; nothing is read until it is used.

    Payloads are the bytes of picture files as they lie, or `text.sentences.pack_sentences`;
    answers are class numbers, of masks uint8 arrays of shape (height, width).
    """
    raise NotImplementedError
