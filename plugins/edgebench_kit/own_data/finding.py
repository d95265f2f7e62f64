"""What a path is understood as: by what lies there, listing names and reading no payload."""

from __future__ import annotations

from pathlib import Path

from edgebench_kit.own_data.options import DataOptions
from edgebench_kit.own_data.own import OwnData


def find_data(path: Path, options: DataOptions) -> OwnData:
    """Say what lies at a path: pictures with labels or masks, texts, or arrays.

    Raises:
        DataError: Nothing that is known; says what was found and what would do.
    """
    raise NotImplementedError
