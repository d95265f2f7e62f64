"""The model `transformers`: a checkpoint that a user has, a directory with a `config.json`.

Classifiers of texts, of words and of pictures, of any family that transformers has. Nothing in the
directory is executed: the network is transformers' own, and the weights are tensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from edgebench import DataError, Dataset, Look, Model, Pipeline, Variant, Weights, hookimpl
from edgebench_kit.checkpoints import classifiers, requests
from edgebench_kit.own_data.options import DataOptions
from edgebench_kit.torch.classification import compute_class_scores

NAME = "transformers"


@attrs.frozen(kw_only=True)
class TransformersOptions(DataOptions):
    """What a checkpoint does not say of itself, and what is to be known of data."""

    length: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(2))
    )
    """Of a classifier of texts: the tokens that every text is filled up or truncated to; without a
    word 128, or as many as it has positions for."""
    student: str = ""
    """`half` is a network with half the layers, which begins with the weights of these."""


def build(variant: str, weights: Weights) -> Pipeline:
    """Refuse to make a model of nothing.

    Raises:
        DataError: Always: the model is a directory.
    """
    raise DataError(
        "the model transformers is a checkpoint that you have; give its path: --model DIR"
    )


def from_file(path: Path, options: TransformersOptions) -> Pipeline:
    """Build the classifier in a directory, with its weights.

    Raises:
        DataError: It cannot be made, or does not run.
    """
    return classifiers.build_checkpoint(NAME, path, length=options.length, student=options.student)


def look(variant: str, path: Path, options: TransformersOptions) -> Look:
    """See whether a checkpoint can be made, without the framework.

    Raises:
        DataError: It cannot, as far as that shows.
    """
    return classifiers.look_at(path, length=options.length, student=options.student)


def inputs(path: Path, options: TransformersOptions, data: Path | None) -> Dataset:
    """Return the requests of a checkpoint: the user's own, or made ones.

    Raises:
        DataError: The data does not fit the checkpoint.
    """
    found = classifiers.read_checkpoint(path, length=options.length)
    return requests.find_requests(found, options, data, path)


def configured(variant: str, configuration: str) -> Model:
    """Return the record of what one configuration says, to be made without the checkpoint."""
    return classifiers.describe_configured(MODEL, variant, configuration)


MODEL = Model(
    name=NAME,
    summary="A directory of transformers that classifies texts, words or pictures.",
    build=build,
    variants=[Variant(name="default", summary="What the checkpoint holds.", weights=["file"])],
    format="torch-module",
    files=["*/config.json"],
    options=TransformersOptions,
    from_file=from_file,
    configured=configured,
    decode=requests.refuse_unbound,
    preprocess=requests.refuse_unbound,
    postprocess=compute_class_scores,
    bind=requests.bind_request,
    inputs=inputs,
    beside=classifiers.list_files,
    look=look,
)


@hookimpl
def edgebench_models() -> Iterator[Model]:
    """Offer checkpoints."""
    yield MODEL
