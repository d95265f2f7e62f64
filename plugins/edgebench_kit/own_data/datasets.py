"""The dataset that a user's own data makes for one model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from edgebench import DataError, Dataset, Metric, Sample, Unreadable
from edgebench_kit.own_data.own import OwnData
from edgebench_kit.own_data.readings import IGNORED

NAME = "own-data"


def make_dataset(
    data: OwnData,
    model_classes: Sequence[str],
    *,
    metrics: Callable[[], Sequence[Metric]],
) -> Dataset:
    """Make the dataset of data for a model with these classes; nothing is read until it is used.

    Payloads are the bytes of picture files as they lie, or `text.sentences.pack_sentences`;
    answers are class numbers, of masks uint8 arrays of shape (height, width), of words with labels
    int64 arrays of shape (words,).

    Raises:
        DataError: The data is of arrays, which the model that takes them reads.
    """
    if data.kind == "arrays":
        raise DataError(f"{data.path} holds arrays; this model takes pictures or texts with labels")

    @cache
    def number() -> Mapping[str, int]:
        return data.number_classes(model_classes)

    def samples(split: str, seed: int) -> Iterator[Sample | Unreadable]:
        classes = len(data.name_classes(model_classes)) or IGNORED
        yield from data.samples(split, seed, number(), classes)

    def look() -> Sequence[str]:
        return data.look(model_classes)

    return Dataset(
        name=NAME,
        summary=f"The {data.kind} of the user.",
        samples=samples,
        look=look,
        lacks=data.list_lacks,
        metrics=metrics,
        payloads=f"{data.kind} of {data.path.name}",
    )
