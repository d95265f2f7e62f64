"""Texts cut by a tokenizer of the library tokenizers; what it stumbles over is said in a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgebench import DataError, Tensors

GIVEN = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""What a tokenizer gives, by the names of transformers, and what the library calls it."""
PANIC = "PanicException"
"""What an error of Rust is called in Python, where it is no Exception."""


def encode(tokenizer: Any, texts: Sequence[str], *, is_pretokenized: bool = False) -> Any:
    """Let a tokenizer cut a text or a pair, or the single words of one text.

    Raises:
        DataError: It stumbles, as a damaged one does over some texts.
    """
    try:
        given = [texts] if is_pretokenized else texts
        return tokenizer.encode(*given, is_pretokenized=is_pretokenized)
    except BaseException as error:
        said = f"the tokenizer cannot cut the text {' '.join(texts)[:40]!r}"
        raise explain(error, said, "it may be damaged") from error


def explain(error: BaseException, what: str, remedy: str) -> DataError:
    """Return the line for what the library stumbled over, which raises nothing more precise.

    What is no error of its own, as an interruption, is raised again.
    """
    # What Rust panics over is no Exception.
    if not isinstance(error, Exception) and type(error).__name__ != PANIC:
        raise error
    said = " ".join(str(error).split()) or type(error).__name__
    return DataError(f"{what}: {said[:200]}; {remedy}")


def take_tensors(encoding: Any, names: Sequence[str]) -> Tensors:
    """Return a batch of one of what a tokenizer made, each tensor int64 of shape (1, length).

    *names* are some of `GIVEN`.
    """
    import numpy as np

    return {name: np.array([getattr(encoding, GIVEN[name])], np.int64) for name in names}
