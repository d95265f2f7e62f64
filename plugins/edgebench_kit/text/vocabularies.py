"""Tokenizers of BERT's and RoBERTa's kinds: those trained here, and those of a checkpoint."""

from __future__ import annotations

import os
import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import DataError
from edgebench_kit.text import grammar
from edgebench_kit.text.cutting import explain
from edgebench_kit.text.kinds import WORDPIECE, Kind, frame, set_steps
from edgebench_kit.text.tokenizer_files import (
    SETTINGS,
    WHOLE,
    open_whole,
    read_settings,
    set_length,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ENTRIES = 1024
"""The most entries of a vocabulary that is trained here: so many rows have the small models'."""
SENTENCES = 2000
"""How many a vocabulary is trained on; more of them have no other words."""
LETTERS = string.ascii_lowercase + string.digits


def train_tokenizer(kind: Kind) -> Tokenizer:
    """Train a tokenizer on the made sentences, the same one each time.

    A WordPiece can spell whatever is made of unaccented letters and digits, a byte-level BPE
    everything.
    """
    from tokenizers import models

    model: Any = models.WordPiece() if kind is WORDPIECE else models.BPE()
    tokenizer = _assemble(kind, model, {})
    text = [sentence for sentence, _ in islice(grammar.make_sentences("training", 0), SENTENCES)]
    with _forbid_threads():
        tokenizer.train_from_iterator(text, _make_trainer(kind))
    if kind is WORDPIECE:
        # The letters were trained as if they stood for no text; here they are plain entries.
        unknown = kind.tokens["unk_token"]
        vocabulary = models.WordPiece(tokenizer.get_vocab(), unk_token=unknown)
        tokenizer = _assemble(kind, vocabulary, {})
    frame(tokenizer, kind, {})
    return tokenizer


def open_tokenizer(kind: Kind, directory: Path) -> Tokenizer:
    """Open the tokenizer of a checkpoint of transformers: its `tokenizer.json`, or its vocabulary.

    Raises:
        DataError: There is none, or it is damaged or of another kind.
    """
    said, path = read_settings(directory), directory / WHOLE
    sides = {"padding_side": "right", "truncation_side": "right"}
    for part, usual in {**kind.tokens, **sides}.items():
        if (own := said.get(part, usual)) != usual and part != "mask_token":
            raise DataError(
                f"{directory / SETTINGS[0]} says {part} {own!r}, and of this kind it is {usual!r}"
            )
    tokenizer = (
        open_whole(path, said, kind)
        if path.is_file()
        else _assemble(kind, _read_vocabulary(kind, directory), said)
    )
    for token in (kind.opening, kind.closing, kind.padding):
        if tokenizer.token_to_id(token) is None:
            raise DataError(f"the tokenizer in {directory} is of another kind: it has no {token}")
    if not path.is_file():
        frame(tokenizer, kind, said)
    return tokenizer


def write_tokenizer(tokenizer: Tokenizer, kind: Kind, length: int) -> bytes:
    """Set the one length that everything is filled up or truncated to, and write it as JSON."""
    set_length(tokenizer, length, padding=kind.padding)
    text: str = tokenizer.to_str()
    return text.encode()


def _assemble(kind: Kind, model: Any, said: Mapping[str, Any]) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer(model)
    set_steps(tokenizer, kind, said)
    return tokenizer


def _read_vocabulary(kind: Kind, directory: Path) -> Any:
    """Read a vocabulary that lies in a directory by itself."""
    from tokenizers import models

    paths = [directory / name for name in kind.files]
    if not all(path.is_file() for path in paths):
        raise DataError(
            f"{directory} has no tokenizer; {WHOLE}, or {' and '.join(kind.files)}, "
            "must lie beside the weights"
        )
    try:
        if kind is WORDPIECE:
            return models.WordPiece.from_file(str(paths[0]), unk_token=kind.tokens["unk_token"])
        return models.BPE.from_file(*map(str, paths))
    except BaseException as error:
        where = f"the tokenizer in {directory} cannot be read"
        raise explain(error, where, "save it again") from error


def _make_trainer(kind: Kind) -> Any:
    from tokenizers import pre_tokenizers, trainers

    if kind is WORDPIECE:
        # Letters that do not begin a word would be numbered in the order of a hash table, another
        # in each process; and those that are not seen would have no number.
        letters = [f"##{letter}" for letter in LETTERS]
        return trainers.WordPieceTrainer(
            vocab_size=ENTRIES,
            special_tokens=[*kind.special, *letters],
            initial_alphabet=[*LETTERS, *string.punctuation],
            show_progress=False,
        )
    return trainers.BpeTrainer(
        vocab_size=ENTRIES,
        min_frequency=2,
        special_tokens=list(kind.special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )


@contextmanager
def _forbid_threads() -> Iterator[None]:
    """Keep the library from threads: after them it warns of every process that is forked."""
    name = "TOKENIZERS_PARALLELISM"
    before = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
