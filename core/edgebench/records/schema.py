"""The tables of the results database, and how those of older versions are read and converted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.records.packing import WIDEST, pack_seconds, unpack_seconds

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

VERSION = 4
"""The version of the tables that this edgebench writes."""
OLDEST = 1
"""The oldest version that it reads, and converts when it opens the file for writing."""

_TABLES = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, started TEXT NOT NULL, finished TEXT, suite TEXT NOT NULL,
    seed INTEGER NOT NULL, tag TEXT NOT NULL, arguments TEXT NOT NULL,
    registry_digest TEXT NOT NULL, plan_digest TEXT NOT NULL, environment TEXT NOT NULL,
    overheads_s TEXT NOT NULL, aa_difference REAL, aa_blocks INTEGER, aa_within REAL,
    aa_between REAL, max_blocks INTEGER, -- null where the count of blocks was fixed
    quick TEXT, -- JSON; null for a run that was not quick
    source TEXT NOT NULL DEFAULT '' -- empty where it was measured
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
    resumption INTEGER NOT NULL DEFAULT 0, -- which start of the run measured it
    inputs TEXT, cold_s TEXT NOT NULL, bytes_out TEXT NOT NULL, exit_rates TEXT NOT NULL,
    bytes_mean TEXT NOT NULL DEFAULT '{}', links TEXT NOT NULL, tiers TEXT NOT NULL,
    peak_memory_bytes TEXT NOT NULL,
    machine TEXT NOT NULL, -- JSON, these and those above
    FOREIGN KEY (run, case_id) REFERENCES cases ON DELETE CASCADE
);
CREATE INDEX blocks_of_case ON blocks (run, case_id, number);
CREATE TABLE logs (
    run TEXT NOT NULL, case_id TEXT NOT NULL,
    block INTEGER REFERENCES blocks ON DELETE CASCADE, -- null for what prepared the case
    role TEXT NOT NULL, text TEXT NOT NULL,
    FOREIGN KEY (run, case_id) REFERENCES cases ON DELETE CASCADE
);
CREATE INDEX logs_of_case ON logs (run, case_id);
"""

# SQLite has no function that reads a number from bytes: the view looks each up among all of them,
# the last first.
_BYTES = f"X'{bytes(range(256)).hex()}'"
_ABOVE = " + ".join(
    f"CASE WHEN width > {place} THEN instr({_BYTES}, substr(number, -1 - {place}, 1)) - 1 "
    f"<< {8 * place} ELSE 0 END"
    for place in range(WIDEST)
)
_SAMPLES = f"""
CREATE TABLE samples (
    id INTEGER PRIMARY KEY, block INTEGER NOT NULL REFERENCES blocks ON DELETE CASCADE,
    kind TEXT NOT NULL, -- latency, warmup or phase
    phase TEXT NOT NULL, count INTEGER NOT NULL, -- of numbers, one a request
    least_ns INTEGER, -- null where data is a JSON array of seconds
    data BLOB NOT NULL -- nanoseconds above the least, big-endian, equally wide; FF for none
);
CREATE INDEX samples_of_block ON samples (block);
CREATE VIEW requests AS
    SELECT run, case_id, block, status, kind, phase, request, CASE
        WHEN least_ns IS NULL THEN value
        WHEN number <> substr(X'{"FF" * WIDEST}', 1, width) THEN (least_ns + {_ABOVE}) / 1e9
    END AS seconds
    FROM (
        SELECT *, substr(data, 1 + request * width, width) AS number
        FROM (
            SELECT b.run, b.case_id, b.number AS block, b.status, s.kind, s.phase, s.least_ns,
                s.data, length(s.data) / s.count AS width, j.key AS request, j.value
            FROM blocks b JOIN samples s ON s.block = b.id, json_each(
                CASE WHEN s.least_ns IS NULL THEN s.data -- else as many zeros as numbers
                ELSE '[' || rtrim(replace(hex(zeroblob(s.count)), '00', '0,'), ',') || ']' END
            ) j
        )
    );
"""  # noqa: S608 - our own text
SCHEMA = _TABLES + _SAMPLES
"""Samples are one row a block and phase, and rows to SQL through the view `requests`. A row a
number took five times the space and the time; text three times the space."""

_ADDED = {
    3: {
        "runs": {
            "aa_blocks": "INTEGER",
            "aa_within": "REAL",
            "aa_between": "REAL",
            "max_blocks": "INTEGER",
            "source": "TEXT NOT NULL DEFAULT ''",
        },
        "blocks": {"resumption": "INTEGER NOT NULL DEFAULT 0"},
    },
    4: {
        "runs": {"quick": "TEXT"},
        "blocks": {"bytes_mean": "TEXT NOT NULL DEFAULT '{}'"},
    },
}
"""The columns that a version has and the one before had not, by table, each with its type."""
_FIRST_SAMPLES = """
CREATE TEMP VIEW samples AS SELECT position AS id, block, kind, phase,
    json_array_length(seconds) AS count, NULL AS least_ns, seconds AS data FROM main.samples
"""


def show_as_current(connection: sqlite3.Connection, version: int) -> None:
    """Let a database of an older version, open for reading, look like one of this version.

    Views of this connection alone do, and the file stays as it is. The samples of version 1 are
    JSON arrays of seconds, as this version keeps what does not fit into nanoseconds.
    """
    for table, added in _list_added(version).items():
        names = ", ".join(f"{_find_default(kind)} AS {name}" for name, kind in added.items())
        query = f"CREATE TEMP VIEW {table} AS SELECT *, rowid, {names} FROM main.{table}"  # noqa: S608
        connection.execute(query)
    if version == 1:
        connection.execute(_FIRST_SAMPLES)


def _list_added(version: int) -> Mapping[str, Mapping[str, str]]:
    """Return the columns that tables of a version lack, by table, each with its type."""
    found: dict[str, dict[str, str]] = {}
    for since, tables in _ADDED.items():
        for table, added in tables.items() if since > version else ():
            found.setdefault(table, {}).update(added)
    return found


def _find_default(kind: str) -> str:
    return kind.partition(" DEFAULT ")[2] or "NULL"


def convert(connection: sqlite3.Connection, version: int) -> None:
    """Turn a database of an older version, open for writing, into one of this, or leave it."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if version == 1:
            _pack_samples(connection)
        for table, added in _list_added(version).items():
            for name, kind in added.items():
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _pack_samples(connection: sqlite3.Connection) -> None:
    """Pack the samples of version 1, and drop its scores, which nothing read."""
    query = "SELECT block, kind, phase, seconds FROM old_samples ORDER BY block, position"
    connection.execute("DROP VIEW requests")
    connection.execute("ALTER TABLE samples RENAME TO old_samples")
    for statement in filter(str.strip, _SAMPLES.split(";\n")):
        connection.execute(statement)
    for block, kind, phase, text in connection.execute(query):
        row = (block, kind, phase, *pack_seconds(unpack_seconds(0, None, text)))
        connection.execute(INSERT_SAMPLES, row)
    for table in ("old_samples", "score_arrays", "scores"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")


INSERT_SAMPLES = (
    "INSERT INTO samples (block, kind, phase, count, least_ns, data) VALUES (?, ?, ?, ?, ?, ?)"
)
