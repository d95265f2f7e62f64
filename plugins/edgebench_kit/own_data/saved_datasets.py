"""Datasets that `save_to_disk` of Hugging Face's `datasets` wrote: arrow files and what is in them.

The files are read as the data that they are; `datasets` itself is not needed, and nothing of a
dataset is executed.
"""

from __future__ import annotations

from pathlib import Path

from edgebench_kit.own_data.items import Source
from edgebench_kit.own_data.options import DataOptions


def is_saved(path: Path) -> bool:
    """Say whether a directory holds a saved dataset, or one with splits."""
    return (path / "dataset_dict.json").is_file() or (path / "dataset_info.json").is_file()


def read_saved(path: Path, options: DataOptions) -> Source:
    """Say what a saved dataset holds."""
    raise NotImplementedError
