"""Code that a checkpoint asks for: found in the JSON beside its weights, and refused."""

from __future__ import annotations

import json
from pathlib import Path

from edgebench import DataError
from edgebench_kit.files.documents import read_beside

DESCRIBING = (
    *("config.json", "tokenizer_config.json", "preprocessor_config.json"),
    *("processor_config.json", "image_processor_config.json"),
)
"""The files of a checkpoint that may name classes to import from files beside them."""


def refuse_code(directory: Path) -> None:
    """Refuse a checkpoint that needs code which lies beside it or elsewhere: none is ever run.

    Raises:
        DataError: A file names classes of its own (`auto_map`).
    """
    for name in DESCRIBING:
        if not (named := read_beside(directory / name).get("auto_map")):
            continue
        sources = ", ".join(sorted(path.name for path in directory.glob("*.py")))
        raise DataError(
            f"{directory / name} has auto_map, which names code to import"
            f"{f' ({sources} beside it)' if sources else ''}: {_shorten(named)}; code of a "
            "checkpoint is never run: give one of a family that transformers has itself"
        )


def _shorten(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
