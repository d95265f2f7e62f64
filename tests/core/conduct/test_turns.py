"""Blocks that are added until enough is known, and copies of one case; through the command line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from textwrap import dedent

import pytest

from .worlds import blocks

# A backend that computes for as long as its option says, on this processor's clock.
PACED = """
    import sys, time
    from contextlib import contextmanager
    import attrs
    from edgebench import Backend, hookimpl

    @attrs.frozen
    class Options:
        ms: float = 1.0

    @contextmanager
    def open_paced(stage, device, threads, options):
        toy = sys.modules["edgebench_file_toy"]
        with toy.open_session(stage, device, threads, None) as session:
            class Paced:
                def run(self, inputs):
                    end = time.perf_counter() + options.ms / 1e3
                    outputs = session.run(inputs)
                    while time.perf_counter() < end:
                        pass
                    return outputs
            yield Paced()

    @hookimpl
    def edgebench_backends():
        yield Backend(name="paced", summary="Takes its time.", open=open_paced, options=Options,
                      formats=["toy-matrix"])
"""


@pytest.fixture
def run(cli, toy, tmp_path):
    """Run the toy model on backends of so many milliseconds."""
    file = tmp_path / "paced.py"
    file.write_text(dedent(PACED))

    def start(*words, paces=(1,)):
        chosen = [word for ms in paces for word in ("--backend", f"paced(ms={ms})")]
        return cli("run", "--plugin", toy, "--plugin", file, "--model", "toy", *chosen, *words,
                   "--json")  # fmt: skip

    return start


def test_who_is_beaten_is_dropped_and_the_best_goes_on(run, tmp_path):
    words = ("--until", "decided", "--max-blocks", "8", "--requests", "8")
    said = run(*words, "--margin", "accuracy=100", paces=(2, 20, 40))
    assert said.status == 0
    best, *beaten = said.json["cases"]
    assert [case["status"] for case in said.json["cases"]] == ["ok"] * 3
    for case in beaten:
        count = case["blocks"]
        assert case["stopped"] == f"beaten after {count} blocks by {best['id']}"
        assert 2 <= count < 8
        assert case["planned_blocks"] == count
        assert not [doubt for doubt in case["doubts"] if "blocks: at least" in doubt]
    assert best["stopped"].endswith(" blocks: the best is known")
    assert best["blocks"] == max(3, *(case["blocks"] for case in beaten))
    assert said.json["max_blocks"] == 8
    assert said.json["decisions"][0]["fastest"] == best["id"], said.json["decisions"][0]
    assert {kept[3] for kept in blocks(tmp_path / "edgebench.db")} == {"ok"}


def test_an_ended_run_has_nothing_to_go_on_with(run, tmp_path):
    words = ("--until", "decided", "--max-blocks", "4", "--requests", "8")
    run(*words, paces=(2, 40))
    count = len(blocks(tmp_path / "edgebench.db"))
    said = run(*words, "--resume", paces=(2, 40))
    assert "holds no unfinished run of this" in said.err
    assert len(blocks(tmp_path / "edgebench.db")) > count


def test_nobody_gets_more_blocks_than_are_allowed(run):
    said = run("--until", "decided", "--max-blocks", "2", "--requests", "3", paces=(2, "2.001"))
    assert said.status == 0
    assert {case["blocks"] for case in said.json["cases"]} == {2}


def test_a_precision_is_bought_with_blocks(run):
    said = run("--precision", "90%", "--blocks", "3", "--max-blocks", "6", "--requests", "4")
    (case,) = said.json["cases"]
    assert 3 <= case["blocks"] <= 6
    low, high = case["latency_s"]["ci95"]
    known = case["stopped"].endswith(" blocks: its median is known")
    assert known == (case["blocks"] < 6 or (high / low) ** 0.5 - 1 <= 0.9)


def test_copies_tell_what_equal_cases_differ_by(run, tmp_path):
    said = run("--aa", "--blocks", "2", "--requests", "2", paces=(1, 2))
    assert said.status == 0
    (case,) = said.json["cases"]
    assert (case["blocks"], case["stopped"]) == (40, "2 blocks planned of each of 20 copies")
    found = said.json["aa"]
    assert found["blocks"] == 2
    assert min(found["difference"], found["within"]) > 0
    assert said.json["margin"] == 0.02  # of forty blocks; the difference is that of two
    (answer,) = said.json["decisions"]
    assert (
        f"equal cases differ by up to {found['difference']:.1%} on this machine (95th percentile "
        "of 190 pairs of 20 copies, each measured in 2 blocks)"
    ) in answer["sentence"]
    assert f"by {found['within']:.1%} within a round" in answer["sentence"]
    assert "kept for --quick on this machine" in answer["sentence"]
    # That is of latency: nobody waits for all samples to be scored.
    assert case["accuracy"] == {}
    assert "not scored, as copies of one case" in case["no_accuracy"]
    # A later run on this machine takes it for its own, if it has as few blocks.
    later = run("--blocks", "2", "--requests", "2")
    assert later.json["aa"] == found
    assert "equal cases differ" not in later.json["decisions"][0]["sentence"]
    assert later.json["cases"][0]["accuracy"]
    assert later.json["margin"] == max(0.02, found["difference"])
    assert run("--blocks", "3", "--requests", "2").json["margin"] == 0.02
    with closing(sqlite3.connect(tmp_path / "edgebench.db")) as db:
        assert db.execute("SELECT count(*) FROM runs WHERE aa_blocks = 2").fetchone() == (3,)


def test_each_start_of_a_run_makes_rounds_of_its_own(run, tmp_path):
    run("--blocks", "2", "--requests", "2")
    with closing(sqlite3.connect(tmp_path / "edgebench.db")) as db:
        db.execute("DELETE FROM blocks WHERE number = 1")
        db.execute("UPDATE runs SET finished = NULL")
        db.commit()
    assert run("--blocks", "2", "--requests", "2", "--resume").status == 0
    with closing(sqlite3.connect(tmp_path / "edgebench.db")) as db:
        found = db.execute("SELECT number, resumption FROM blocks ORDER BY number").fetchall()
    assert found == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--aa", "--until", "decided"), "--aa measures a fixed count of blocks"),
        (("--aa", "--blocks", "1"), "--aa needs at least 2 blocks of each copy"),
        (("--until", "decided", "--blocks", "3"), "with --until decided give --max-blocks"),
        (("--max-blocks", "3"), "give --until or --precision too"),
        (("--until", "decided", "--max-blocks", "1"), "--max-blocks must be at least 2, not 1"),
        (("--precision", "2"), "must be a percentage between 0% and 100%, as 2%, not '2'"),
        (("--precision", "0%"), "must be a percentage between 0% and 100%"),
        (("--until", "bored"), "invalid choice: 'bored'"),
    ],
)
def test_options_that_do_not_go_together_are_refused_in_one_line(run, words, said):
    found = run(*words)
    assert found.status == 2
    assert said in found.err
    assert found.err.count("\n") == 1


def test_a_case_that_fails_is_no_reason_for_others_to_be_dropped_nor_ok_itself(run, tmp_path, toy):
    """It answers once, the fastest of all, and is given up after two blocks that failed."""
    plugin = tmp_path / "fickle.py"
    plugin.write_text(
        dedent(PACED)
        .replace('name="paced"', 'name="fickle"')
        .replace(
            "toy = sys.modules",
            "import pathlib\n    marks = pathlib.Path(__file__).with_name('opened')\n"
            "    marks.open('a').write('x')\n"
            "    if len(marks.read_text()) > 2:\n        raise RuntimeError('no more')\n"
            "    toy = sys.modules",
        )
    )
    words = ("--plugin", str(plugin), "--backend", "fickle(ms=0.1)", "--until", "decided")
    said = run(*words, "--max-blocks", "10", "--requests", "4", "--margin", "accuracy=100",
               paces=(4, 40))  # fmt: skip
    good, slow, bad = said.json["cases"]
    assert said.status == 1, [
        (c["status"], c["blocks"], c["stopped"], c["reason"]) for c in said.json["cases"]
    ]
    assert bad["status"] in ("partial", "failed")
    assert good["status"] == slow["status"] == "ok"
    assert bad["id"] not in slow["stopped"] + good["stopped"]
    assert said.json["decisions"][0]["fastest"] == good["id"]
