"""Databases of older versions: read as they are, and converted when they are written to."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import attrs
import numpy as np
import pytest

from edgebench.parts.documents import to_document
from edgebench.parts.errors import DatabaseError
from edgebench.records.database import Database
from edgebench.records.outcome import Run
from edgebench.records.schema import VERSION
from edgebench.records.sqlitefile import APPLICATION
from edgebench.testing.results import block_of, case_of, facts_of

# As the first version of edgebench made its tables.
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

CASE = case_of("plain", "mobile", "edge")
LATE = np.array([np.nan, 0.25, 1e-9, np.nan])
BLOCKS = [
    attrs.evolve(block, phases_s={**block.phases_s, "late": LATE})
    for block in (block_of(CASE, 0), block_of(CASE, 1))
]
RUN = Run(
    id="20260102-030405",
    started="2026-01-02T03:04:05+00:00",
    suite="toys",
    plan_digest="p",
    arguments=("run", "toys"),
    environment={"processor": "A"},
    overheads_s={"bracket": None},
)


def text(value):
    return json.dumps(value, allow_nan=False)


def insert(db, table, row):
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    query = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - our own text
    return db.execute(query, tuple(row.values())).lastrowid


def numbers(seconds):
    return text([None if math.isnan(one) else one for one in seconds.tolist()])


def fill(db):
    """Write a run of one case with two blocks, as the first version did."""
    later = ("aa_blocks", "aa_within", "aa_between", "max_blocks", "source", "quick")
    run = {name: value for name, value in to_document(RUN).items() if name not in later}
    run |= {name: text(run[name]) for name in ("arguments", "environment", "overheads_s")}
    insert(db, "runs", run)
    shown = {name: getattr(CASE, name) for name in ("id", "model", "variant", "chain", "backend")}
    case = {"run": RUN.id, **shown, "placement": str(CASE.placement), "position": 0, "planned": 3}
    facts = text(to_document(facts_of(CASE)))
    insert(db, "cases", {**case, "record": text(to_document(CASE)), "facts": facts})
    plain = ["number", "order", "status", "reason", "started", "duration_s", "warmup"]
    plain += ["controller_cpu"]
    texts = ["cold_s", "bytes_out", "exit_rates", "links", "tiers", "peak_memory_bytes", "machine"]
    for block in BLOCKS:
        row = {"run": RUN.id, "case_id": CASE.id}
        row |= {name: getattr(block, name) for name in plain}
        row |= {name: text(to_document(getattr(block, name))) for name in texts}
        number = insert(db, "blocks", {**row, "inputs": text(block.inputs.tolist())})
        series = [("latency", "", block.latency_s), ("warmup", "", block.warmup_s)]
        series += [("phase", name, seconds) for name, seconds in block.phases_s.items()]
        for place, (kind, phase, seconds) in enumerate(series):
            values = (number, place, kind, phase, numbers(seconds))
            db.execute("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", values)
    db.execute("INSERT INTO logs VALUES (?, ?, 1, 'host mobile', 'ready')", (RUN.id, CASE.id))
    db.execute("INSERT INTO scores VALUES ('k', 1, '{}', '{}')")
    db.execute("INSERT INTO score_arrays VALUES ('k', NULL, 0, ?)", (bytes(500_000),))


def write_first(path, *, version=1, filled=True):
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            f"PRAGMA journal_mode = WAL; {SCHEMA} PRAGMA application_id = {APPLICATION}; "
            f"PRAGMA user_version = {version};"
        )
        if filled:
            fill(db)
        db.commit()


@pytest.fixture
def path(tmp_path):
    write_first(tmp_path / "edgebench.db")
    return tmp_path / "edgebench.db"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_content(database):
    back = database.read_run("latest")
    assert back.run == RUN
    (outcome,) = back.cases
    assert (outcome.case, outcome.facts, outcome.status) == (CASE, facts_of(CASE), "partial")
    for block, expected in zip(outcome.blocks, BLOCKS, strict=True):
        assert block == attrs.evolve(expected, logs={})
        for name in ("latency_s", "warmup_s", "inputs"):
            assert getattr(block, name).tobytes() == getattr(expected, name).tobytes()
        assert list(block.phases_s) == list(expected.phases_s)
        for phase, seconds in expected.phases_s.items():
            np.testing.assert_array_equal(block.phases_s[phase], seconds)
    assert database.read_logs(RUN.id, CASE.id) == {(0, "host mobile"): "ready"}
    assert outcome.samples == 200


def test_a_first_database_is_read_and_stays_as_it_is(path):
    before = digest(path)
    with Database.open(path) as database:
        check_content(database)
    assert digest(path) == before


def test_a_first_database_is_converted_when_it_is_written_to(path):
    query = "SELECT * FROM requests ORDER BY block, kind, phase, request"
    with closing(sqlite3.connect(path)) as plain:
        before = plain.execute(query).fetchall()
    size = path.stat().st_size
    with Database.open(path, write=True) as database:
        check_content(database)
        database.save_block(RUN.id, CASE.id, block_of(CASE, 2))
        assert database.read_outcome(RUN.id, CASE.id).status == "ok"
    with closing(sqlite3.connect(path)) as plain:
        tables = {name for (name,) in plain.execute("SELECT name FROM sqlite_master")}
        after = plain.execute(query).fetchall()
        assert plain.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
    assert [row for row in after if row[2] < 2] == before
    assert tables.isdisjoint({"old_samples", "scores", "score_arrays"})
    assert path.stat().st_size < size - 400_000


def test_a_first_database_without_any_run(tmp_path):
    path = tmp_path / "edgebench.db"
    write_first(path, filled=False)
    with Database.open(path) as database:
        assert database.read_runs() == ()
        with pytest.raises(DatabaseError, match="holds no run yet"):
            database.read_run()
    with Database.open(path, write=True) as database:
        run = database.begin_run(RUN)
        database.add_cases(run, [CASE], blocks=2)
        database.save_block(run, CASE.id, BLOCKS[0])
        (back,) = database.read_outcome(run, CASE.id).blocks
        assert back.latency_s.tobytes() == BLOCKS[0].latency_s.tobytes()


READ = """
    import os, sys
    from pathlib import Path
    from edgebench.records.database import Database

    def samples(path):
        with Database.open(Path(path)) as database:
            return database.read_run().cases[0].samples

    # Once where all may be read, so that every module is imported; root may write everywhere.
    samples(sys.argv[2])
    if os.geteuid() == 0:
        os.setuid(65534)
    print(samples(sys.argv[1]), os.access(Path(sys.argv[1]).parent, os.W_OK))
