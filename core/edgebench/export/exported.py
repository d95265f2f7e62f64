"""What an export has given."""

from __future__ import annotations

from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class Exported:
    """What was exported, and what its users must be told."""

    directory: Path
    pieces: tuple[str, ...]
    """The folders, in order, each named for its tier."""
    licence: str
    example: str
    """What the example input is, in words."""
    doubts: tuple[str, ...]
    """What is not as it was measured, a clause each."""
