"""Where in the table `[project]` a name stands that turned out to be unknown, or wrong."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

QUOTED = re.compile("'([^']+)'")
HYPHENED = frozenset(["placements", "sweep"])
"""Keys of which a hyphen joins tiers; elsewhere it is a part of names."""


def find_key(values: Mapping[str, Any], said: str, given: Iterable[str]) -> str:
    """Return the key that holds what an error names in quotation marks; empty if none does.

    A whole text that is so called goes before one that has it as a part, as a chain has operators.
    What the command line says as well is not blamed on the table.

    Args:
        values: The table.
        said: The error.
        given: The words of the command line.
    """
    quoted = QUOTED.search(said)
    if quoted is None or any(quoted[1] in _split("sweep", word) for word in given):
        return ""
    texts = [(key, text) for key, value in values.items() for text in _list_texts(value)]
    whole = [key for key, text in texts if quoted[1] in (text, os.path.normpath(text))]
    part = [key for key, text in texts if quoted[1] in _split(key, text)]
    return next(iter([*whole, *part]), "")


def _split(key: str, text: str) -> set[str]:
    """Return a text and its parts between brackets, commas and the like."""
    names = set(re.split(r"[^\w./*-]+", text))
    tiers = set(re.split(r"[^\w./*]+", text)) if key in HYPHENED else set()
    # An error writes a path without what leads nowhere, as ./ does.
    return {text, *names, *map(os.path.normpath, names), *tiers}


def _list_texts(value: Any) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