"""


@pytest.mark.process
def test_a_first_database_that_may_only_be_read(path):
    program = "\n".join(line[4:] for line in READ.splitlines())
    # Not below pytest's own directory, which only its user may enter.
    with tempfile.TemporaryDirectory() as directory:
        closed = Path(shutil.copy(path, directory))
        closed.chmod(0o444)
        closed.parent.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", program, str(closed), str(path)],
            check=False,
            capture_output=True,
            text=True,
        )
        closed.parent.chmod(0o755)
    assert (done.stdout, done.stderr) == ("200 False\n", "")


def test_a_conversion_that_fails_leaves_the_file_as_it_was(path, monkeypatch):
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("UPDATE samples SET seconds = '[1e999]' WHERE block = 2 AND position = 0")
        plain.commit()
        before = list(plain.iterdump())
    with pytest.raises(DatabaseError, match="JSON"), Database.open(path, write=True):
        pass
    with closing(sqlite3.connect(path)) as plain:
        assert list(plain.iterdump()) == before
        assert plain.execute("PRAGMA user_version").fetchone() == (1,)


@pytest.mark.parametrize("write", [True, False])
def test_a_version_before_the_first_is_refused_in_one_line(tmp_path, write):
    path = tmp_path / "edgebench.db"
    write_first(path, version=0)
    with pytest.raises(DatabaseError) as caught, Database.open(path, write=write):
        pass
    assert str(caught.value) == (
        f"{path} is of schema 0, and this edgebench reads 1 to {VERSION}; "
        "choose another file with --db FILE"
    )


def test_a_reader_is_told_when_the_tables_are_converted_under_it(path):
    with Database.open(path) as reader:
        with Database.open(path, write=True):
            pass
        with pytest.raises(DatabaseError, match="another program changed its tables; try again"):
            reader.read_run()


def test_a_first_database_that_lost_its_scores_is_converted(path):
    with closing(sqlite3.connect(path)) as db:
        db.executescript("DROP TABLE score_arrays; DROP TABLE scores;")
    with Database.open(path, write=True) as database:
        check_content(database)


@pytest.mark.parametrize("write", [True, False])
def test_damaged_samples_of_a_first_database_are_one_line(path, write):
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE samples SET seconds = '[0.1,' WHERE kind = 'latency'")
        db.commit()
    damaged = pytest.raises(DatabaseError, match="the file is damaged")
    with damaged, Database.open(path, write=write) as database:
        database.read_run()


def test_what_a_killed_conversion_left_too_large_is_made_smaller_later(path):
    with Database.open(path, write=True):
        pass
    with closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE left (data); INSERT INTO left VALUES (zeroblob(4000000));")
        db.executescript("DROP TABLE left;")
    assert path.stat().st_size > 4_000_000
    with Database.open(path, write=True) as database:
        check_content(database)
    assert path.stat().st_size < 400_000


ADDED = {
    "runs": ("aa_blocks", "aa_within", "aa_between", "max_blocks", "source", "quick"),
    "blocks": ("resumption", "bytes_mean"),
}


@pytest.fixture
def second(tmp_path):
    """A database of version 2: as this one writes it, without the columns that came later."""
    path = tmp_path / "second.db"
    with Database.open(path, write=True) as database:
        database.begin_run(RUN)
        database.add_cases(RUN.id, [CASE], blocks=3)
        for block in BLOCKS:
            database.save_block(
                RUN.id,
                CASE.id,
                attrs.evolve(block, logs={"host mobile": "ready"} if block.number else {}),
            )
        database.finish_case(RUN.id, CASE.id, facts_of(CASE))
    with closing(sqlite3.connect(path)) as plain:
        for table, names in ADDED.items():
            for name in names:
                plain.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
        plain.execute("PRAGMA user_version = 2")
        plain.execute("UPDATE logs SET block = 1 WHERE block IS NOT NULL")
        plain.commit()
    return path


def test_a_second_database_is_read_and_stays_as_it_is(second):
    before = digest(second)
    with Database.open(second) as database:
        check_content(database)
        assert [one.id for one in database.read_runs()] == [RUN.id]
    assert digest(second) == before


def test_a_second_database_is_converted_when_it_is_written_to(second):
    with Database.open(second, write=True) as database:
        check_content(database)
        database.save_block(RUN.id, CASE.id, attrs.evolve(block_of(CASE, 2), resumption=1))
        assert [b.resumption for b in database.read_outcome(RUN.id, CASE.id).blocks] == [0, 0, 1]
    with closing(sqlite3.connect(second)) as plain:
        assert plain.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Database.open(second) as database:
        assert database.read_outcome(RUN.id, CASE.id).status == "ok"


def test_a_third_database_lacks_what_says_that_a_run_is_quick_and_the_means_of_bytes(tmp_path):
    path = tmp_path / "third.db"
    with Database.open(path, write=True) as database:
        database.begin_run(RUN)
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("ALTER TABLE runs DROP COLUMN quick")
        plain.execute("ALTER TABLE blocks DROP COLUMN bytes_mean")
        plain.execute("PRAGMA user_version = 3")
        plain.commit()
    for write in (False, True, False):
        with Database.open(path, write=write) as database:
            assert database.find_run(RUN.id) == RUN
