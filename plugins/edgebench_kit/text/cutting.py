"""Texts cut by a tokenizer of the library tokenizers; what it stumbles over is said in a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgebench import DataError, Tensors

GIVEN = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""What a tokenizer gives, by the names of transformers, and what the library calls it."""
PANIC = "PanicException"
"""What an error of Rust is called in Python, where it is no Exception."""


def encode(tokenizer: Any, texts: Sequence[str]) -> Any:
    """Let a tokenizer cut a text or a pair.

    Raises:
        DataError: It stumbles, as a damaged one does over some texts.
    """
    try:
        return tokenizer.encode(*texts)
    except BaseException as error:
        # What Rust panics over is no Exception; an interruption is not the tokenizer's.
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        said = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"the tokenizer cannot cut the text {texts[0][:40]!r}: {said[:200]}; it may be damaged"
        ) from error


def take_tensors(encoding: Any, names: Sequence[str]) -> Tensors:
    """Return a batch of one of what a tokenizer made, each tensor int64 of shape (1, length).

    *names* are some of `GIVEN`.
    """
    import numpy as np

    return {name: np.array([getattr(encoding, GIVEN[name])], np.int64) for name in names}
