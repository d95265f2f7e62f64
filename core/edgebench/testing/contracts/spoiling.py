"""Copies of a prepared pipeline whose files are no good."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgebench.store.artifacts import read_pipeline
from edgebench.testing.contracts.bench import Bench

GARBAGE = b"\x07garbage" * 64


def spoil(bench: Bench, path: Path, content: bytes | None) -> Path:
    """Return a copy of a pipeline whose files are these bytes, or cut off where none are given."""
    place = bench.make_place("spoilt") / "pipeline"
    shutil.copytree(path, place)
    for number, stage in enumerate(read_pipeline(place).stages):
        for name in stage.files:
            file = place / f"stage-{number}" / name
            held = file.read_bytes()
            file.write_bytes(held[: len(held) // 3] if content is None else content)
    return place
