from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgebench.parts.errors import DatabaseError
from edgebench.records.database import Database
from edgebench.records.facts import Facts
from edgebench.records.outcome import Block, Run
from edgebench.records.schema import VERSION
from edgebench.records.sqlitefile import APPLICATION
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


def plain_sql(path, query, *values):
    """Ask as the `sqlite3` shell does, without edgebench."""
    with closing(sqlite3.connect(path)) as plain:
        return plain.execute(query, values).fetchall()


def in_nanoseconds(block):
    """Return a block as measuring makes one: every second a whole number of nanoseconds."""

    def rounded(seconds):
        return np.rint(seconds * 1e9) / 1e9

    phases = {name: rounded(seconds) for name, seconds in block.phases_s.items()}
    return attrs.evolve(
        block,
        latency_s=rounded(block.latency_s),
        warmup_s=rounded(block.warmup_s),
        phases_s=phases,
    )


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
    (back,) = database.read_outcome(run, case.id).blocks
    assert same(block, back)
    assert back.latency_s.dtype == np.float64
    assert back.inputs.dtype == np.int64
    assert database.read_logs(run, case.id) == {(0, "host mobile"): "ready\n"}


SECONDS = st.floats(0, 1e6, allow_subnormal=False) | st.just(np.nan)
TAKEN = st.floats(1e-9, 1e6)
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
        latency_s=draw(st.none() | hnp.arrays(np.float64, count, elements=TAKEN)),
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
    (back,) = database.read_outcome(run, case.id).blocks
    assert same(block, back)


@pytest.mark.parametrize("wrong", [np.nan, 0.0, -1e-3, np.inf])
def test_a_latency_that_no_clock_gives_is_neither_kept_nor_read(database, wrong):
    case = case_of()
    run = begun(database, case)
    block = block_of(case)
    latency = np.where(np.arange(100) == 7, wrong, block.latency_s)
    with pytest.raises(ValueError, match="no positive number"):
        database.save_block(run, case.id, attrs.evolve(block, latency_s=latency))
    database.save_block(run, case.id, block)
    database._connection.execute(
        "UPDATE samples SET least_ns = NULL, count = 1, data = ? WHERE kind = 'latency'",
        (json.dumps([None if np.isnan(wrong) else float(wrong)]),),
    )
    with pytest.raises(DatabaseError, match=r"no positive number.*the file is damaged"):
        database.read_outcome(run, case.id)


def test_checks_of_a_newer_edgebench_are_read(database):
    case = case_of("plain", "mobile", "edge")
    run, block = begun(database, case), block_of(case)
    database.save_block(run, case.id, block)
    with closing(sqlite3.connect(database.path)) as db, db:
        for name in ("links", "tiers"):
            newer = f"UPDATE blocks SET {name} = replace({name}, ?, ?)"  # noqa: S608 (ours)
            db.execute(newer, ('"ok":', '"newer":1,"ok":'))
    assert same(database.read_outcome(run, case.id).blocks[0], block)


def test_a_number_that_json_lacks_is_refused_and_nothing_is_kept(database):
    case = case_of()
    run = begun(database, case)
    endless = attrs.evolve(block_of(case), phases_s={"decode": np.array([np.inf])})
    with pytest.raises(ValueError, match="JSON"):
        database.save_block(run, case.id, endless)
    assert database.read_outcome(run, case.id).blocks == ()


def test_a_run_comes_back_with_its_results_in_planned_order(database):
    cases = [case_of(chain) for chain in ("c", "a", "b")]
    run = begun(database, *cases, blocks=1, skipped=[(case_of("x"), "impossible [here]")])
    facts = facts_of(cases[1])
    database.save_block(run, cases[1].id, block_of(cases[1]))
    database.finish_case(run, cases[1].id, facts)
    database.finish_run(run, "2026-01-02T04:00:00+00:00")
    back = database.read_run(run)
    assert back.run == attrs.evolve(RUN, id=run, finished="2026-01-02T04:00:00+00:00")
    assert [result.case for result in back.cases] == [*cases, case_of("x")]
    assert [result.status for result in back.cases] == ["partial", "ok", "partial", "skipped"]
    assert back.cases[3].reason == "impossible [here]"
    assert back.cases[1].facts == facts
    assert database.read_outcome(run, cases[1].id).facts == facts


