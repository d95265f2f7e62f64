"""Checkpoints of transformers: a directory of a configuration, weights and a tokenizer.

Only what fits is loaded: a network is made again from its variant alone, so that nothing of what
decides its outputs may come from the directory but the weights.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import DataError
from edgebench_kit.text.vocabularies import Kind, open_tokenizer
from edgebench_kit.torch.weight_files import load_weights

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FITTING = (
    "num_hidden_layers",
    "hidden_size",
    "num_attention_heads",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "type_vocab_size",
    "hidden_act",
    "layer_norm_eps",
    "pad_token_id",
    "is_decoder",
    "num_labels",
)
"""In what a configuration must equal the network's, as transformers calls it."""
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
AGAINST = {
    "label1": "label0",
    "1": "0",
    "yes": "no",
    "true": "false",
    "good": "bad",
    "positive": "negative",
    "same": "different",
}
"""Names of a class 1, each with that of its class 0, which is not made of it with a `not`."""


def load_checkpoint(module: Any, directory: Path, *, kind: Kind, title: str) -> Tokenizer:
    """Give a network of transformers the weights in *directory*; return the tokenizer beside them.

    *title* is how messages call the network, `bert:base`.

    Raises:
        DataError: The checkpoint is damaged, or is of another network or tokenizer.
    """
    configuration = _read_configuration(directory)
    _check_class(configuration, module, directory)
    _check_shape(configuration, module.config, directory, title)
    _check_labels(configuration, directory)
    weights = next((directory / name for name in WEIGHTS if (directory / name).is_file()), None)
    if weights is None:
        raise DataError(f"{directory} has no weights of {title}: neither {' nor '.join(WEIGHTS)}")
    tokenizer = open_tokenizer(kind, directory)
    _check_tokenizer(tokenizer, module.config, kind, directory)
    # Checkpoints of old keep the numbers of the positions among the weights.
    positions = f"{module.base_model_prefix}.embeddings.position_ids"
    load_weights(module, weights, title=title, ignore=(positions,))
    return tokenizer


def _read_configuration(directory: Path) -> dict[str, Any]:
    path = directory / "config.json"
    if not path.is_file():
        raise DataError(f"{directory} is no checkpoint of transformers: it has no config.json")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} is no configuration, but a {type(found).__name__}")
    return found


def _check_class(found: dict[str, Any], module: Any, directory: Path) -> None:
    """Raise unless the checkpoint is of the network's family, with a classifier."""
    wanted, kind = type(module).__name__, found.get("model_type")
    if kind != module.config.model_type:
        raise DataError(
            f"{directory} holds a checkpoint of the type {kind!r}, not {module.config.model_type!r}"
        )
    if (classes := found.get("architectures")) and wanted not in classes:
        raise DataError(
            f"{directory} holds a {classes[0]}, not a {wanted}: it has no classifier of sentences; "
            "fine-tune it first"
        )


def _check_shape(found: dict[str, Any], wanted: Any, directory: Path, title: str) -> None:
    """Raise unless the checkpoint's network is as large as ours, and computes the same."""
    try:
        given = type(wanted).from_dict(found)
    except Exception as error:  # transformers' own checks raise many kinds
        reason = str(error).splitlines()[0]
        raise DataError(f"{directory / 'config.json'} is no configuration: {reason}") from error
    pairs = [(name, getattr(given, name), getattr(wanted, name)) for name in FITTING]
    positions = found.get("position_embedding_type", "absolute")
    for name, has, needs in (*pairs, ("position_embedding_type", positions, "absolute")):
        if has != needs:
            raise DataError(
                f"the checkpoint in {directory} is not of {title}: {name} is {has}, not {needs}; "
                "give one that fits, or another variant"
            )


def _check_labels(found: dict[str, Any], directory: Path) -> None:
    """Raise if the checkpoint's classes plainly stand in the other order than the data's."""
    labels = found.get("id2label") or {}
    first, second = (str(labels.get(number, "")) for number in ("0", "1"))
    yes, no = _simplify(first), _simplify(second)
    if yes and no in (f"not{yes}", f"non{yes}", f"no{yes}", AGAINST.get(yes)):
        raise DataError(
            f"{directory / 'config.json'} calls class 0 {first!r} and class 1 {second!r}, and of "
            "the data 1 is the class that is so; change the order of the classifier's rows and of "
            "id2label, or give another checkpoint"
        )


def _simplify(label: str) -> str:
    """Return the letters and digits of a label's words, less what says nothing."""
    words = re.findall(r"[a-z]+|[0-9]+", label.lower())
    return "".join(word for word in words if word not in ("is", "a", "are"))


def _check_tokenizer(tokenizer: Tokenizer, wanted: Any, kind: Kind, directory: Path) -> None:
    """Raise if a tokenizer gives numbers that the network has no row for, or fills up wrong."""
    entries, padding = tokenizer.get_vocab_size(), tokenizer.token_to_id(kind.padding)
    if entries > wanted.vocab_size:
        raise DataError(
            f"the tokenizer in {directory} has {entries} entries, "
            f"and the weights beside it {wanted.vocab_size} rows"
        )
    if padding != wanted.pad_token_id:
        raise DataError(
            f"the tokenizer in {directory} fills up with {kind.padding}, {padding}, "
            f"and the configuration beside it says {wanted.pad_token_id}"
        )
