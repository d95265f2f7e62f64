"""Checkpoints of transformers: a directory of a configuration, weights and a tokenizer.

Only what fits is loaded: a network is made again from its variant alone, so that nothing of what
decides its outputs may come from the directory but the weights.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import DataError
from edgebench_kit.files.documents import read_table
from edgebench_kit.text.vocabularies import open_tokenizer
from edgebench_kit.torch.weight_files import NAMES, load_weights

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from edgebench_kit.text.encoders import Network, Size

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


def load_checkpoint(module: Any, size: Size, directory: Path, *, title: str) -> Tokenizer:
    """Give a network of transformers the weights in *directory*; return the tokenizer beside them.

    *module* was made by *size*; *title* is how messages call it, `bert:base`.

    Raises:
        DataError: The checkpoint is damaged, or is of another network or tokenizer.
    """
    weights, tokenizer = check_checkpoint(size, directory, title=title)
    _check_shape(_complete_configuration(module.config, size, directory), size, directory, title)
    # Checkpoints of old keep the numbers of the positions among the weights.
    positions = f"{module.base_model_prefix}.embeddings.position_ids"
    load_weights(module, weights, title=title, ignore=(positions,))
    return tokenizer


def check_checkpoint(size: Size, directory: Path, *, title: str) -> tuple[Path, Tokenizer]:
    """See whether a checkpoint is one of a size, as far as its files say; no weights are read.

    What its configuration leaves to transformers' defaults is not looked at. Returned are the file
    of the weights, and the tokenizer.

    Raises:
        DataError: The checkpoint is of another network or tokenizer, or a file is missing.
    """
    configuration = _read_configuration(directory)
    _check_class(configuration, size.network, directory)
    _check_shape(_count_labels(configuration), size, directory, title)
    _check_labels(configuration, directory)
    weights = next((directory / name for name in NAMES if (directory / name).is_file()), None)
    if weights is None:
        raise DataError(f"{directory} has no weights of {title}: neither {' nor '.join(NAMES)}")
    tokenizer = open_tokenizer(size.network.kind, directory)
    _check_tokenizer(tokenizer, size, directory)
    return weights, tokenizer


def _read_configuration(directory: Path) -> dict[str, Any]:
    path = directory / "config.json"
    if not path.is_file():
        raise DataError(f"{directory} is no checkpoint of transformers: it has no config.json")
    return read_table(path)


def _check_class(found: dict[str, Any], network: Network, directory: Path) -> None:
    """Raise unless the checkpoint is of the network's family, with a classifier."""
    wanted, kind = network.classifier, found.get("model_type")
    if kind != network.name:
        raise DataError(
            f"{directory} holds a checkpoint of the type {kind!r}, not {network.name!r}"
        )
    if (classes := found.get("architectures")) and wanted not in classes:
        raise DataError(
            f"{directory} holds a {classes[0]}, not a {wanted}: it has no classifier of sentences; "
            "fine-tune it first"
        )


def _complete_configuration(ours: Any, size: Size, directory: Path) -> dict[str, Any]:
    """Return what a checkpoint's configuration says, or transformers' defaults, of our figures."""
    found = _read_configuration(directory)
    try:
        whole = type(ours).from_dict(found)
    except Exception as error:  # transformers' own checks raise many kinds
        reason = str(error).splitlines()[0]
        raise DataError(f"{directory / 'config.json'} is no configuration: {reason}") from error
    return {**found, **{name: getattr(whole, name) for name in size.figures}}


def _count_labels(found: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration that says how many classes there are, which go by their names."""
    names = found.get("id2label")
    return {**found, "num_labels": len(names)} if isinstance(names, dict) else found


def _check_shape(found: dict[str, Any], size: Size, directory: Path, title: str) -> None:
    """Raise unless the checkpoint's network is as large as ours, and computes the same."""
    for name, needs in {**size.figures, "position_embedding_type": "absolute"}.items():
        has = found.get(name, needs)
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


def _check_tokenizer(tokenizer: Tokenizer, size: Size, directory: Path) -> None:
    """Raise if a tokenizer gives numbers that the network has no row for, or fills up wrong."""
    kind, needed = size.network.kind, size.figures["pad_token_id"]
    entries, padding = tokenizer.get_vocab_size(), tokenizer.token_to_id(kind.padding)
    if entries > size.rows:
        raise DataError(
            f"the tokenizer in {directory} has {entries} entries, "
            f"and the weights beside it {size.rows} rows"
        )
    if padding != needed:
        raise DataError(
            f"the tokenizer in {directory} fills up with {kind.padding}, {padding}, "
            f"and the configuration beside it says {needed}"
        )
