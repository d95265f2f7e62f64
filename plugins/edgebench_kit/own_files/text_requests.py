"""Requests that are texts, made into the inputs of a model that is a file by its tokenizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

from edgebench import DataError, Tensors, TensorSpec
from edgebench_kit.own_files.sources import Source
from edgebench_kit.text.cutting import GIVEN, encode, take_tensors
from edgebench_kit.text.sentences import unpack_sentences
from edgebench_kit.text.tokenizer_files import (
    SETTINGS,
    check_length,
    open_whole,
    read_settings,
    set_length,
)

NUMBERS = ("int64", "int32")
PADDINGS = ("[PAD]", "<pad>", "<|pad|>", "<|endoftext|>")
"""What tokens that fill up are usually called, where no file says."""
PROBE = ("A text, to see", "whether it can be cut: 1 é.")


@attrs.frozen(kw_only=True)
class TextRequest:
    """How a text, or a pair of them, becomes the inputs."""

    inputs: Mapping[str, tuple[str, str]]
    """By input what of a tokenizer's it takes, and its type."""
    tokenizer: str
    """The tokenizer as JSON, which fills up and cuts to the one length of the inputs."""
    length: int
    kind: Literal["texts"] = "texts"
    _open: Any = attrs.field(init=False, eq=False, repr=False)

    @_open.default
    def _make_open(self) -> Any:
        from tokenizers import Tokenizer

        return Tokenizer.from_str(self.tokenizer)

    def to_document(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return {
            "kind": self.kind,
            "inputs": {name: list(one) for name, one in self.inputs.items()},
            "tokenizer": self.tokenizer,
            "length": self.length,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> TextRequest:
        """Read what `to_document` wrote."""
        return cls(
            inputs={name: (one[0], one[1]) for name, one in document["inputs"].items()},
            tokenizer=document["tokenizer"],
            length=document["length"],
        )

    def decode(self, payload: bytes) -> tuple[str, ...]:
        """Read the one or two texts of a payload.

        Raises:
            DataError: The payload holds none.
        """
        return unpack_sentences(payload)

    def preprocess(self, texts: tuple[str, ...]) -> Tensors:
        """Make the inputs of one text or of a pair, each of shape (1, length).

        Of a pair the longer is shortened first, so that something of both is left.
        """
        made = take_tensors(encode(self._open, texts), [given for given, _ in self.inputs.values()])
        return {name: made[given].astype(dtype) for name, (given, dtype) in self.inputs.items()}

    def shortens(self, texts: tuple[str, ...]) -> bool:
        """Say whether something of the texts is cut off."""
        return bool(encode(self._open, texts).overflowing)

    def describe(self) -> str:
        """Say in a phrase what becomes of a text."""
        return f"a request is a text, made into {', '.join(self.inputs)} of {self.length} tokens"


def find_text_inputs(specs: Sequence[TensorSpec]) -> dict[str, str]:
    """Return by input what of a tokenizer's it takes; empty if these are no inputs of texts.

    An input goes by its name; one alone takes the numbers of the tokens, whatever it is called.
    """
    if any(len(spec.shape) != 2 or spec.dtype not in NUMBERS for spec in specs):
        return {}
    if len(specs) == 1:
        return {specs[0].name: "input_ids"}
    names = [spec.name for spec in specs]
    known = set(names) <= set(GIVEN) and "input_ids" in names
    return dict(zip(names, names, strict=True)) if known else {}


def fit_tokenizer(
    specs: Sequence[TensorSpec], source: Source, rows: Mapping[str, int], file: object
) -> TextRequest:
    """Return how texts become inputs, by the tokenizer of a source.

    *rows* are by input how many rows the table has that it picks from, where that is known; *file*
    is what to call the model by. Every dimension but the batch is a number.

    Raises:
        DataError: The tokenizer cannot be read, or does not fit the inputs.
    """
    if source.texts is None:
        raise DataError(f"{source.where} says nothing of texts, which {file} takes")
    given = find_text_inputs(specs)
    lengths = {spec.shape[1] for spec in specs}
    if len(lengths) != 1 or not isinstance(length := lengths.pop(), int):
        told = ", ".join(f"{spec.name!r} {spec.shape[1]}" for spec in specs)
        raise DataError(f"the inputs of {file} must be of one length for a text, and are: {told}")
    said = read_settings(source.texts.parent)
    tokenizer: Any = open_whole(source.texts, said)
    last = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    for name, one in given.items():
        if one == "input_ids" and last >= rows.get(name, last + 1):
            raise DataError(
                f"{source.texts} has tokens up to number {last}, and the table that the input "
                f"{name!r} of {file} picks from has {rows[name]} rows; it is another model's "
                "tokenizer"
            )
    _set_length(tokenizer, said, length, source.texts)
    try:
        encode(tokenizer, PROBE)
    except DataError as error:
        # A word that it does not know may never come; what it panics over is damage.
        if not isinstance(error.__cause__, Exception):
            raise DataError(f"{source.texts}: {error}") from error
    types = {spec.name: spec.dtype for spec in specs}
    return TextRequest(
        inputs={name: (one, types[name]) for name, one in given.items()},
        tokenizer=tokenizer.to_str(),
        length=length,
    )


def _set_length(tokenizer: Any, said: Mapping[str, Any], length: int, path: Path) -> None:
    """Have a tokenizer fill up and cut to one length, as its files say what with and where.

    Raises:
        DataError: The length has no room for a token of a text, or nothing says what fills up.
    """
    check_length(tokenizer, length, path)
    # As in transformers, what is said beside a tokenizer goes before what it holds itself.
    usual, cut = tokenizer.padding or {}, tokenizer.truncation or {}
    token = said.get("pad_token") or usual.get("pad_token")
    if token is None:
        token = next((one for one in PADDINGS if tokenizer.token_to_id(one) is not None), None)
    if token is None or tokenizer.token_to_id(token) is None:
        raise DataError(
            f"nothing says with which token {path} fills up what is short; say it in "
            f'{path.with_name(SETTINGS[0])}: {{"pad_token": "..."}}'
        )
    set_length(
        tokenizer,
        length,
        padding=token,
        type_id=usual.get("pad_type_id", 0),
        filled=said.get("padding_side") or usual.get("direction", "right"),
        cut=said.get("truncation_side") or cut.get("direction", "right"),
    )
