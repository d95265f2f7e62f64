"""BERT's and RoBERTa's ways of cutting text: what stands around a vocabulary, and their tokens.

A WordPiece (Schuster and Nakajima, 2012) as BERT has, and a byte-level BPE (Sennrich et al., 2016;
Radford et al., 2019) as RoBERTa has, both of the library `tokenizers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@attrs.frozen(kw_only=True, eq=False)
class Kind:
    """One way of cutting text, and the tokens in it that stand for no text."""

    tokens: Mapping[str, str]
    """By what transformers calls their parts, in the order of their numbers, from 0, where the
    vocabulary is trained here."""
    model: Mapping[str, Any]
    """Of what type its model is, and what its settings are."""
    files: tuple[str, ...]
    """What a checkpoint has of it where it has no `tokenizer.json`."""

    @property
    def special(self) -> tuple[str, ...]:
        """The tokens that stand for no text."""
        return tuple(self.tokens.values())

    @property
    def opening(self) -> str:
        """What a text begins with."""
        return self.tokens["cls_token"]

    @property
    def closing(self) -> str:
        """What it ends with, and each of a pair."""
        return self.tokens["sep_token"]

    @property
    def padding(self) -> str:
        """What fills it up."""
        return self.tokens["pad_token"]

    def name_tokens(self, said: Mapping[str, Any]) -> dict[str, str]:
        """Return its tokens by their parts, as settings call them where they do."""
        return {part: said.get(part) or token for part, token in self.tokens.items()}


WORDPIECE = Kind(
    tokens={
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    },
    model={
        "model": "WordPiece",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
    },
    files=("vocab.txt",),
)
BYTES = Kind(
    tokens={
        "cls_token": "<s>",
        "pad_token": "<pad>",
        "sep_token": "</s>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    },
    model={"model": "BPE"},
    files=("vocab.json", "merges.txt"),
)


def set_steps(tokenizer: Tokenizer, kind: Kind, said: Mapping[str, Any]) -> None:
    """Put what goes before the vocabulary in front of it, as settings of transformers say."""
    from tokenizers import decoders, normalizers, pre_tokenizers

    if kind is WORDPIECE:
        tokenizer.normalizer = normalizers.BertNormalizer(
            lowercase=said.get("do_lower_case", True),
            strip_accents=said.get("strip_accents"),
            handle_chinese_chars=said.get("tokenize_chinese_chars", True),
        )
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
    else:
        prefix = said.get("add_prefix_space", False)
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
        tokenizer.decoder = decoders.ByteLevel()


def frame(tokenizer: Tokenizer, kind: Kind, said: Mapping[str, Any]) -> None:
    """Let a text, and a pair, be framed by the tokens that the kind's models expect.

    The vocabulary has those of `cls_token` and `sep_token`.
    """
    from tokenizers import processors

    named = kind.name_tokens(said)
    known = [token for token in named.values() if tokenizer.token_to_id(token) is not None]
    tokenizer.add_special_tokens(known)
    numbers = tokenizer.get_vocab()
    closing, opening = (
        (token, numbers[token]) for token in (named["sep_token"], named["cls_token"])
    )
    if kind is WORDPIECE:
        tokenizer.post_processor = processors.BertProcessing(closing, opening)
    else:
        tokenizer.post_processor = processors.RobertaProcessing(
            closing, opening, add_prefix_space=False
        )
