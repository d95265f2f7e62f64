"""The tokenizer of a checkpoint: opened without running code, and held against its network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import DataError
from edgebench_kit.checkpoints.configurations import Configuration
from edgebench_kit.checkpoints.networks import make_settings
from edgebench_kit.files.documents import read_beside, read_table
from edgebench_kit.text.tokenizing import tokenize

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

WHOLE = "tokenizer.json"
PARTS = (
    *("vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model"),
    *("spm.model", "tokenizer.model"),
)
"""What transformers makes a tokenizer of where it does not lie there whole."""
ADDED = "added_tokens.json"
"""What was added to such a tokenizer later."""
LENGTH = 128
"""The tokens of a sample, where nobody says another number."""
COUNTED_ON = (
    *("camembert", "data2vec-text", "ibert", "longformer", "mpnet", "roberta"),
    *("roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"),
)
"""Families that count positions from the number of the padding on: so many fewer can be told."""


def check_tokenizer(directory: Path, settings: Mapping[str, Any]) -> None:
    """See that a tokenizer fits the network beside it, as far as its files say.

    Raises:
        DataError: There is none, it is damaged, or it does not fit.
    """
    path = directory / WHOLE
    entries = _read_whole(path).get_vocab() if path.is_file() else _read_entries(directory)
    _check_entries(entries, settings, directory)
    token = find_padding(directory)
    if token is not None and token in entries:
        _check_padding(token, entries[token], settings, directory)


def _read_entries(directory: Path) -> dict[str, int]:
    """Return the numbers of a tokenizer's entries, where one does not lie there whole.

    There are none of a model of sentencepiece: its families number the pieces each in its own way.

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
        return {}
    try:
        # An entry may be a separator that splitlines would take for an end.
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return {line: number for number, line in enumerate(lines)}


def find_padding(directory: Path) -> str | None:
    """Return the token that texts are filled up with, where a file beside the weights says it."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        said = read_beside(directory / name).get("pad_token")
        token = said.get("content") if isinstance(said, dict) else said
        if isinstance(token, str):
            return token
    return None


def write_own(directory: Path, found: Configuration) -> tuple[bytes, tuple[str, ...]]:
    """Write a checkpoint's tokenizer as `write_tokenizer` does, by the configuration beside it.

    Raises:
        DataError: It cannot be opened without code, does not fit, or cannot cut single words.
    """
    made = make_settings(found, str(directory))
    written, names = write_tokenizer(directory, made, found.length)
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
    directory: Path, made: Any, length: int | None
) -> tuple[bytes, tuple[str, ...]]:
    """Write a checkpoint's tokenizer as JSON, with the one length that texts are brought to.

    Transformers opens it; *made* is its configuration of the network. Returned are the JSON, and
    the names of the tensors that the tokenizer gives.

    Raises:
        DataError: It cannot be opened without code, does not fit, or the length is too large.
    """
    opened = _open(directory)
    settings = made.to_dict()
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
    chosen = _choose_length(directory, made, length, opened.model_max_length)
    tokenizer.enable_truncation(chosen, strategy="longest_first", direction=opened.truncation_side)
    tokenizer.enable_padding(
        length=chosen,
        pad_id=number,
        pad_token=token,
        pad_type_id=opened.pad_token_type_id,
        direction=opened.padding_side,
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
        _read_whole(directory / WHOLE)
    try:
        return AutoTokenizer.from_pretrained(
            str(directory), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # its readers raise nothing more precise
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise DataError(f"the tokenizer in {directory} cannot be read: {reason[:300]}") from error


def _read_whole(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the reader raises nothing more precise
        raise DataError(f"{path} cannot be read: {error}") from error


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


def _choose_length(directory: Path, made: Any, length: int | None, own: float) -> int:
    """Return how many tokens a sample has: as many as were said, if there are positions for them.

    Raises:
        DataError: There are not.
    """
    positions = getattr(made, "max_position_embeddings", None)
    most = [int(own)] if own < 1e9 else []
    if isinstance(positions, int) and positions > 0:
        taken = (made.pad_token_id or 0) + 1 if made.model_type in COUNTED_ON else 0
        most.append(positions - taken)
    if length is None:
        return min([LENGTH, *most])
    if most and length > min(most):
        raise DataError(f"length={length}: the model in {directory} takes {min(most)} at most")
    return length
