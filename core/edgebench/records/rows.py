"""How records become rows of the results database, and back; and the tables themselves."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from edgebench.records.facts import Facts
from edgebench.records.outcomes import Block, LinkCheck, Run, Score, TierCheck

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

R = TypeVar("R")

SCHEMA = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, started TEXT NOT NULL, finished TEXT, suite TEXT NOT NULL,
    seed INTEGER NOT NULL, tag TEXT NOT NULL, arguments TEXT NOT NULL,
    registry_digest TEXT NOT NULL, plan_digest TEXT NOT NULL, environment TEXT NOT NULL,
    overheads_s TEXT NOT NULL, aa_difference REAL
);
CREATE TABLE cases (
    run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, id TEXT NOT NULL,
    position INTEGER NOT NULL, model TEXT NOT NULL, variant TEXT NOT NULL, chain TEXT NOT NULL,
    placement TEXT NOT NULL, backend TEXT NOT NULL, planned INTEGER NOT NULL,
    skipped TEXT, -- why; null for a case that was planned
    record TEXT NOT NULL, facts TEXT, -- JSON
    PRIMARY KEY (run, id)
);
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, case_id TEXT NOT NULL, number INTEGER NOT NULL,
    "order" INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, started TEXT NOT NULL,
    duration_s REAL NOT NULL, warmup TEXT NOT NULL, controller_cpu REAL,
    inputs TEXT, cold_s TEXT NOT NULL, bytes_out TEXT NOT NULL, exit_rates TEXT NOT NULL,
    links TEXT NOT NULL, tiers TEXT NOT NULL, peak_memory_bytes TEXT NOT NULL,
    machine TEXT NOT NULL, -- JSON, these and those above
    FOREIGN KEY (run, case_id) REFERENCES cases ON DELETE CASCADE
);
CREATE INDEX blocks_of_case ON blocks (run, case_id, number);
CREATE TABLE samples (
    block INTEGER NOT NULL REFERENCES blocks ON DELETE CASCADE, position INTEGER NOT NULL,
    kind TEXT NOT NULL, -- latency, warmup or phase
    phase TEXT NOT NULL,
    seconds TEXT NOT NULL, -- a JSON array, one number a request
    PRIMARY KEY (block, position)
) WITHOUT ROWID;
CREATE VIEW requests AS
    SELECT b.run, b.case_id, b.number AS block, b.status, s.kind, s.phase, j.key AS request,
           j.value AS seconds
    FROM blocks b JOIN samples s ON s.block = b.id, json_each(s.seconds) j;
CREATE TABLE logs (
    run TEXT NOT NULL, case_id TEXT NOT NULL,
    block INTEGER REFERENCES blocks ON DELETE CASCADE, -- null for what prepared the case
    role TEXT NOT NULL, text TEXT NOT NULL,
    FOREIGN KEY (run, case_id) REFERENCES cases ON DELETE CASCADE
);
CREATE INDEX logs_of_case ON logs (run, case_id);
CREATE TABLE scores (
    key TEXT PRIMARY KEY, samples INTEGER NOT NULL, exit_rates TEXT NOT NULL,
    versions TEXT NOT NULL
);
CREATE TABLE score_arrays (
    key TEXT NOT NULL REFERENCES scores ON DELETE CASCADE,
    metric TEXT, -- null for outputs
    position INTEGER NOT NULL, data BLOB NOT NULL, -- as numpy's .npy files
    PRIMARY KEY (key, position)
);
"""
"""Version 1. Samples are one JSON array a block and phase: exact, small, and rows to SQL through
the view `requests`; a row a number took five times the space and the time."""


