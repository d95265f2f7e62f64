"""The requests of a checkpoint: a user's own, or made ones, and how they become its tensors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import DataError, Dataset, Metric, Model, Sample, Tensors
from edgebench.metrics.classification import accuracy, top
from edgebench.metrics.words import entity_f1, is_iob2, word_accuracy
from edgebench_kit.checkpoints import own_tokenizers, word_requests
from edgebench_kit.checkpoints.configurations import WRITTEN, Configuration
from edgebench_kit.own_data.datasets import make_dataset
from edgebench_kit.own_data.finding import find_data
from edgebench_kit.own_data.options import DataOptions, refuse_options
from edgebench_kit.text import grammar, tokenizing
from edgebench_kit.text.sentences import pack_sentences
from edgebench_kit.vision.decoding import decode_upright
from edgebench_kit.vision.digit_pictures import draw_noise, encode_png
from edgebench_kit.vision.recipes import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

REQUEST = "request.json"
"""The name under which a pipeline keeps what its requests are and which tensors they become."""
MADE = 256
"""Pictures of a split that are made where none are given."""
MADE_SPLITS = ("calibration", "validation", "test")
"""What is made to be measured with; nothing could be learned from it."""
MANY = 10
"""Classes above which it counts whether the right one is among the best five."""


def describe_request(
    names: Sequence[str], recipe: Recipe | None, *, words: bool = False
) -> dict[str, bytes]:
    """Return the resource that says which tensors a pipeline reads, and how pictures become one.

    Without a recipe it takes texts, or *words*, whose tokenizer is a resource beside it.
    """
    said = {"tensors": list(names), "recipe": recipe and recipe.to_document(), "words": words}
    return {REQUEST: json.dumps(said).encode()}


def bind_request(model: Model, variant: str, resources: Mapping[str, bytes]) -> Model:
    """Return the record whose callables take the requests of a pipeline.

    Raises:
        DataError: The resources are not those of a checkpoint's pipeline.
    """
    try:
        said = json.loads(resources[REQUEST])
        names, written, words = said["tensors"], said["recipe"], said["words"]
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{model.name}:{variant} has no {REQUEST} that can be read") from error
    if words:
        return word_requests.bind_words(model, variant, resources, names)
    if written is None:
        texts = attrs.evolve(model, decode=tokenizing.decode_sentences)
        return tokenizing.bind_tokenizer(texts, variant, resources, names)
    recipe = Recipe.read(written)

    def decode(payload: bytes, variant: str) -> NDArray[Any]:
        # Turned as the camera was held, as transformers' pipeline has it.
        return decode_upright(payload)

    def preprocess(picture: NDArray[Any], variant: str) -> Tensors:
        return {names[0]: recipe.apply(picture)}

    return attrs.evolve(model, decode=decode, preprocess=preprocess)


def refuse_unbound(payload: Any, variant: str) -> Any:
    """Refuse to read a request: only a pipeline knows what its requests are.

    Raises:
        DataError: Always.
    """
    raise DataError("a request is read by the resources of a pipeline, and none are bound")


def find_requests(
    configuration: Configuration, options: DataOptions, data: Path | None, where: Path
) -> Dataset:
    """Return the dataset of a checkpoint in *where*: the user's own data, or made requests.

    Raises:
        DataError: The data is of another kind than the checkpoint takes, or none was given and
            something is said of it.
    """
    if data is None:
        refuse_options(options, "is said of data of your own, and requests are made")
        return _make_requests(configuration.task)
    found = find_data(data, options)
    if found.kind != configuration.task:
        raise DataError(
            f"{data} holds {found.kind}, and {where} is a {configuration.architecture}, which "
            f"classifies {configuration.task}"
        )
    classes = configuration.classes
    measured = partial(_list_metrics, configuration.task, found.name_classes(classes))
    made = make_dataset(found, classes, metrics=measured)
    if configuration.task != "tokens":
        return made
    write = partial(own_tokenizers.write_own, where, configuration)
    return word_requests.place_answers(made, found, lambda: write()[0])


def _list_metrics(task: str, classes: Sequence[str]) -> Sequence[Metric]:
    if task == "tokens":
        return [word_accuracy(), entity_f1(classes)] if is_iob2(classes) else [word_accuracy()]
    if task == "texts":
        return [accuracy()]
    return [top(1), top(5)] if len(classes) > MANY else [top(1)]


def _make_requests(task: str) -> Dataset:
    """Return requests that mean nothing, for latency and agreement alone."""
    things = "texts" if task in WRITTEN else task
    return Dataset(
        name="made-requests",
        summary=f"Made {things}, for a checkpoint without data of one's own.",
        samples=_make_texts if task in WRITTEN else _make_pictures,
        synthetic=True,
    )


def _make_texts(split: str, seed: int) -> Iterator[Sample]:
    if split in MADE_SPLITS:
        yield from ((pack_sentences(one), 0) for one, _ in grammar.make_sentences(split, seed))


def _make_pictures(split: str, seed: int) -> Iterator[Sample]:
    """Yield pictures of noise, each split with others."""
    import numpy as np

    for number in range(MADE if split in MADE_SPLITS else 0):
        stream = np.random.PCG64([seed, MADE_SPLITS.index(split), number])
        yield encode_png(draw_noise(stream, 256)), 0
