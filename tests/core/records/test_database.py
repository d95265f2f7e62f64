from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgebench.parts.errors import DatabaseError
from edgebench.records.database import Database
from edgebench.records.facts import Facts
from edgebench.records.outcomes import Block, Run, Score
from edgebench.records.sqlitefile import APPLICATION, VERSION
from edgebench.testing.results import block_of, case_of, facts_of

RUN = Run(
    started="2026-01-02T03:04:05+00:00",
    suite="toys",
    seed=7,
    arguments=("run", "toys"),
    plan_digest="d" * 64,
    environment={"processor": "A", "governor": None},
    overheads_s={"bracket": 4e-7, "single_tier": None},
    aa_difference=0.01,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "edgebench.db"


@pytest.fixture
def database(path):
    with Database.open(path, write=True) as database:
        yield database


def begun(database, *cases, blocks=3, skipped=()):
    run = database.begin_run(RUN)
    database.add_cases(run, cases or [case_of()], blocks=blocks, skipped=skipped)
    return run


def same(one: Block, other: Block) -> bool:
    arrays = [("latency_s",), ("warmup_s",), ("inputs",)]
    for (name,) in arrays:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert list(one.phases_s) == list(other.phases_s)
    for phase, seconds in one.phases_s.items():
        np.testing.assert_array_equal(seconds, other.phases_s[phase])
    return one == other


# --- what goes in comes out ----------------------------------------------------------------------


def test_a_block_comes_back_as_it_was(database):
    case = case_of("plain", "mobile", "edge")
    run = begun(database, case)
    block = block_of(case)
    database.save_block(run, case.id, block)
    (back,) = database.blocks(run, case.id)
    assert same(block, back)
    assert back.latency_s.dtype == np.float64
    assert back.inputs.dtype == np.int64
    assert database.logs(run, case.id) == {(0, "host mobile"): "ready\n"}


SECONDS = st.floats(0, 1e6, allow_subnormal=False) | st.just(np.nan)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@st.composite
def any_block(draw):
    count = draw(st.integers(0, 5))
    series = hnp.arrays(np.float64, count, elements=SECONDS)
    finite = st.floats(allow_nan=False, allow_infinity=False)
    return Block(
        number=draw(st.integers(0, 99)),
        order=draw(st.integers(0, 9999)),
        status=draw(st.sampled_from(["ok", "failed", "timeout"])),
        reason=draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=20)),
        started="2026-01-02T03:04:05+00:00",
        duration_s=draw(st.floats(0, 1e6)),
        latency_s=draw(st.none() | series),
        phases_s=draw(st.dictionaries(NAMES, series, max_size=4)),
        inputs=draw(st.none() | hnp.arrays(np.int64, count)),
        warmup_s=draw(st.none() | series),
        cold_s=draw(st.dictionaries(NAMES, st.dictionaries(NAMES, finite), max_size=2)),
        bytes_out=draw(st.dictionaries(NAMES, finite, max_size=3)),
        machine=draw(st.dictionaries(NAMES, st.none() | finite, max_size=3)),
        controller_cpu=draw(st.none() | st.floats(0, 4)),
    )


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=60,
)
@given(block=any_block())
def test_any_block_comes_back_as_it_was(database, block):
    case = case_of()
    run = begun(database, case)
    database.save_block(run, case.id, block)
    (back,) = database.blocks(run, case.id)
    assert same(block, back)


def test_a_number_that_json_lacks_is_refused_and_nothing_is_kept(database):
    case = case_of()
    run = begun(database, case)
    endless = attrs.evolve(block_of(case), phases_s={"decode": np.array([np.inf])})
    with pytest.raises(ValueError, match="JSON"):
        database.save_block(run, case.id, endless)
    assert database.blocks(run, case.id) == ()