def test_samples_are_rows_to_sql(database, path):
    case = case_of()
    run = begun(database, case)
    block = block_of(case)
    database.save_block(run, case.id, block)
    query = "SELECT seconds FROM requests WHERE run = ? AND kind = 'phase' AND phase = 'decode'"
    assert plain_sql(path, f"{query} ORDER BY request", run) == [
        (one,) for one in block.phases_s["decode"].tolist()
    ]


@pytest.mark.parametrize("measured", [True, False])
def test_the_view_gives_every_sample_as_it_was(database, path, measured):
    case = case_of("plain", "mobile", "edge")
    run = begun(database, case)
    block = block_of(case)
    block = in_nanoseconds(block) if measured else block
    late = np.array([np.nan, 0.5, np.nan, 0.0, 4.0])
    block = attrs.evolve(block, phases_s={**block.phases_s, "now-and-then": late})
    database.save_block(run, case.id, block)
    database.save_block(run, case.id, failed(case, 1))
    rows = plain_sql(path, "SELECT * FROM requests")
    assert {row[:4] for row in rows} == {(run, case.id, 0, "ok")}
    series = {("latency", ""): block.latency_s, ("warmup", ""): block.warmup_s}
    series |= {("phase", name): seconds for name, seconds in block.phases_s.items()}
    for (kind, phase), seconds in series.items():
        found = [row[6:] for row in rows if row[4:6] == (kind, phase)]
        expected = [None if np.isnan(one) else one for one in seconds.tolist()]
        assert sorted(found) == list(enumerate(expected))
    assert len(rows) == sum(map(len, series.values()))


def test_what_is_measured_takes_three_bytes_a_number(database, path):
    case = case_of()
    run = begun(database, case)
    database.save_block(run, case.id, in_nanoseconds(block_of(case, requests=1000)))
    kept = plain_sql(path, "SELECT kind, phase, length(data) FROM samples")
    assert ("latency", "", 3000) in kept
    assert sum(size for *_, size in kept) < 10_000


# --- the standing of a case ----------------------------------------------------------------------


def failed(case, number, status="failed", reason="killed by SIGKILL"):
    return Block(number=number, order=number, status=status, reason=reason, started=RUN.started)


def standing(database, run, case):
    result = database.read_outcome(run, case.id)
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
    assert len(database.read_outcome(run, case.id).blocks) == 3  # the one that failed is kept


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


def test_an_outcome_without_seconds_ends_as_the_one_with_them(database):
    case = case_of()
    run = begun(database, case, blocks=3)
    assert database.read_outcome(run, case.id).samples == 0
    database.save_block(run, case.id, block_of(case, 0, requests=7))
    database.save_block(run, case.id, block_of(case, 1, requests=9))
    bad = attrs.evolve(block_of(case, 2, requests=90), status="failed", reason="why")
    database.save_block(run, case.id, bad)
    timed = database.read_outcome(run, case.id)
    assert (len(timed.measured), timed.samples) == (2, 16)
    # Blocks are equal whatever they timed.
    assert database.read_outcome(run, case.id, timed=False) == timed
    with pytest.raises(DatabaseError, match="has no case nothing"):
        database.read_outcome(run, "nothing", timed=False)


def test_an_outcome_without_seconds_reads_no_sample(database):
    case = case_of()
    run = begun(database, case, blocks=1)
    database.save_block(run, case.id, block_of(case))
    database._connection.execute("UPDATE samples SET data = 'not readable'")
    assert database.read_outcome(run, case.id, timed=False).status == "ok"


