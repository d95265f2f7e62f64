"""The tokenizer of a checkpoint: opened without running code, and held against its network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import DataError
from edgebench_kit.checkpoints.configurations import Configuration
from edgebench_kit.checkpoints.networks import make_settings
from edgebench_kit.files.documents import read_beside, read_table
from edgebench_kit.text.tokenizer_files import (
    SETTINGS,
    WHOLE,
    check_length,
    read_settings,
    read_whole,
    set_length,
)
from edgebench_kit.text.tokenizing import tokenize

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = (
    *("vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model"),
    *("spm.model", "tokenizer.model"),
)
"""What transformers makes a tokenizer of where it does not lie there whole."""
ADDED = "added_tokens.json"
"""What was added to such a tokenizer later."""
LENGTH = 128
"""The tokens of a sample, where nobody says another number."""
MANY = 10**9
"""From here on transformers means that a tokenizer has no bound."""
POSITIONS = "max_position_embeddings"
"""How `config.json` calls how many positions there are."""
COUNTED_ON = (
    *("camembert", "data2vec-text", "ibert", "longformer", "mpnet", "roberta"),
    *("roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"),
)
"""Families that count positions from the number of the padding on: so many fewer can be told."""


def check_tokenizer(directory: Path, found: Configuration) -> None:
    """See that a tokenizer fits the network beside it, as far as their files say.

    Raises:
        DataError: There is none, it is damaged, or it does not fit.
    """
    path, said = directory / WHOLE, read_settings(directory)
    most = _read_most(said.get("model_max_length", MANY), directory)
    _choose_length(directory, found.settings, found.length, most)
    if path.is_file():
        whole = read_whole(path)
        entries = whole.get_vocab()
        if found.length is not None:
            check_length(whole, found.length, path, pairs=found.task == "texts")
    else:
        entries = _read_entries(directory)
    _check_entries(entries, found.settings, directory)
    if (token := said.get("pad_token")) in entries:
        _check_padding(token, entries[token], found.settings, directory)


def _read_entries(directory: Path) -> dict[str, int]:
    """Return the numbers of a tokenizer's entries, where one does not lie there whole.

    Raises:
        DataError: There is no tokenizer, or it is damaged.
    """
    named = next((name for name in PARTS if (directory / name).is_file()), None)
    if named is None:
        raise DataError(
            f"{directory} has no tokenizer: neither {WHOLE} nor {', '.join(PARTS)}; save it "
            "beside the weights"
        )
    found = _read_vocabulary(directory / named) | read_beside(directory / ADDED)
    return {token: number for token, number in found.items() if isinstance(number, int)}


def _read_vocabulary(path: Path) -> dict[str, Any]:
    if path.suffix == ".json":
        return read_table(path)
    if path.suffix != ".txt":
        return _number_pieces(path)
    try:
        # An entry may be a separator that splitlines would take for an end.
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return {line: number for number, line in enumerate(lines)}


def _number_pieces(path: Path) -> dict[str, int]:
    """Return the numbers of the pieces of a model of sentencepiece; none without its package.

    Families number pieces each in its own way, so that a name of ours stands for a piece's own. All
    of them have a row for each piece or more.

    Raises:
        DataError: It cannot be read.
    """
    if find_spec("sentencepiece") is None:
        return {}
    from sentencepiece import SentencePieceProcessor

    try:
        pieces = SentencePieceProcessor(model_file=str(path)).get_piece_size()
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path} cannot be read as a model of sentencepiece: {error}") from error
    return {f"piece {number}": number for number in range(pieces)}


def write_own(directory: Path, found: Configuration) -> tuple[bytes, tuple[str, ...]]:
    """Write a checkpoint's tokenizer as `write_tokenizer` does, by the configuration beside it.

    Raises:
        DataError: It cannot be opened without code, does not fit, or cannot cut single words.
    """
    made = make_settings(found, str(directory))
    written, names = write_tokenizer(directory, made, found.length, pairs=found.task == "texts")
    if found.task == "tokens" and not _cuts_words(json.loads(written)["pre_tokenizer"]):
        raise DataError(
            f"the tokenizer in {directory} takes a word alone for the beginning of a text "
            "(add_prefix_space is false), as transformers refuses too; load it with "
            "add_prefix_space=True, as it was trained with, and save it again"
        )
    return written, names


def _cuts_words(described: Any) -> bool:
    """Say whether a step before a tokenizer cuts single words as those amid a text."""
    if not isinstance(described, dict):
        return True
    steps = [described, *described.get("pretokenizers", ())]
    return not any(
        step.get("type") == "ByteLevel" and not step["add_prefix_space"] for step in steps
    )


def write_tokenizer(
    directory: Path, made: Any, length: int | None, *, pairs: bool = True
) -> tuple[bytes, tuple[str, ...]]:
    """Write a checkpoint's tokenizer as JSON, with the one length that texts are brought to.

    Transformers opens it; *made* is its configuration of the network, *pairs* whether a pair of
    texts may come. Returned are the JSON, and the names of the tensors that the tokenizer gives.

    Raises:
        DataError: It cannot be opened without code, does not fit, or the length is too large, or
            too small for a token of a text.
    """
    opened = _open(directory)
    # A family may call its positions otherwise.
    positions = getattr(made, POSITIONS, None)
    settings = {**made.to_dict(), POSITIONS: positions}
    tokenizer = getattr(opened, "backend_tokenizer", None)
    if tokenizer is None:
        raise DataError(
            f"the tokenizer in {directory}, a {type(opened).__name__}, is made of Python and not "
            f"of the library tokenizers; one with a {WHOLE} can be measured"
        )
    _check_entries(tokenizer.get_vocab(), settings, directory)
    token, number = opened.pad_token, opened.pad_token_id
    if token is None or number is None:
        raise DataError(f"the tokenizer in {directory} names no pad_token to fill texts up with")
    _check_padding(token, number, settings, directory)
    most = _read_most(opened.model_max_length, directory)
    chosen = _choose_length(directory, settings, length, most)
    check_length(tokenizer, chosen, f"the tokenizer in {directory}", pairs=pairs)
    set_length(
        tokenizer,
        chosen,
        padding=token,
        type_id=opened.pad_token_type_id,
        filled=opened.padding_side,
        cut=opened.truncation_side,
    )
    text: str = tokenizer.to_str()
    return text.encode(), tuple(opened.model_input_names)


def read_length(written: bytes) -> int:
    """Return the tokens that a tokenizer brings texts to, as `write_tokenizer` wrote it."""
    return int(json.loads(written)["truncation"]["max_length"])


def read_padding(written: bytes) -> int:
    """Return the number of the token that texts are filled up with, as `write_tokenizer` wrote."""
    return int(json.loads(written)["padding"]["pad_id"])


def tokenize_word(
    written: bytes, names: Sequence[str]
) -> tuple[tuple[list[NDArray[Any]], list[NDArray[Any]]], Mapping[str, Any]]:
    """Return the tensors of a text of one word, filled up and not, and how it is filled up.

    Each is int64 of shape (1, tokens), in the order of *names*; *written* is what
    `write_tokenizer` wrote.
    """
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_str(written.decode())
    padding = dict(tokenizer.padding)
    filled = tokenize(tokenizer, ("a",), names)
    tokenizer.no_padding()
    alone = tokenize(tokenizer, ("a",), names)
    return (list(filled.values()), list(alone.values())), padding


def _open(directory: Path) -> Any:
    """Let transformers open a tokenizer; nothing is fetched, and no code beside it is run."""
    from transformers import AutoTokenizer

    if (directory / WHOLE).is_file():
        read_whole(directory / WHOLE)
    try:
        return AutoTokenizer.from_pretrained(
            str(directory), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # its readers raise nothing more precise
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise DataError(f"the tokenizer in {directory} cannot be read: {reason[:300]}") from error


def _check_entries(
    numbers: Mapping[str, int], settings: Mapping[str, Any], directory: Path
) -> None:
    """Raise if a tokenizer gives numbers that the network has no row for."""
    entries, rows = max(numbers.values(), default=-1) + 1, settings.get("vocab_size")
    if isinstance(rows, int) and entries > rows:
        raise DataError(
            f"the tokenizer in {directory} does not fit the weights beside it: it has "
            f"{entries:,} entries, and they {rows:,} rows (vocab_size)"
        )


def _check_padding(token: str, number: int, settings: Mapping[str, Any], directory: Path) -> None:
    """Raise if a tokenizer fills up with another number than the network takes for that."""
    said = settings.get("pad_token_id")
    if isinstance(said, int) and said != number:
        raise DataError(
            f"the tokenizer in {directory} does not fit the weights beside it: it fills up with "
            f"{token}, {number}, and config.json says pad_token_id {said}"
        )


def _read_most(said: Any, directory: Path) -> list[int]:
    """Return the most tokens that a tokenizer gives of a text, none where there is no bound.

    Raises:
        DataError: It is no number of tokens.
    """
    if type(said) not in (int, float) or not said >= 1:
        raise DataError(
            f"{directory / SETTINGS[0]}: model_max_length is a number of tokens, from 1 on, not "
            f"{said!r}"
        )
    return [int(said)] if said < MANY else []


def _choose_length(
    directory: Path, settings: Mapping[str, Any], length: int | None, most: Sequence[int]
) -> int:
    """Return how many tokens a sample has: as many as were said, if there are positions for them.

    Raises:
        DataError: There are not.
    """
    positions, padding = settings.get(POSITIONS), settings.get("pad_token_id") or 0
    if isinstance(positions, int) and positions > 0:
        taken = padding + 1 if settings.get("model_type") in COUNTED_ON else 0
        most = [*most, positions - taken]
    if length is None:
        return min([LENGTH, *most])
    if most and length > min(most):
        raise DataError(f"length={length}: the model in {directory} takes {min(most)} at most")
    return length
