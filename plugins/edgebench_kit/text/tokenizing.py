"""How a payload of text becomes tensors, by the tokenizer that a pipeline keeps.

What runs with a request needs numpy and tokenizers and no framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import DataError, Model, Tensors
from edgebench_kit.text.cutting import encode, take_tensors
from edgebench_kit.text.sentences import unpack_sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

RESOURCE = "tokenizer.json"
"""The name under which a pipeline keeps its tokenizer: how it cuts, fills up and truncates."""


def decode_sentences(payload: bytes, variant: str) -> tuple[str, ...]:
    """Read the one or two sentences of a payload.

    Raises:
        DataError: The payload is not `{"sentence1": "...", "sentence2": "..."}`.
    """
    return unpack_sentences(payload)


def bind_tokenizer(
    model: Model, variant: str, resources: Mapping[str, bytes], names: Sequence[str]
) -> Model:
    """Return the record whose callables use the tokenizer of a pipeline.

    *names* are the tensors that the model reads, in their order.

    Raises:
        DataError: The tokenizer is not there, or is damaged.
    """
    tokenizer = read_tokenizer(model, variant, resources)

    def preprocess(sentences: tuple[str, ...], variant: str) -> Tensors:
        return tokenize(tokenizer, sentences, names)

    def shortens(sentences: tuple[str, ...], variant: str) -> bool:
        return bool(encode(tokenizer, sentences).overflowing)

    return attrs.evolve(model, preprocess=preprocess, shortens=shortens)


def read_tokenizer(model: Model, variant: str, resources: Mapping[str, bytes]) -> Any:
    """Return the tokenizer that a pipeline keeps.

    Raises:
        DataError: It is not there, or is damaged.
    """
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_str(resources[RESOURCE].decode())
    except Exception as error:  # the reader raises nothing more precise
        raise DataError(
            f"{model.name}:{variant} has no {RESOURCE} that can be read: {error}"
        ) from error


def refuse_unbound(sentences: tuple[str, ...], variant: str) -> Tensors:
    """Refuse to make tensors of text: only a pipeline has the tokenizer that can.

    Raises:
        DataError: Always.
    """
    raise DataError("text becomes tensors by the tokenizer of a pipeline, and none is bound")


def tokenize(tokenizer: Any, sentences: tuple[str, ...], names: Sequence[str]) -> Tensors:
    """Turn one sentence or a pair into a batch of one, each tensor int64 of shape (1, length).

    *length* is what the tokenizer fills up and truncates to. Of a pair the longer is shortened
    first, so that something of both is left.
    """
    return take_tensors(encode(tokenizer, sentences), names)
