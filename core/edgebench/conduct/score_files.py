"""Scores as files: an entry of the artifact store holds one."""

from __future__ import annotations

import json
from pathlib import Path

from edgebench.parts.documents import to_document
from edgebench.records.outcome import Score
from edgebench.store.npz import to_npz

PLAIN = ("key", "device", "samples", "exit_rates", "versions", "kept", "not_finite", "remarks",
         "doubts", "assignments")  # fmt: skip
"""The fields of a score that are written as they are."""


def store_score(score: Score, directory: Path) -> None:
    """Write a score into an empty directory."""
    import numpy as np

    (directory / "counts.npz").write_bytes(to_npz(score.counts))
    np.savez(directory / "outputs.npz", *score.outputs)
    plain = {name: to_document(getattr(score, name)) for name in PLAIN}
    (directory / "score.json").write_text(json.dumps(plain, indent=1))


def load_score(directory: Path) -> Score:
    """Read what `store_score` wrote; an archive gives its arrays in the order they were written."""
    import numpy as np

    kept = json.loads((directory / "score.json").read_text())
    with np.load(directory / "counts.npz") as counts, np.load(directory / "outputs.npz") as outputs:
        said = kept.pop("remarks", None)
        doubts = kept.pop("doubts", ())
        return Score(
            **{name: kept[name] for name in PLAIN if name in kept},
            remarks=None if said is None else tuple(said),
            doubts=tuple((number, text) for number, text in doubts),
            counts=dict(counts),
            outputs=tuple(outputs.values()),
        )
