"""Tokenizers: those trained here on made sentences, and those that come with a checkpoint.

A WordPiece (Schuster and Nakajima, 2012) as BERT has, and a byte-level BPE (Sennrich et al., 2016;
Radford et al., 2019) as RoBERTa has, both of the library `tokenizers`.
"""

from __future__ import annotations

import json
import os
import string
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import DataError
from edgebench_kit.text import grammar

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ENTRIES = 1024
"""The most entries of a vocabulary that is trained here: so many rows have the small models'."""
SENTENCES = 2000
"""How many a vocabulary is trained on; more of them have no other words."""
UNKNOWN = "[UNK]"
LETTERS = string.ascii_lowercase + string.digits


@attrs.frozen(kw_only=True)
class Kind:
    """One way of cutting text, and the tokens in it that stand for no text."""

    special: tuple[str, ...]
    """In the order of their numbers, from 0, where the vocabulary is trained here."""
    opening: str
    closing: str
    padding: str
    files: tuple[str, ...]
    """What a checkpoint has of it where it has no `tokenizer.json`."""


WORDPIECE = Kind(
    special=("[PAD]", UNKNOWN, "[CLS]", "[SEP]", "[MASK]"),
    opening="[CLS]",
    closing="[SEP]",
    padding="[PAD]",
    files=("vocab.txt",),
)
BYTES = Kind(
    special=("<s>", "<pad>", "</s>", "<unk>", "<mask>"),
    opening="<s>",
    closing="</s>",
    padding="<pad>",
    files=("vocab.json", "merges.txt"),
)


def train_tokenizer(kind: Kind) -> Tokenizer:
    """Train a tokenizer on the made sentences, the same one each time.

    A WordPiece can spell whatever is made of unaccented letters and digits, a byte-level BPE
    everything.
    """
    from tokenizers import models

    model: Any = models.WordPiece() if kind is WORDPIECE else models.BPE()
    tokenizer = _assemble(kind, model)
    text = [sentence for sentence, _ in islice(grammar.make_sentences("training", 0), SENTENCES)]
    with _forbid_threads():
        tokenizer.train_from_iterator(text, _make_trainer(kind))
    if kind is WORDPIECE:
        # The letters were trained as if they stood for no text; here they are plain entries.
        vocabulary = models.WordPiece(tokenizer.get_vocab(), unk_token=UNKNOWN)
        tokenizer = _assemble(kind, vocabulary)
    return _frame(tokenizer, kind)


def open_tokenizer(kind: Kind, directory: Path) -> Tokenizer:
    """Open the tokenizer of a checkpoint of transformers: its `tokenizer.json`, or its vocabulary.

    Raises:
        DataError: There is none, or it is damaged or of another kind.
    """
    from tokenizers import Tokenizer

    path = directory / "tokenizer.json"
    whole = path.is_file()
    try:
        tokenizer = (
            Tokenizer.from_file(str(path))
            if whole
            else _assemble(kind, _read_vocabulary(kind, directory), directory)
        )
    except DataError:
        raise
    except Exception as error:  # the readers raise nothing more precise
        raise DataError(f"the tokenizer in {directory} cannot be read: {error}") from error
    for token in (kind.opening, kind.closing, kind.padding):
        if tokenizer.token_to_id(token) is None:
            raise DataError(f"the tokenizer in {directory} is of another kind: it has no {token}")
    return tokenizer if whole else _frame(tokenizer, kind)


def write_tokenizer(tokenizer: Tokenizer, kind: Kind, length: int) -> bytes:
    """Set the one length that everything is filled up or truncated to, and write it as JSON."""
    tokenizer.enable_truncation(length, strategy="longest_first")
    tokenizer.enable_padding(
        length=length, pad_id=tokenizer.token_to_id(kind.padding), pad_token=kind.padding
    )
    text: str = tokenizer.to_str()
    return text.encode()


def _assemble(kind: Kind, model: Any, directory: Path | None = None) -> Tokenizer:
    """Put what goes before the vocabulary in front of it, as *directory* sets it."""
    from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers

    settings = _read_settings(directory)
    tokenizer = Tokenizer(model)
    if kind is WORDPIECE:
        tokenizer.normalizer = normalizers.BertNormalizer(
            lowercase=settings.get("do_lower_case", True),
            strip_accents=settings.get("strip_accents"),
            handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        )
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
    else:
        prefix = settings.get("add_prefix_space", False)
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
        tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _read_settings(directory: Path | None) -> dict[str, Any]:
    path = directory / "tokenizer_config.json" if directory else None
    found = json.loads(path.read_text(encoding="utf-8")) if path and path.is_file() else {}
    return found if isinstance(found, dict) else {}


def _read_vocabulary(kind: Kind, directory: Path) -> Any:
    """Read a vocabulary that lies in a directory by itself."""
    from tokenizers import models

    paths = [directory / name for name in kind.files]
    if not all(path.is_file() for path in paths):
        raise DataError(
            f"{directory} has no tokenizer; tokenizer.json, or {' and '.join(kind.files)}, "
            "must lie beside the weights"
        )
    if kind is WORDPIECE:
        return models.WordPiece.from_file(str(paths[0]), unk_token=UNKNOWN)
    return models.BPE.from_file(*map(str, paths))


def _frame(tokenizer: Tokenizer, kind: Kind) -> Tokenizer:
    """Let a sentence, and a pair, be framed by the tokens that the kind's models expect."""
    from tokenizers import processors

    known = [token for token in kind.special if tokenizer.token_to_id(token) is not None]
    tokenizer.add_special_tokens(known)
    numbers = tokenizer.get_vocab()
    closing, opening = ((token, numbers[token]) for token in (kind.closing, kind.opening))
    if kind is WORDPIECE:
        tokenizer.post_processor = processors.BertProcessing(closing, opening)
    else:
        tokenizer.post_processor = processors.RobertaProcessing(
            closing, opening, add_prefix_space=False
        )
    return tokenizer


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
