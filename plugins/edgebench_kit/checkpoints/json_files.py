"""JSON beside a checkpoint's weights: read, and refused where it would have code run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgebench import DataError

MOST_BYTES = 64 * 2**20
"""The largest JSON that is read: the names of 100,000 classes take a tenth of it."""
DESCRIBING = (
    *("config.json", "tokenizer_config.json", "preprocessor_config.json"),
    *("processor_config.json", "image_processor_config.json"),
)
"""The files of a checkpoint that may name classes to import from files beside them."""


def read_table(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises:
        DataError: It is not there, is damaged, or holds something else.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES >> 20} MiB, which no such file is")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise DataError(f"{path} cannot be read as JSON: {why}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} holds a {type(found).__name__}, not keys and values")
    return found


def read_beside(path: Path) -> dict[str, Any]:
    """Read such a file where there is one; else there are no keys."""
    return read_table(path) if path.is_file() else {}


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
