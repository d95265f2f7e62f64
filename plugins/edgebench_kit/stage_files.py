"""The files of a stage, as a backend's program takes them along."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench import Stage


def copy_files(stage: Stage, directory: Path) -> None:
    """Copy the files of a stage into a directory, under the names that they have."""
    if stage.directory is None:
        raise ValueError("this stage has no files yet")
    for name in stage.files:
        place = directory / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(stage.directory / name, place)
