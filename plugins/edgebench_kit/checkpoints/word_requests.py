"""Requests of models that give each word a class: words cut into tokens, and answers to match.

A request is `text.sentences.pack_sentences` of the words with spaces between. The first token of a
word answers for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import DataError, Dataset, Model, Sample, Tensors, Unreadable
from edgebench.metrics.words import FILLER
from edgebench_kit.own_data.own import OwnData
from edgebench_kit.text.cutting import encode, take_tensors
from edgebench_kit.text.sentences import unpack_sentences
from edgebench_kit.text.tokenizing import read_tokenizer

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


def decode_words(payload: bytes, variant: str) -> tuple[str, ...]:
    """Read the words of a payload.

    Raises:
        DataError: The payload is not `{"sentence1": "..."}`.
    """
    first, *more = unpack_sentences(payload)
    if more:
        raise DataError("a payload holds a pair, and words are classified in one text alone")
    return tuple(first.split())


def bind_words(
    model: Model, variant: str, resources: Mapping[str, bytes], names: Sequence[str]
) -> Model:
    """Return the record whose callables cut words with the tokenizer of a pipeline.

    *names* are the tensors that the model reads, each int64 of shape (1, length).

    Raises:
        DataError: The tokenizer is not there, or is damaged.
    """
    tokenizer = read_tokenizer(model, variant, resources)

    def preprocess(words: tuple[str, ...], variant: str) -> Tensors:
        return take_tensors(encode(tokenizer, words, is_pretokenized=True), names)

    def shortens(words: tuple[str, ...], variant: str) -> bool:
        return bool(encode(tokenizer, words, is_pretokenized=True).overflowing)

    return attrs.evolve(
        model,
        decode=decode_words,
        preprocess=preprocess,
        shortens=shortens,
        postprocess=choose_classes,
    )


def choose_classes(outputs: Tensors, variant: str) -> NDArray[Any]:
    """Return the class of each token, int32 of shape (length,); -1 where a score is no number."""
    import numpy as np

    logits = outputs["logits"][0]
    best = logits.argmax(axis=-1).astype(np.int32)
    return np.where(np.isnan(logits).any(axis=-1), np.int32(-1), best)


def place_answers(dataset: Dataset, data: OwnData, write_tokenizer: Callable[[], bytes]) -> Dataset:
    """Return the dataset of words whose answers say which token answers for each word.

    Answers are int64 of shape (2, words of the longest text), as `edgebench.metrics.words` takes
    them. The tokenizer is written when the first sample is asked for.
    """

    @cache
    def open_tokenizer() -> Any:
        from tokenizers import Tokenizer

        return Tokenizer.from_str(write_tokenizer().decode())

    def samples(split: str, seed: int) -> Iterator[Sample | Unreadable]:
        whole = [data] if data.calibration is None else [data, data.calibration]
        longest = max((len(one.label) for each in whole for one in each.groups.items), default=0)
        for one in dataset.samples(split, seed) if dataset.samples else ():
            if isinstance(one, Unreadable):
                yield one
            else:
                payload, classes = one
                places = find_words(open_tokenizer(), decode_words(payload, ""))
                yield payload, _fill_up(places, classes, longest)

    return attrs.evolve(dataset, samples=samples)


def find_words(tokenizer: Any, words: Sequence[str]) -> list[int]:
    """Return the place of the first token of each word, -1 of one that has none or is cut off."""
    places = [-1] * len(words)
    for token, word in enumerate(encode(tokenizer, words, is_pretokenized=True).word_ids):
        if word is not None and places[word] < 0:
            places[word] = token
    return places


def _fill_up(places: Sequence[int], classes: NDArray[Any], longest: int) -> NDArray[Any]:
    import numpy as np

    answer = np.full((2, longest), [[-1], [FILLER]], dtype=np.int64)
    answer[:, : len(places)] = places, classes
    return answer


def word_cross_entropy(outputs: Mapping[str, torch.Tensor], answers: torch.Tensor) -> torch.Tensor:
    """Compute the mean cross-entropy of the words that a token answers for.

    Of `logits` (batch, length, classes), and answers (batch, 2, words) as `place_answers` makes
    them.
    """
    from torch.nn import functional

    logits, (places, classes) = outputs["logits"], answers.unbind(1)
    taken = places.clamp(min=0).unsqueeze(-1).expand(-1, -1, logits.shape[-1])
    known = (places >= 0) & (classes != FILLER)
    # A batch without any would be a mean of nothing.
    losses = functional.cross_entropy(
        logits.gather(1, taken).flatten(0, 1),
        classes.masked_fill(~known, FILLER).flatten(),
        ignore_index=FILLER,
        reduction="sum",
    )
    return losses / known.sum().clamp(min=1)