def test_a_run_comes_back_with_its_results_in_planned_order(database):
    cases = [case_of(chain) for chain in ("c", "a", "b")]
    run = begun(database, *cases, blocks=1, skipped=[(case_of("x"), "impossible [here]")])
    facts = facts_of(cases[1])
    database.save_block(run, cases[1].id, block_of(cases[1]))
    database.finish_case(run, cases[1].id, facts)
    database.finish_run(run, "2026-01-02T04:00:00+00:00")
    back = database.run(run)
    assert back.run == attrs.evolve(RUN, id=run, finished="2026-01-02T04:00:00+00:00")
    assert [result.case for result in back.outcomes] == [*cases, case_of("x")]
    assert [result.status for result in back.outcomes] == ["partial", "ok", "partial", "skipped"]
    assert back.outcomes[3].reason == "impossible [here]"
    assert back.outcomes[1].facts == facts
    assert database.outcome(run, cases[1].id).facts == facts


def test_a_score_comes_back_as_it_was_and_is_replaced_by_its_key(database):
    score = Score(
        key="k",
        counts={"accuracy": np.array([[1.0, 1], [0, 1]]), "iou": np.ones((2, 20))},
        outputs=(np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((2, 1), np.int8)),
        exit_rates={"0": 0.25},
        samples=2,
        versions={"eager": "1.0"},
    )
    assert database.score("k") is None
    database.save_score(score)
    database.save_score(score)
    back = database.score("k")
    assert back == score
    assert list(back.counts) == ["accuracy", "iou"]
    np.testing.assert_array_equal(back.counts["iou"], score.counts["iou"])
    assert [(one.dtype, one.shape) for one in back.outputs] == [
        ("float32", (2, 3)),
        ("int8", (2, 1)),
    ]


def test_samples_are_rows_to_sql(database, path):
    case = case_of()
    run = begun(database, case)
    block = block_of(case)
    database.save_block(run, case.id, block)
    plain = sqlite3.connect(path)
    query = "SELECT seconds FROM requests WHERE run = ? AND kind = 'phase' AND phase = 'decode'"
    rows = plain.execute(f"{query} ORDER BY request", (run,)).fetchall()
    plain.close()
    assert [row[0] for row in rows] == block.phases_s["decode"].tolist()


# --- the standing of a case ----------------------------------------------------------------------


def failed(case, number, status="failed", reason="killed by SIGKILL"):
    return Block(number=number, order=number, status=status, reason=reason, started=RUN.started)


def standing(database, run, case):
    result = database.outcome(run, case.id)
    return result.status, result.reason


def test_a_case_is_partial_until_it_has_its_blocks(database):
    case = case_of()
    run = begun(database, case, blocks=2)
    assert standing(database, run, case) == ("partial", "0 of 2 blocks were measured")
    database.save_block(run, case.id, block_of(case, 0))
    assert standing(database, run, case) == ("partial", "1 of 2 blocks were measured")
    database.save_block(run, case.id, failed(case, 1))
    expected = "1 of 2 blocks were measured: killed by SIGKILL"
    assert standing(database, run, case) == ("partial", expected)
    database.save_block(run, case.id, block_of(case, 1))
    assert standing(database, run, case) == ("ok", "")
    assert len(database.blocks(run, case.id)) == 3  # the one that failed is kept


@pytest.mark.parametrize("status", ["failed", "timeout"])
def test_a_case_without_a_good_block_is_what_its_blocks_were(database, status):
    case = case_of()
    run = begun(database, case, blocks=2)
    database.save_block(run, case.id, failed(case, 0, status, "why"))
    assert standing(database, run, case) == (status, "why")


def test_facts_may_say_what_a_case_came_to(database):
    case = case_of()
    run = begun(database, case)
    database.finish_case(run, case.id, Facts(status="failed", reason="the model does not load"))
    assert standing(database, run, case) == ("failed", "the model does not load")


# --- going on ------------------------------------------------------------------------------------


