"""The dataset `new-name`: tones of three pitches in noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import edgebench as eb
from edgebench.metrics.classification import accuracy

EDGEBENCH_API = (2, 0)

PITCHES = (220.0, 277.2, 329.6)
"""Hz of each class."""
RATE, LENGTH = 4000, 1000
"""Values a second, and of one sample."""
SIZES = {"training": 600, "calibration": 64, "validation": 90, "test": 1000}
"""Samples of each split. By fewer than 381 of the test split no loss of accuracy can be shown to be
under a point, even where no answer differs."""


def samples(split: str, seed: int) -> Iterator[eb.Sample]:
    """Yield the samples of a split in a fixed order: the bytes of a request, and its answer.

    No two splits may share a payload. A split that it does not have has no samples.
    """
    import numpy as np  # here, not above: `edgebench list` must stay quick

    # Your own: read a file of the split, or what a user names (`Dataset.from_directory`).
    draw = np.random.default_rng([seed, *split.encode()])
    times = np.arange(LENGTH) / RATE
    for number in range(SIZES.get(split, 0)):
        answer = number % len(PITCHES)
        tone = np.sin(2 * np.pi * (PITCHES[answer] * times + draw.uniform()))
        heard = tone + draw.normal(scale=3.0, size=LENGTH)
        # A payload may be anything that a model decodes: a picture, a sentence as JSON, ... A model
        # of arrays has an input of that name, and needs neither `decode` nor `preprocess`.
        yield eb.to_npz({"input": heard.astype(np.float32)}), answer


def metrics() -> Sequence[eb.Metric]:
    """Give the figures of merit, the one that decides first."""
    return [accuracy()]


@eb.hookimpl
def edgebench_datasets() -> Iterator[eb.Dataset]:
    """Offer it: a model says `dataset="new-name"`."""
    yield eb.Dataset(
        name="new-name",
        summary="Tones of three pitches in noise, a quarter of a second each.",
        samples=samples,
        metrics=metrics,
        synthetic=True,  # leave it out where the inputs are real
    )