def text(value: Any) -> str:
    """Write a JSON value in one line; numbers that JSON does not have are refused."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def numbers(values: NDArray[Any]) -> str:
    """Write an array of shape (n,) as a JSON array, with null for a phase that did not happen."""
    plain = values.tolist()
    return text([None if isinstance(v, float) and math.isnan(v) else v for v in plain])


def array(stored: str, dtype: str = "float64") -> NDArray[Any]:
    """Read what `numbers` wrote."""
    import numpy as np

    return np.array([math.nan if v is None else v for v in json.loads(stored)], dtype=dtype)


def _structured(document: Any, into: type[R]) -> R:
    # Imported here because event hooks import this module's records and structure nothing.
    import cattrs

    return cattrs.structure(document, into)


# --- runs and cases ------------------------------------------------------------------------------


def run_row(run: Run) -> dict[str, Any]:
    """Return the columns of a run."""
    row = attrs.asdict(run)
    for name in ("arguments", "environment", "overheads_s"):
        row[name] = text(row[name])
    return row


def run_of(row: sqlite3.Row) -> Run:
    """Read a run."""
    values = dict(row)
    values["arguments"] = tuple(json.loads(values["arguments"]))
    values["environment"] = json.loads(values["environment"])
    values["overheads_s"] = json.loads(values["overheads_s"])
    return Run(**values)


def facts_of(stored: str | None) -> Facts:
    """Read the facts of a case; empty ones for a case that was not finished."""
    return _structured(json.loads(stored), Facts) if stored else Facts()


# --- blocks --------------------------------------------------------------------------------------

PLAIN = (
    "number", "order", "status", "reason", "started", "duration_s", "warmup", "controller_cpu",
)  # fmt: skip
MAPPINGS = ("cold_s", "bytes_out", "exit_rates", "peak_memory_bytes", "machine")


def block_row(block: Block) -> dict[str, Any]:
    """Return the columns of a block, its samples and logs left out."""
    row = {name: getattr(block, name) for name in PLAIN}
    row |= {name: text(_plain(getattr(block, name))) for name in MAPPINGS}
    row["links"] = text([attrs.asdict(check) for check in block.links])
    row["tiers"] = text([{**attrs.asdict(c), "enforced": dict(c.enforced)} for c in block.tiers])
    row["inputs"] = None if block.inputs is None else numbers(block.inputs)
    return row


def _plain(value: Any) -> Any:
    """Turn mappings of any class, at any depth, into dicts."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return value


def samples_of(block: Block) -> Iterator[tuple[str, str, str]]:
    """Yield kind, phase and seconds of all that a block has timed."""
    if block.latency_s is not None:
        yield "latency", "", numbers(block.latency_s)
    if block.warmup_s is not None:
        yield "warmup", "", numbers(block.warmup_s)
    for phase, seconds in block.phases_s.items():
        yield "phase", phase, numbers(seconds)


def block_of(row: sqlite3.Row, samples: Sequence[tuple[str, str, str]]) -> Block:
    """Read a block from its row and its (kind, phase, seconds), without what was printed."""
    by_kind = {kind: array(seconds) for kind, _, seconds in samples if kind != "phase"}
    return Block(
        **{name: row[name] for name in PLAIN},
        **{name: json.loads(row[name]) for name in MAPPINGS},
        links=tuple(LinkCheck(**check) for check in json.loads(row["links"])),
        tiers=tuple(TierCheck(**check) for check in json.loads(row["tiers"])),
        inputs=None if row["inputs"] is None else array(row["inputs"], "int64"),
        latency_s=by_kind.get("latency"),
        warmup_s=by_kind.get("warmup"),
        phases_s={phase: array(seconds) for kind, phase, seconds in samples if kind == "phase"},
    )


# --- scores --------------------------------------------------------------------------------------


def score_arrays(score: Score) -> Iterator[tuple[str | None, bytes]]:
    """Yield the metric, or None for outputs, and the bytes of each array of a score."""
    for metric, counts in score.counts.items():
        yield metric, _npy(counts)
    for output in score.outputs:
        yield None, _npy(output)


def _npy(values: NDArray[Any]) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def score_of(row: sqlite3.Row, arrays: Sequence[tuple[str | None, bytes]]) -> Score:
    """Read a score from its row and its (metric or None, bytes)."""
    import numpy as np

    loaded = [(metric, np.load(io.BytesIO(data), allow_pickle=False)) for metric, data in arrays]
    return Score(
        key=row["key"],
        samples=row["samples"],
        exit_rates=json.loads(row["exit_rates"]),
        versions=json.loads(row["versions"]),
        counts={metric: values for metric, values in loaded if metric is not None},
        outputs=tuple(values for metric, values in loaded if metric is None),
    )