def test_resume_knows_which_blocks_are_there(database):
    one, two = case_of("a"), case_of("b")
    run = begun(database, one, two, blocks=2)
    assert database.unfinished(RUN.plan_digest) == run
    database.save_block(run, one.id, block_of(one, 0))
    database.save_block(run, one.id, block_of(one, 1))
    database.save_block(run, two.id, block_of(two, 1))
    database.save_block(run, two.id, failed(two, 0))
    assert database.finished_blocks(run) == {(one.id, 0), (one.id, 1), (two.id, 1)}
    database.finish_run(run, RUN.started)
    assert database.unfinished(RUN.plan_digest) == run  # for the block that failed
    database.save_block(run, two.id, block_of(two, 0))
    assert database.unfinished(RUN.plan_digest) is None
    assert database.unfinished("another plan") is None


def test_a_resumed_run_may_add_its_plan_again(database):
    case = case_of()
    run = begun(database, case)
    database.save_block(run, case.id, block_of(case))
    database.add_cases(run, [case], blocks=3)
    assert len(database.run(run).outcomes) == 1
    assert len(database.blocks(run, case.id)) == 1


def test_logs_of_preparing_come_before_those_of_blocks(database):
    case = case_of()
    run = begun(database, case)
    database.save_block(run, case.id, attrs.evolve(block_of(case), logs={"host": "hello"}))
    database.save_log(run, case.id, "prepare", "trained\n")
    expected = [((-1, "prepare"), "trained\n"), ((0, "host"), "hello")]
    assert list(database.logs(run, case.id).items()) == expected


# --- runs by name --------------------------------------------------------------------------------


def test_runs_are_named_by_their_second_and_found_by_a_beginning(database):
    first, second = database.begin_run(RUN), database.begin_run(RUN)
    later = database.begin_run(attrs.evolve(RUN, started="2026-02-02T03:04:05+00:00"))
    assert (first, second) == ("20260102-030405", "20260102-030405-2")
    assert [run.id for run in database.runs()] == [first, second, later]
    assert database.run().run.id == later
    assert database.run("202602").run.id == later
    assert database.run(first).run.id == first  # though another begins so
    with pytest.raises(DatabaseError, match=r"several runs of .* begin with '202601'"):
        database.run("202601")
    with pytest.raises(DatabaseError, match="no run 'x'; known are: 20260102-030405"):
        database.run("x")


def test_an_empty_database_says_how_to_fill_it(database):
    with pytest.raises(DatabaseError, match="holds no run yet; `edgebench run"):
        database.run()


# --- what is wrong with a file -------------------------------------------------------------------


def refusal(path, *, write=True):
    with pytest.raises(DatabaseError) as caught, Database.open(path, write=write):
        pass
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_a_missing_directory_is_named(tmp_path):
    message = refusal(tmp_path / "none" / "edgebench.db")
    assert "No such file or directory" in message
    assert "--db FILE" in message


def test_a_directory_where_nothing_may_be_written():
    from pathlib import Path

    assert "cannot be written" in refusal(Path("/proc/edgebench.db"))


def test_a_directory_in_the_place_of_the_file(tmp_path):
    assert "cannot be opened; choose another place" in refusal(tmp_path)


def test_reading_what_is_not_there(path):
    assert "there are no results" in refusal(path, write=False)
    assert not path.exists()


def test_a_file_that_a_writer_has_only_begun(path):
    path.touch()
    assert "holds no run yet" in refusal(path, write=False)
    with Database.open(path, write=True) as database:
        begun(database)


@pytest.mark.parametrize("write", [True, False])
def test_a_file_that_is_no_database(path, write):
    path.write_text("name,latency\n" * 1000)
    assert "not an SQLite database" in refusal(path, write=write)
    assert path.read_text().startswith("name,latency")


@pytest.mark.parametrize("write", [True, False])
def test_another_programs_database(path, write):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    assert "another program's database" in refusal(path, write=write)


def test_a_database_that_says_it_is_another_programs(path):
    other = sqlite3.connect(path)
    other.execute("PRAGMA application_id = 77")
    other.execute("CREATE TABLE t (x)")
    other.close()
    assert "another program's database" in refusal(path)