def test_a_brief_outcome_has_all_latencies_and_sizes_and_reads_nothing_else(database):
    case = case_of()
    run = begun(database, case, blocks=1)
    database.save_block(run, case.id, block_of(case))
    [whole] = database.read_outcome(run, case.id).blocks
    database._connection.execute("UPDATE samples SET data = 'not readable' WHERE kind <> 'latency'")
    outcome = database.read_outcome(run, case.id, brief=True)
    [block] = outcome.blocks
    np.testing.assert_array_equal(block.latency_s, whole.latency_s)
    assert (block.bytes_out, block.peak_memory_bytes) == (whole.bytes_out, whole.peak_memory_bytes)
    assert whole.phases_s
    assert outcome.status == "ok"
    left = (block.phases_s, block.warmup_s, block.links, block.tiers, block.inputs)
    assert left == ({}, None, (), (), None)


# --- going on ------------------------------------------------------------------------------------


def test_requests_are_counted_without_a_sample_being_read(database):
    case, other = case_of(), case_of("other")
    run = begun(database, case, other)
    assert database.count_requests(run, case.id) == (0, 0)
    for number, status in enumerate(("ok", "failed", "ok")):
        block = attrs.evolve(block_of(case, number, requests=30 + number), status=status)
        database.save_block(run, case.id, block)
    database.save_block(run, other.id, block_of(other))
    outcome = database.read_outcome(run, case.id)
    counted = database.count_requests(run, case.id)
    assert counted == (len(outcome.measured), outcome.samples) == (2, 62)


def test_resume_knows_which_blocks_are_there(database):
    one, two = case_of("a"), case_of("b")
    run = begun(database, one, two, blocks=2)
    assert database.find_unfinished(RUN.plan_digest) == run
    database.save_block(run, one.id, block_of(one, 0))
    database.save_block(run, one.id, block_of(one, 1))
    database.save_block(run, two.id, block_of(two, 1))
    database.save_block(run, two.id, failed(two, 0))
    assert database.list_finished_blocks(run) == {(one.id, 0), (one.id, 1), (two.id, 1)}
    database.finish_run(run, RUN.started)
    assert database.find_unfinished(RUN.plan_digest) == run  # for the block that failed
    database.save_block(run, two.id, block_of(two, 0))
    assert database.find_unfinished(RUN.plan_digest) is None
    assert database.find_unfinished("another plan") is None


def test_a_resumed_run_may_add_its_plan_again(database):
    case = case_of()
    run = begun(database, case)
    database.save_block(run, case.id, block_of(case))
    database.add_cases(run, [case], blocks=3)
    assert len(database.read_run(run).cases) == 1
    assert len(database.read_outcome(run, case.id).blocks) == 1


def test_logs_of_preparing_come_before_those_of_blocks(database):
    case = case_of()
    run = begun(database, case)
    database.save_block(run, case.id, attrs.evolve(block_of(case), logs={"host": "hello"}))
    database.save_log(run, case.id, "prepare", "trained\n")
    expected = [((-1, "prepare"), "trained\n"), ((0, "host"), "hello")]
    assert list(database.read_logs(run, case.id).items()) == expected


# --- runs by name --------------------------------------------------------------------------------


def test_runs_are_named_by_their_second_and_found_by_a_beginning(database):
    first, second = database.begin_run(RUN), database.begin_run(RUN)
    later = database.begin_run(attrs.evolve(RUN, started="2026-02-02T03:04:05+00:00"))
    assert (first, second) == ("20260102-030405", "20260102-030405-2")
    assert [run.id for run in database.read_runs()] == [first, second, later]
    assert database.read_run().run.id == later
    assert database.read_run("202602").run.id == later
    assert database.read_run(first).run.id == first  # though another begins so
    with pytest.raises(DatabaseError, match=r"several runs of .* begin with '202601'"):
        database.read_run("202601")
    with pytest.raises(DatabaseError, match="no run 'x'; known are: 20260102-030405"):
        database.read_run("x")


