"""JSON that somebody else wrote: read whole, and what is wrong with it said in a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edgebench import DataError

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 64 * 2**20
"""The largest JSON that is read: the names of 100,000 classes take a tenth of it."""


def read_document(path: Path) -> Any:
    """Return what a file of JSON holds.

    Raises:
        DataError: It cannot be read, is too large, or is no JSON.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES >> 20} MiB, which no such file is")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise DataError(f"{path} cannot be read as JSON: {why}") from error


def read_table(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises:
        DataError: It is not there, is damaged, or holds something else.
    """
    found = read_document(path)
    if not isinstance(found, dict):
        raise DataError(f"{path} holds a {type(found).__name__}, not keys and values")
    return found


def read_beside(path: Path) -> dict[str, Any]:
    """Read such a file where there is one; else there are no keys."""
    return read_table(path) if path.is_file() else {}