@pytest.mark.parametrize("write", [True, False])
def test_a_newer_schema_says_how_to_go_on(path, write):
    with Database.open(path, write=True):
        pass
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {VERSION + 1}")
    newer.close()
    message = refusal(path, write=write)
    assert f"its schema is {VERSION + 1}, this one reads {VERSION}" in message
    assert "upgrade edgebench" in message


def test_a_damaged_file_is_said_to_be(path):
    with Database.open(path, write=True) as database:
        run = begun(database)
        for number in range(20):
            database.save_block(run, case_of().id, block_of(case_of(), number))
    raw = bytearray(path.read_bytes())
    raw[8192:] = os.urandom(len(raw) - 8192)
    path.write_bytes(raw)
    with pytest.raises(DatabaseError, match="damaged"), Database.open(path) as database:
        database.run()


def test_a_full_disk_loses_the_block_under_way_and_no_other(database):
    case = case_of()
    run = begun(database, case)
    database.save_block(run, case.id, block_of(case, 0))
    pages = database._connection.execute("PRAGMA page_count").fetchone()[0]
    database._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(
        DatabaseError, match="the disk is full: make room, then go on with --resume"
    ):
        database.save_block(run, case.id, block_of(case, 1, requests=20_000))
    assert [block.number for block in database.blocks(run, case.id)] == [0]
    database._connection.execute(f"PRAGMA max_page_count = {pages + 10_000}")
    database.save_block(run, case.id, block_of(case, 1))
    assert len(database.blocks(run, case.id)) == 2


def test_a_mistake_of_ours_keeps_its_own_name(database):
    with pytest.raises(sqlite3.IntegrityError):
        database.save_block("no such run", case_of().id, block_of(case_of()))


def test_the_file_says_whose_it_is(path):
    with Database.open(path, write=True):
        pass
    raw = path.read_bytes()
    assert int.from_bytes(raw[68:72], "big") == APPLICATION
    assert int.from_bytes(raw[60:64], "big") == VERSION


def test_nothing_is_left_beside_a_closed_database(path):
    with Database.open(path, write=True) as database:
        begun(database)
    assert [one.name for one in path.parent.iterdir()] == ["edgebench.db"]


# --- several processes ---------------------------------------------------------------------------

WRITER = """
    import sys
    from pathlib import Path
    from edgebench.records.database import Database
    from edgebench.records.outcomes import Run
    from edgebench.testing.results import block_of, case_of

    case = case_of()
    with Database.open(Path(sys.argv[1]), write=True) as database:
        run = database.begin_run(Run(started="2026-01-02T03:04:05+00:00", plan_digest="p"))
        database.add_cases(run, [case], blocks=3)
        database.save_block(run, case.id, block_of(case, 0))
        database.save_block(run, case.id, block_of(case, 1))
"""


def writer(path, then):
    """Start a process that writes two blocks and then does something."""
    program = textwrap.dedent(WRITER) + textwrap.indent(textwrap.dedent(then), "    ")
    return subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


WAIT = 'print("ready", flush=True); sys.stdin.readline()'


@pytest.mark.process
def test_a_second_run_is_refused_while_one_writes(path):
    with writer(path, WAIT) as first:
        assert first.stdout.readline() == "ready\n"
        message = refusal(path)
        assert f"another run (process {first.pid}) is writing" in message
        assert "wait for it" in message
        first.communicate("go on\n")
    with Database.open(path, write=True) as database:
        assert len(database.runs()) == 1


@pytest.mark.process
def test_results_are_readable_while_a_run_writes(path):
    with writer(path, WAIT) as first:
        assert first.stdout.readline() == "ready\n"
        with Database.open(path) as database:
            (result,) = database.run().outcomes
            assert [block.number for block in result.blocks] == [0, 1]
            assert result.status == "partial"
        first.communicate("go on\n")
    assert first.returncode == 0


