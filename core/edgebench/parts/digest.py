"""The digest of a document: what keys and ids are made of."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def digest(document: Any) -> str:
    """Return the SHA-256, in hexadecimal, of a JSON document written in one canonical way."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
