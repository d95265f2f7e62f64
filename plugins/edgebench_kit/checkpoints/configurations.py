"""What the `config.json` of a checkpoint says of a classifier: its task, its classes, its network.

Nothing of transformers is imported here, and nothing is made: what is refused is refused early.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from edgebench import DataError
from edgebench_kit.checkpoints.foreign_code import refuse_code
from edgebench_kit.files.documents import read_table
from edgebench_kit.own_data.noted_classes import check_classes, list_classes

TASKS: Mapping[str, str] = MappingProxyType(
    {
        "ForSequenceClassification": "texts",
        "ForImageClassification": "pictures",
        "ForTokenClassification": "tokens",
    }
)
"""The classes of transformers that are read, by how their names end, and what they classify."""
WRITTEN = ("texts", "tokens")
"""The tasks whose requests are texts, which a tokenizer makes into tensors."""
HEADLESS = re.compile(r"(Model|ForPreTraining|ForMaskedLM|ForMaskedImageModeling)$")
"""Classes whose networks have learned from texts or pictures alone, and no classes yet."""
VECTORS = ("modules.json", "1_Pooling", "config_sentence_transformers.json")
"""What sentence-transformers writes beside a network that makes vectors of texts."""
DROPPED = re.compile(
    r"_.*|attn_implementation|experts_implementation|transformers_version|torch_dtype|dtype"
)
"""Keys that say how something was made or is to be run, and nothing of the network itself."""
MOST_PARTS = 1000
"""So many layers at most may a network have that has fewer tensors: several may share one."""
PARTS = re.compile(r"n_layers?|(num|encoder|decoder)_.*layers?|.*(depth|block|network|expert)s?")
"""Keys that count parts of a network, which are made one by one."""

FAMILY = re.compile(r"[a-z0-9][a-z0-9_.-]*")
"""What transformers calls families."""
HEADS = re.compile(r"(classifier(\.1|\.out_proj)?|score)\.weight")
"""What transformers calls the products whose rows are the classes, in most families."""


@attrs.frozen(kw_only=True)
class Configuration:
    """What a classifier is made from, and how its requests are shaped."""

    settings: Mapping[str, Any]
    """The keys of `config.json` that say what the network is."""
    length: int | None = None
    """Of texts: the tokens of every sample, as a user said it."""
    tensors: tuple[str, ...] = ()
    """Of texts: what its tokenizer gives; empty where it was not asked."""
    picture: tuple[int, int] | None = None
    """Of pictures: height and width of what the network gets; None where they may be any."""
    student: str = ""
    """The name of the student that this is; empty for what the file itself holds."""

    @property
    def family(self) -> str:
        """What transformers calls the kind of network, `bert`."""
        return str(self.settings["model_type"])

    @property
    def architecture(self) -> str:
        """The class of transformers, `BertForSequenceClassification`."""
        return str(self.settings["architectures"][0])

    @property
    def task(self) -> str:
        """What it classifies: `texts`, `pictures`, or `tokens`, which are the words of texts."""
        return next(task for end, task in TASKS.items() if self.architecture.endswith(end))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its classes, in the order of its logits."""
        return list_classes(self.settings)

    def to_text(self) -> str:
        """Write it as JSON, the same text for the same configuration."""
        return json.dumps(attrs.asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> Configuration:
        """Read what `to_text` wrote."""
        found = json.loads(text)
        picture = found["picture"] and tuple(found["picture"])
        return cls(**{**found, "picture": picture, "tensors": tuple(found["tensors"])})


def read_configuration(directory: Path) -> Configuration:
    """Read the configuration in a directory, and see that it is of a classifier.

    Raises:
        DataError: It is damaged, of something else, or needs what is not done here.
    """
    refuse_code(directory)
    path = directory / "config.json"
    found = read_table(path)
    if (directory / "adapter_config.json").is_file():
        raise DataError(
            f"{directory} holds an adapter (adapter_config.json), which changes another "
            "checkpoint; merge the two first (`merge_and_unload` of peft), and save the result"
        )
    if not isinstance(found.get("model_type"), str):
        raise DataError(f"{path} is no configuration of transformers: it names no model_type")
    if not FAMILY.fullmatch(found["model_type"]):
        raise DataError(
            f"{path}: model_type {found['model_type'][:60]!r} is no family of transformers, which "
            "are lower-case words, as 'bert' or 'xlm-roberta'; write the one that the checkpoint "
            "is of"
        )
    if found.get("quantization_config"):
        raise DataError(
            f"{path} is of a quantized checkpoint (quantization_config); give the one that it was "
            "made of: operators quantize it here"
        )
    _check_architecture(found, path)
    check_classes(found, path)
    kept = {key: value for key, value in found.items() if not DROPPED.fullmatch(key)}
    return Configuration(settings=kept)


def _check_architecture(found: Mapping[str, Any], path: Path) -> None:
    """Raise unless a configuration is of a network that classifies texts, words or pictures."""
    names = found.get("architectures")
    name = names[0] if isinstance(names, list) and names else None
    if not isinstance(name, str):
        raise DataError(
            f"{path} names no architectures, so that what it classifies is not known; save the "
            "checkpoint with save_pretrained of its own class"
        )
    if HEADLESS.search(name):
        raise DataError(
            f"{path} is of a {name}, which has no head that classifies; fine-tune it first"
            f"{_name_vectors(path.parent)}"
        )
    if not name.endswith(tuple(TASKS)):
        raise DataError(
            f"{path} is of a {name}, which does not classify texts, words or pictures; "
            f"those whose names end in {' or '.join(TASKS)} can be measured"
        )


def _name_vectors(directory: Path) -> str:
    """Say of a checkpoint that makes vectors of texts that these are not measured, else nothing."""
    found = next((name for name in VECTORS if (directory / name).exists()), None)
    return f" (it makes vectors of texts, by its {found}, which are not measured)" if found else ""


def check_parts(settings: Mapping[str, Any], tensors: int, path: Path) -> None:
    """See that a configuration has not more layers than its weights could be of.

    Raises:
        DataError: It has: making them would take for ever.
    """
    most = max(tensors, MOST_PARTS)
    for key, count in _list_counts(settings):
        if count > most:
            raise DataError(
                f"{path}: {key} is {count}, and the weights beside it are {tensors} tensors; the "
                "configuration is of another network, or damaged"
            )


def check_head(found: Configuration, shapes: Mapping[str, tuple[int, ...]], path: Path) -> None:
    """See that weights score as many classes as a configuration names, where a head is seen.

    Raises:
        DataError: They score more or fewer.
    """
    for name, shape in shapes.items():
        if HEADS.fullmatch(name) and shape and shape[0] != len(found.classes):
            raise DataError(
                f"{path} names {len(found.classes)} classes, and {name} of the weights beside it "
                f"has {shape[0]} rows, one a class; make id2label (or num_labels) agree"
            )


def _list_counts(settings: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield what counts parts of a network: numbers, the sums of lists, the lengths of lists."""
    for key, value in settings.items():
        if isinstance(value, dict):
            # Names of classes are counted by themselves.
            yield from _list_counts(value) if key not in ("id2label", "label2id") else ()
        elif isinstance(value, list):
            whole = [one for one in value if isinstance(one, int)]
            yield key, sum(whole) if PARTS.fullmatch(key) else len(value)
        elif isinstance(value, int) and PARTS.fullmatch(key):
            yield key, int(value)
