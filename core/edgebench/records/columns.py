"""How records become columns of the results database, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from operator import methodcaller
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cases.case import Case
from edgebench.parts.documents import from_document, to_document
from edgebench.records.facts import Facts
from edgebench.records.outcome import Block, LinkCheck, Outcome, Run, TierCheck
from edgebench.records.packing import pack_seconds, unpack_seconds

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

_JSON = frozenset((
    "arguments", "environment", "overheads_s", "quick",  # of a run; the others of a block
    "inputs", "cold_s", "bytes_out", "bytes_mean", "exit_rates", "links", "tiers",
    "peak_memory_bytes", "machine",
))  # fmt: skip
"""The columns that are JSON, or null."""
_APART = frozenset(("latency_s", "warmup_s", "phases_s", "logs"))
"""The fields of a block that have tables of their own."""
_CHECKS = frozenset(("cold_s", "exit_rates", "inputs", "links", "machine", "tiers"))
"""The fields of a block that say how it went, and no figure that cases are chosen by."""
_EMPTY: Mapping[str, Callable[[], Any]] = {"[]": list, "{}": dict}
Samples = tuple[str, str, int, int | None, bytes | str]
"""Kind, phase, and what `pack_seconds` returns of the seconds."""


def to_text(record: Any) -> str:
    """Write a record, array or JSON value in one line; numbers that JSON lacks are refused."""
    document, as_list = to_document(record), methodcaller("tolist")
    return json.dumps(document, separators=(",", ":"), allow_nan=False, default=as_list)


def write_record(record: Run | Block) -> dict[str, Any]:
    """Return the columns of a run, or of a block without its samples and logs."""
    return {name: _write(name, getattr(record, name)) for name in _kept_fields(type(record))}


def _read_fields(
    kind: type[Run | Block], row: sqlite3.Row, left: Collection[str] = ()
) -> dict[str, Any]:
    """Read from a row what `write_record` returned of a record, but for the fields in *left*."""
    return {name: _read(name, row[name]) for name in _kept_fields(kind) if name not in left}


def _kept_fields(kind: type[Run | Block]) -> list[str]:
    return [field.name for field in attrs.fields(kind) if field.name not in _APART]


def _write(name: str, value: Any) -> Any:
    return to_text(value) if name in _JSON and value is not None else value


def _read(name: str, value: Any) -> Any:
    if name not in _JSON or value is None:
        return value
    # Most columns of most blocks are empty, and reading each as JSON takes as long as the rest.
    return _EMPTY[value]() if value in _EMPTY else json.loads(value)


def read_run(row: sqlite3.Row) -> Run:
    """Read a run."""
    return from_document(Run, _read_fields(Run, row))


def write_case(run: str, case: Case) -> dict[str, Any]:
    """Return the columns of a case of a run that follow from the case."""
    shown = {name: getattr(case, name) for name in ("id", "model", "variant", "chain", "backend")}
    return {"run": run, **shown, "placement": str(case.placement), "record": to_text(case)}


def read_outcome(row: sqlite3.Row, blocks: Sequence[Block]) -> Outcome:
    """Read what a case gave from its columns and its blocks."""
    # Those of a case that was not finished are null.
    facts = from_document(Facts, json.loads(row["facts"] or "{}"))
    status, reason = _find_standing(row["skipped"], row["planned"], facts, blocks)
    return Outcome(
        case=from_document(Case, json.loads(row["record"])),
        status=status,
        reason=reason,
        planned=row["planned"],
        blocks=tuple(blocks),
        facts=facts,
    )


def _find_standing(
    skipped: str | None, planned: int, facts: Facts, blocks: Sequence[Block]
) -> tuple[str, str]:
    """Return the status of a case, one of `facts.STATUSES`, and the reason of it.

    Args:
        skipped: Why it was not planned; None for one that was.
        planned: How many blocks it is to have.
        facts: What is known of it beside its blocks.
        blocks: Its blocks in order, those measured again among them; what they timed is not looked
            at.
    """
    if skipped is not None:
        return "skipped", skipped
    if facts.status:
        return facts.status, facts.reason
    # A block that failed and was measured again, by a resumed run, is made good.
    good = {block.number for block in blocks if block.status == "ok"}
    bad = [block for block in blocks if block.status != "ok" and block.number not in good]
    last = bad[-1].reason if bad else ""
    if len(good) >= planned:
        return "ok", facts.reason
    if not good and bad:
        return bad[-1].status, facts.reason or last
    count = f"{len(good)} of {planned} blocks were measured"
    return "partial", facts.reason or (f"{count}: {last}" if last else count)


def list_samples(block: Block) -> list[Samples]:
    """Return all that a block has timed, as it is kept."""
    _check_latencies(block.latency_s)
    timed = [("latency", "", block.latency_s), ("warmup", "", block.warmup_s)]
    timed += [("phase", phase, seconds) for phase, seconds in block.phases_s.items()]
    return [(kind, phase, *pack_seconds(s)) for kind, phase, s in timed if s is not None]


def _check_latencies(seconds: NDArray[Any] | None) -> None:
    """Refuse what no clock has measured, of which no ratio and no logarithm can be taken.

    Raises:
        ValueError: A latency is not a number, not above 0, or infinite.
    """
    if seconds is not None and not ((seconds > 0) & (seconds < math.inf)).all():
        raise ValueError("a latency is no positive number of seconds")


def read_block(row: sqlite3.Row, samples: Sequence[Samples], *, brief: bool = False) -> Block:
    """Read a block from its columns and its samples, without what was printed.

    If *brief*, without what it was checked for either.
    """
    import numpy as np

    fields = _read_fields(Block, row, _CHECKS if brief else ())
    timed = {
        (kind, phase): unpack_seconds(count, least_ns, data)
        for kind, phase, count, least_ns, data in samples
    }
    _check_latencies(timed.get(("latency", "")))
    if not brief:
        fields["links"] = from_document(tuple[LinkCheck, ...], fields["links"])
        fields["tiers"] = from_document(tuple[TierCheck, ...], fields["tiers"])
    if fields.get("inputs") is not None:
        fields["inputs"] = np.array(fields["inputs"], dtype=np.int64)
    return Block(
        **fields,
        latency_s=timed.get(("latency", "")),
        warmup_s=timed.get(("warmup", "")),
        phases_s={phase: seconds for (kind, phase), seconds in timed.items() if kind == "phase"},
    )