def test_an_empty_database_says_how_to_fill_it(database):
    with pytest.raises(DatabaseError, match="holds no run yet; `edgebench run"):
        database.read_run()


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
    assert "it is a directory; choose another place" in refusal(tmp_path)


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
        database.read_run()


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
    assert [block.number for block in database.read_outcome(run, case.id).blocks] == [0]
    database._connection.execute(f"PRAGMA max_page_count = {pages + 10_000}")
    database.save_block(run, case.id, block_of(case, 1))
    assert len(database.read_outcome(run, case.id).blocks) == 2


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
    from edgebench.records.outcome import Run
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
        assert len(database.read_runs()) == 1


@pytest.mark.process
def test_results_are_readable_while_a_run_writes(path):
    with writer(path, WAIT) as first:
        assert first.stdout.readline() == "ready\n"
        with Database.open(path) as database:
            (result,) = database.read_run().cases
            assert [block.number for block in result.blocks] == [0, 1]
            assert result.status == "partial"
        first.communicate("go on\n")
    assert first.returncode == 0


def test_reading_sees_what_was_written_since(path):
    case = case_of()
    with Database.open(path, write=True) as writing, Database.open(path) as reading:
        run = begun(writing, case)
        assert reading.read_outcome(run, case.id).blocks == ()
        writing.save_block(run, case.id, block_of(case))
        assert len(reading.read_outcome(run, case.id).blocks) == 1


def test_a_reader_cannot_write(path):
    with Database.open(path, write=True):
        pass
    with Database.open(path) as database, pytest.raises(DatabaseError, match="may not be written"):
        database.begin_run(RUN)


# In the middle of the third block: its row and a megabyte of samples are written, past what SQLite
# holds in memory, and nothing is committed.
MIDWAY = """
    import os, signal
    from edgebench.records import columns, database as module
    db = database._connection
    db.execute("PRAGMA cache_size = 10")
    db.execute("BEGIN IMMEDIATE")
    row = {"run": run, "case_id": case.id, **columns.write_record(block_of(case, 2))}
    number = module._insert(db, "blocks", row)
    many = columns.pack_seconds(block_of(case, 2, requests=50_000).latency_s)
    db.execute(module.INSERT_SAMPLES, (number, "latency", "", *many))
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
        run = database.find_unfinished("p")
        case = case_of()
        assert database.list_finished_blocks(run) == {(case.id, 0), (case.id, 1)}
        assert all(
            same(b, block_of(case, b.number)) for b in database.read_outcome(run, case.id).blocks
        )
        database.save_block(run, case.id, block_of(case, 2))
        assert database.read_outcome(run, case.id).status == "ok"


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
        numbers = [
            block.number for block in database.read_outcome("20260102-030405", case_of().id).blocks
        ]
        assert numbers in ([*range(last + 1)], [*range(last + 2)])  # saved, and not yet said


def test_importing_it_brings_no_array_library(python):
    program = "import edgebench.records.database, json, sys; print(json.dumps(sorted(sys.modules)))"
    assert {"numpy", "rich", "cattrs"}.isdisjoint(json.loads(python(program).stdout))


def test_what_equal_cases_differ_by_is_taken_from_this_machine_alone(tmp_path):
    """An imported run is another machine's, whatever its processor is called."""
    here = {"processor": "A", "cpus": 2, "architecture": "x"}
    known = Run(
        started="2026-01-02T03:04:05+00:00", environment=here, aa_difference=0.03, aa_blocks=5
    )
    other = attrs.evolve(known, environment={**here, "cpus": 4}, aa_difference=0.5)
    foreign = attrs.evolve(known, source="elsewhere.db", aa_difference=0.7)
    with Database.open(tmp_path / "aa.db", write=True) as database:
        for run in (known, other, foreign):
            database.begin_run(run)
        assert database.find_aa(here).aa_difference == 0.03
        assert database.find_aa({**here, "processor": "B"}) is None