def test_reading_sees_what_was_written_since(path):
    case = case_of()
    with Database.open(path, write=True) as writing, Database.open(path) as reading:
        run = begun(writing, case)
        assert reading.blocks(run, case.id) == ()
        writing.save_block(run, case.id, block_of(case))
        assert len(reading.blocks(run, case.id)) == 1


def test_a_reader_cannot_write(path):
    with Database.open(path, write=True):
        pass
    with Database.open(path) as database, pytest.raises(DatabaseError, match="may not be written"):
        database.begin_run(RUN)


# In the middle of the third block: its row and a megabyte of samples are written, past what SQLite
# holds in memory, and nothing is committed.
MIDWAY = """
    import os, signal
    from edgebench import database as module, rows
    db = database._connection
    db.execute("PRAGMA cache_size = 10")
    db.execute("BEGIN IMMEDIATE")
    row = {"run": run, "case_id": case.id, **rows.block_row(block_of(case, 2))}
    number = module._insert(db, "blocks", row)
    many = rows.numbers(block_of(case, 2, requests=50_000).latency_s)
    db.execute("INSERT INTO samples VALUES (?, 0, 'latency', '', ?)", (number, many))
    os.kill(os.getpid(), signal.SIGKILL)
"""
ENDLESS = """
    number = 2
    while True:
        database.save_block(run, case.id, block_of(case, number))
        print(number, flush=True)
        number += 1
"""


@pytest.mark.process
def test_a_kill_in_the_middle_of_a_block_costs_that_block_only(path):
    with writer(path, MIDWAY) as killed:
        killed.wait()
    assert killed.returncode == -signal.SIGKILL
    assert path.with_name("edgebench.db-wal").stat().st_size > 500_000
    with Database.open(path, write=True) as database:  # the kernel has let the lock go
        check = database._connection.execute("PRAGMA integrity_check").fetchone()[0]
        assert check == "ok"
        run = database.unfinished("p")
        case = case_of()
        assert database.finished_blocks(run) == {(case.id, 0), (case.id, 1)}
        assert all(same(b, block_of(case, b.number)) for b in database.blocks(run, case.id))
        database.save_block(run, case.id, block_of(case, 2))
        assert database.outcome(run, case.id).status == "ok"


@pytest.mark.process
def test_a_kill_at_any_moment_loses_no_finished_block(path):
    with writer(path, ENDLESS) as killed:
        while (last := int(killed.stdout.readline())) < 12:
            pass
        killed.kill()
        said = [int(line) for line in killed.stdout.read().split("\n")[:-1]]
    last = max([last, *said])
    with Database.open(path) as database:
        assert database._connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        numbers = [block.number for block in database.blocks("20260102-030405", case_of().id)]
        assert numbers in ([*range(last + 1)], [*range(last + 2)])  # saved, and not yet said


def test_a_lock_file_that_was_left_behind_is_no_lock(path):
    path.with_name("edgebench.db-lock").write_text("12345\n")
    with Database.open(path, write=True) as database:
        begun(database)


def test_a_lock_is_not_held_by_what_was_removed(path, monkeypatch):
    """The last owner removes the file between our opening it and our locking it."""
    lock, real, seen = path.with_name("edgebench.db-lock"), fcntl.flock, []

    def flock(descriptor, how):
        if not seen:
            lock.unlink()
        seen.append(os.fstat(descriptor).st_ino)
        real(descriptor, how)

    monkeypatch.setattr("edgebench.records.sqlitefile.fcntl.flock", flock)
    with Database.open(path, write=True):
        assert len(seen) == 2
        assert lock.stat().st_ino == seen[-1]
        assert re.fullmatch(r"\d+\n", lock.read_text())


@pytest.mark.process
def test_importing_it_brings_no_array_library():
    program = "import edgebench.records.database, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert {"numpy", "rich", "cattrs"}.isdisjoint(json.loads(done.stdout))
