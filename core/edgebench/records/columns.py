"""How records become columns of the results database, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edgebench.cases.case import Case
from edgebench.parts.documents import from_document, to_document
from edgebench.records.facts import Facts
from edgebench.records.outcome import Block, LinkCheck, Outcome, Run, TierCheck
from edgebench.records.packing import Packed, pack_seconds, unpack_seconds
from edgebench.records.standing import Ended, standing_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

Series = tuple[str, str, Packed]
"""Kind, phase, and what `pack_seconds` returns of the seconds."""


def to_text(record: Any) -> str:
    """Write a record or a JSON value in one line; numbers that JSON does not have are refused."""
    return json.dumps(to_document(record), separators=(",", ":"), allow_nan=False)


# --- runs and cases ------------------------------------------------------------------------------

_RUN_TEXTS = ("arguments", "environment", "overheads_s")


def run_columns(run: Run) -> dict[str, Any]:
    """Return the columns of a run."""
    return {**to_document(run), **{name: to_text(getattr(run, name)) for name in _RUN_TEXTS}}


def run_from(columns: sqlite3.Row) -> Run:
    """Read a run."""
    texts = {name: json.loads(columns[name]) for name in _RUN_TEXTS}
    return Run(**{**dict(columns), **texts, "arguments": tuple(texts["arguments"])})


def facts_from(stored: str | None) -> Facts:
    """Read the facts of a case; empty ones for a case that was not finished."""
    return from_document(Facts, json.loads(stored)) if stored else Facts()


def case_columns(run: str, case: Case) -> dict[str, Any]:
    """Return the columns of a case of a run that follow from the case."""
    shown = {name: getattr(case, name) for name in ("id", "model", "variant", "chain", "backend")}
    record = to_text(to_document(case))
    return {"run": run, **shown, "placement": str(case.placement), "record": record}


def outcome_from(row: sqlite3.Row, blocks: tuple[Block, ...]) -> Outcome:
    """Read what a case gave from its columns and its blocks."""
    facts = facts_from(row["facts"])
    ended = [Ended(b.number, b.status, b.reason, _count(b)) for b in blocks]
    standing = standing_of(row["skipped"], row["planned"], facts, ended)
    return Outcome(
        case=from_document(Case, json.loads(row["record"])),
        status=standing.status,
        reason=standing.reason,
        planned=row["planned"],
        blocks=blocks,
        facts=facts,
    )


def _count(block: Block) -> int | None:
    return None if block.latency_s is None else len(block.latency_s)


# --- blocks --------------------------------------------------------------------------------------

_PLAIN = (
    "number", "order", "status", "reason", "started", "duration_s", "warmup", "controller_cpu",
)  # fmt: skip
_MAPPINGS = ("cold_s", "bytes_out", "exit_rates", "peak_memory_bytes", "machine")


def block_columns(block: Block) -> dict[str, Any]:
    """Return the columns of a block, its samples and logs left out."""
    return {
        **{name: getattr(block, name) for name in _PLAIN},
        **{name: to_text(getattr(block, name)) for name in (*_MAPPINGS, "links", "tiers")},
        "inputs": None if block.inputs is None else to_text(block.inputs.tolist()),
    }


def series_of(block: Block) -> Iterator[Series]:
    """Yield all that a block has timed, as it is kept."""
    if block.latency_s is not None:
        yield "latency", "", pack_seconds(block.latency_s)
    if block.warmup_s is not None:
        yield "warmup", "", pack_seconds(block.warmup_s)
    for phase, seconds in block.phases_s.items():
        yield "phase", phase, pack_seconds(seconds)


def block_from(columns: sqlite3.Row, series: Sequence[Series]) -> Block:
    """Read a block from its columns and its series, without what was printed."""
    import numpy as np

    timed = {(kind, phase): unpack_seconds(*kept) for kind, phase, kept in series}
    inputs = columns["inputs"]
    return Block(
        **{name: columns[name] for name in _PLAIN},
        **{name: json.loads(columns[name]) for name in _MAPPINGS},
        links=tuple(LinkCheck(**check) for check in json.loads(columns["links"])),
        tiers=tuple(TierCheck(**check) for check in json.loads(columns["tiers"])),
        inputs=None if inputs is None else np.array(json.loads(inputs), dtype=np.int64),
        latency_s=timed.get(("latency", "")),
        warmup_s=timed.get(("warmup", "")),
        phases_s={phase: seconds for (kind, phase), seconds in timed.items() if kind == "phase"},
    )
