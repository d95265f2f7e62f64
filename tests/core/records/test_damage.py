"""A database that was damaged on its disk: whatever a byte became, one error that says so."""

from __future__ import annotations

import contextlib
import random
import sqlite3

import pytest

from edgebench.analysis.results import RunResults
from edgebench.parts.errors import DatabaseError
from edgebench.records.database import Database
from edgebench.records.outcome import Run
from edgebench.testing.results import block_of, case_of, facts_of

CASE = case_of()
RUN = Run(started="2026-01-02T03:04:05+00:00", suite="toys", seed=7)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The bytes of a database with a run of two blocks, and what they printed."""
    path = tmp_path_factory.mktemp("kept") / "sound.db"
    with Database.open(path, write=True) as database:
        run = database.begin_run(RUN)
        database.add_cases(run, [CASE], blocks=2)
        for number in range(2):
            database.save_block(run, CASE.id, block_of(CASE, number))
        database.finish_case(run, CASE.id, facts_of(CASE))
    return path.read_bytes()


def read_everything(path):
    with Database.open(path) as database:
        run, case = database.find_case(CASE.id[:4])
        database.read_logs(run.id, case.id)
        database.read_paces()
        return RunResults.of(database.read_run())


def damage(sound: bytes, seed: int) -> bytes:
    """Change some bytes at random, in one of several ways."""
    chance, damaged = random.Random(seed), bytearray(sound)  # noqa: S311 (bytes to damage)
    for _ in range(chance.choice([1, 10, 100, 1000])):
        at = chance.randrange(len(damaged))
        if seed % 3 == 0:
            damaged[at] = chance.randrange(256)
        elif seed % 3 == 1:
            damaged[at] = chance.choice(b'{}[]",:019-ae.\x00\xff')
        else:
            length = chance.randrange(80)
            damaged[at : at + length] = bytes(len(damaged[at : at + length]))
    return bytes(damaged[: chance.choice([len(damaged), at or 1])] if seed % 5 == 0 else damaged)


def test_a_sound_one_is_read(kept, tmp_path):
    (tmp_path / "r.db").write_bytes(kept)
    (result,) = read_everything(tmp_path / "r.db").results
    assert (result.case.id, result.status) == (CASE.id, "ok")


def test_whatever_was_damaged_is_said_and_nothing_else_raised(kept, tmp_path):
    refused = 0
    for seed in range(150):
        path = tmp_path / f"{seed}.db"
        path.write_bytes(damage(kept, seed))
        try:
            read_everything(path)
        except DatabaseError as error:
            assert str(path) in str(error)
            assert "--db FILE" in str(error) or "edgebench run" in str(error)
            refused += 1
        except Exception as error:  # noqa: BLE001
            if "is called" not in str(error):
                pytest.fail(f"seed {seed}: {error!r}")
    assert refused > 50


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE cases SET facts = CAST(x'7b22ff' AS TEXT)", "UTF-8"),
        ("UPDATE cases SET facts = '{'", "is damaged"),
        ("UPDATE cases SET facts = '" + "[" * 100_000 + "'", "is damaged"),
        ("UPDATE cases SET record = '{}'", "is damaged"),
        ("UPDATE samples SET data = x'00', count = 7", "is damaged"),
        ("DROP TABLE logs", "changed its tables"),
        ("DROP TABLE runs", "changed its tables"),
    ],
)
def test_what_stands_where_it_cannot_is_said_in_one_line(kept, tmp_path, statement, said):
    path = tmp_path / "r.db"
    path.write_bytes(kept)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)
    with pytest.raises(DatabaseError, match=said):
        read_everything(path)


def test_reading_leaves_nothing_beside_it_and_changes_nothing(kept, tmp_path):
    path = tmp_path / "r.db"
    path.write_bytes(kept)
    read_everything(path)
    assert [one.name for one in tmp_path.iterdir()] == ["r.db"]
    assert path.read_bytes() == kept


def test_whoever_reads_cannot_write(kept, tmp_path):
    (tmp_path / "r.db").write_bytes(kept)
    with (
        pytest.raises(DatabaseError, match="may not be written"),
        Database.open(tmp_path / "r.db") as database,
    ):
        database.finish_run("x", "never")
