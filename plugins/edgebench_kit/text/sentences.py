"""How a sentence, or a pair of them, travels: UTF-8 JSON with `sentence1`, and `sentence2`."""

from __future__ import annotations

import json

from edgebench import DataError

KEYS = ("sentence1", "sentence2")


def pack_sentences(*sentences: str) -> bytes:
    """Return the wire form of one sentence or of two."""
    return json.dumps(dict(zip(KEYS, sentences, strict=False)), ensure_ascii=False).encode()


def unpack_sentences(payload: bytes) -> tuple[str, ...]:
    """Return the one or two sentences of a payload.

    Raises:
        DataError: The payload is not such JSON.
    """
    try:
        found = json.loads(payload.decode())
        sentences = tuple(found[key] for key in KEYS if key == KEYS[0] or key in found)
        "".join(sentences).encode()  # all are texts, without halves of characters
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(
            f"a payload of {len(payload)} bytes is not the JSON of a sentence or a pair, "
            f'{{"sentence1": "...", "sentence2": "..."}}: {type(error).__name__}: {error}'
        ) from error
    return sentences
