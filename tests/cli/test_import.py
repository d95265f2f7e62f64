"""`edgebench import`: what was measured elsewhere becomes ordinary results."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from edgebench.records.database import Database
from edgebench.records.outcome import Run
from edgebench.testing.results import block_of, case_of, facts_of


@pytest.fixture
def package(tmp_path):
    """A folder in the studies' layout: one model, as it is and quantized, on two tiers."""
    folder = tmp_path / "package"
    folder.mkdir()
    for tier, factor in (("mobile", 2.0), ("edge", 1.0)):
        for name, faster in (("", 1.0), ("_int8_sptq", 0.5)):
            values = [factor * faster * (1 + n % 100 / 400 + n // 100 / 1000) for n in range(600)]
            lines = "\n".join(["Experiment Results", *map(str, values)])
            (folder / f"{tier}_resnet{name}_results.txt").write_text(lines)
    return folder


def test_a_package_becomes_a_run(here, conforms, package):
    document = conforms(here("import", package, "--tag", "study", "--json").json, "import")
    (run,) = document["runs"]
    counted = {key: run[key] for key in ("cases", "blocks", "requests", "notes", "importer")}
    assert counted == {
        "cases": 4, "blocks": 4, "requests": 2000, "notes": [], "importer": "study-packages",
    }  # fmt: skip
    report = conforms(here("report", "--json").json, "run")
    assert (report["source"], report["tag"]) == (str(package), "study")
    cases = {f"{one['chain']} {one['placement']}": one for one in report["cases"]}
    assert set(cases) == {"identity edge", "sptq edge", "identity mobile", "sptq mobile"}
    edge = cases["identity edge"]
    assert (edge["model"], edge["variant"], edge["status"]) == ("resnet", "wide101", "ok")
    assert edge["route"] == ["mobile", "edge"]
    assert edge["samples"] == 500
    assert edge["latency_s"]["median"] == pytest.approx(1.12675, abs=1e-9)
    assert edge["accuracy"] == {}
    assert edge["no_accuracy"] == "the files that were imported hold latencies alone"
    assert "imported: not measured here, one block of 5 passes of 100 inputs" in edge["doubts"]
    assert not [text for text in edge["doubts"] if "at least 3 are needed" in text]


def test_the_report_says_where_it_comes_from(here, package):
    said = here("import", package)
    assert "4 cases, 4 blocks, 2,000 requests" in said.out
    report = " ".join(here("report").out.split())
    assert report.startswith(f"imported from {package}")
    assert "processor not readable" not in report
    assert "imported: not measured here" in report


def test_what_is_there_twice_is_left_out_and_said(here, package):
    file = package / "edge_resnet_results.txt"
    (package / "again").mkdir()
    (package / "again" / file.name).write_text(file.read_text())
    (run,) = here("import", package, "--json").json["runs"]
    assert run["cases"] == 4
    (note,) = run["notes"]
    assert note.startswith("left out: ")
    assert "resnet:wide101 identity on edge" in note


def test_a_database_is_copied_with_all_that_its_runs_hold(here, conforms, measured, package):
    here("import", package, "--db", "own.db")
    document = conforms(here("import", measured.db, "--db", "own.db", "--json").json, "import")
    (run,) = document["runs"]
    assert run["run"] == run["was"] == measured.document["run"]
    before, after = (
        here("report", measured.document["run"], "--db", db, "--json").json
        for db in (measured.db, "own.db")
    )
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"db", "source", "plan_digest"}
    assert after["source"] == str(measured.db)
    with Database.open(measured.db) as one, Database.open("own.db") as other:
        for case in before["cases"]:
            ids = (measured.document["run"], case["id"])
            assert one.read_logs(*ids) == other.read_logs(*ids)
            assert one.read_outcome(*ids) == other.read_outcome(*ids)


def test_an_id_that_is_taken_gets_a_number(here, measured):
    name = measured.document["run"]
    ids = [
        here("import", measured.db, "--run", name[:12], "--db", "own.db", "--json").json["runs"][0][
            "run"
        ]
        for _ in range(3)
    ]
    assert ids == [name, f"{name}-2", f"{name}-3"]
    said = " ".join(here("import", measured.db, "--db", "own.db").out.split())
    assert f"run {name}-4 (there {name})" in said
    assert f"this is run {name} again" in said
    assert f"this is run {name}-3 again" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "there is no file or directory 'nowhere' to import"),
        (("empty",), "empty holds no results that can be imported; expected is a database of"),
        (("empty",), "_results.txt"),
        (("text.db",), "text.db holds no results that can be imported"),
        (("foreign.db",), "is another program's database"),
        (("torn.db",), "torn.db"),
        (("package", "--run", "x"), "--run names a run of a database, and package is none"),
        (("good.db", "--tag", "x"), "--tag is for what is no database"),
        (("good.db", "--run", "2019"), "holds no run '2019'"),
        (("edgebench.db",), "edgebench.db is the database itself"),
    ],
)
def test_what_cannot_be_imported(here, mistaken, package, measured, tmp_path, words, said):
    import sqlite3

    (tmp_path / "empty").mkdir()
    (tmp_path / "text.db").write_text("no database")
    with sqlite3.connect(tmp_path / "foreign.db") as foreign:
        foreign.execute("CREATE TABLE x (y)")
    foreign.close()
    whole = measured.db.read_bytes()
    (tmp_path / "good.db").write_bytes(whole)
    (tmp_path / "torn.db").write_bytes(whole[: len(whole) // 3])
    assert here("import", package).status == 0
    mistaken(here("import", *words), said)
    # What failed has left nothing behind.
    with Database.open(tmp_path / "edgebench.db") as database:
        assert len(database.read_runs()) == 1


def test_a_number_that_is_none_is_named_with_its_file_and_line(here, mistaken, package):
    file = package / "mobile_resnet_results.txt"
    file.write_text("Experiment Results\n1.5\ntwo\n")
    mistaken(here("import", package), f"{file}, line 3", "not 'two'")
    # No database is made of nothing.
    mistaken(here("import", package, "--db", "new.db"), "line 3")
    assert not list(Path().glob("new.db*"))


STRANGER = """
    from pathlib import Path

    from edgebench import Imported, Importer, hookimpl

    def read(path):
        import numpy as np

        for number, line in enumerate(path.read_text().splitlines(), 1):
            model, chain, seconds = line.split()
            yield Imported(
                model=model, chain=chain, placement="mobile", backend="scale", fabric="lab",
                latency_s=np.array([float(seconds)]), measured="one block of 1 request",
                origin=f"{path}, line {number}",
            )

    @hookimpl
    def edgebench_importers():
        yield Importer(
            name="lab", summary="Sheets of our lab, *.lab.",
            claims=lambda path: path.suffix == ".lab", read=read,
        )
    """


@pytest.fixture
def lab(tmp_path):
    file = tmp_path / "stranger.py"
    file.write_text(dedent(STRANGER))
    return ("--plugin", file)


def test_a_strangers_importer_is_asked_as_any(here, lab, toy, tmp_path):
    (tmp_path / "a.lab").write_text("toy:small identity 0.5\ntoy toy-round(digits=2) 0.25\n")
    said = here("import", "a.lab", *lab, "--plugin", toy)
    assert said.status == 0, said.err
    cases = here("report", "--json").json["cases"]
    # Options that say the default are left out, as wherever a chain is written.
    assert [(one["chain"], one["fabric"]) for one in cases] == [
        ("identity", "lab"), ("toy-round", "lab"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tpy identity 1", "a.lab, line 1: no model is called 'tpy'; did you mean 'toy'?"),
        ("toy:large identity 1", "a.lab, line 1: no variant of toy is called 'large'"),
        ("toy roundd 1", "a.lab, line 1: no operator is called 'roundd'"),
        ("toy identity", "stranger.py): ValueError: not enough values"),
        ("toy identity nan", "latency_s of a.lab, line 1 must be seconds above 0, not nan"),
        ("toy identity -1", "latency_s of a.lab, line 1 must be seconds above 0, not -1.0"),
    ],
)
def test_names_that_are_not_known_and_a_reader_that_fails(
    here, mistaken, lab, toy, tmp_path, line, said
):
    (tmp_path / "a.lab").write_text(line)
    mistaken(here("import", "a.lab", *lab, "--plugin", toy), said)


def test_what_the_studies_asked_is_answered_of_an_imported_package(here, conforms, package):
    here("import", package)
    document = conforms(here("report", "--questions", "--json").json, "run")["questions"]
    assert {one["mode"] for one in document["asked"]} == {"study"}
    answers = {one["title"]: one["sentence"] for one in document["asked"]}
    assert answers == {
        "Which tier for identity?": "edge (1,127 ms) is the fastest; mobile takes 2 times as long.",
        "Which tier for sptq?": "edge (563 ms) is the fastest; mobile takes 2 times as long.",
        "Which operator on edge?": "sptq (563 ms) is the fastest; identity takes 2 times as long.",
        "Which operator on mobile?": "sptq (1,127 ms) is the fastest; identity takes 2 times as long.",
    }
    verdicts = {one["name"]: one["verdict"] for one in document["conclusions"]}
    assert verdicts["whitebox-edge-for-pictures"] == "agrees"
    assert set(verdicts.values()) == {"agrees", "cannot decide"}
    assert here("report", "--json").json["questions"] is None


def test_questions_are_legible_at_eighty_columns(here, package, monkeypatch):
    here("import", package)
    monkeypatch.setenv("COLUMNS", "80")
    lines = here("report", "--questions").out.splitlines()
    assert max(map(len, lines)) <= 80
    # A table's line is one line: what is folded there cannot be read.
    (line,) = (one for one in lines if one.split()[:2] == ["edge", "1,127"])
    assert line.split()[2:] == ["1.00", "-", "-", "n/a"]
    text = " ".join(" ".join(lines).split())
    assert "Study mode: imported, one block each" in text
    assert "n/a: the files that were imported hold latencies alone" in text
    assert "measured under one setting of its links (mobile-edge=200mbit)" in text
    assert "What the white-box study concluded" in text


def test_a_run_of_one_block_is_asked_and_nothing_is_tested(here, conforms, measured):
    said = here("report", "--questions", "--json", "--db", measured.db)
    document = conforms(said.json, "run")["questions"]
    assert {one["mode"] for one in document["asked"]} == {"none"}
    assert {one["verdict"] for one in document["conclusions"]} == {"cannot decide"}


def test_a_conclusion_of_ones_own_is_held_too_and_a_malformed_one_is_named(
    here, mistaken, package, tmp_path
):
    mine = tmp_path / "mine.toml"
    row = """
        [conclusions.mine]
        study = "ours"
        source = "last spring"
        words = "Mobile is faster."
        models = ["resnet:*"]
        relation = "faster"
        strategies = ["sptq on mobile"]
        others = ["sptq on edge"]
        """
    mine.write_text(dedent(row))
    here("import", package)
    text = here("report", "--questions", "--registry", mine).out
    assert "Mobile is faster. (last spring)\n  disagrees in 1 of 1" in text
    mine.write_text(dedent(row).replace("faster", "nicer"))
    mistaken(here("report", "--questions", "--registry", mine), mine, "line 7", "relation")


def test_what_is_imported_twice_is_said_to_be_no_other_measurement(here, tmp_path, conforms):
    """Of runs that two databases hold under one id, each is its own."""
    for name in ("one.db", "two.db"):
        with Database.open(tmp_path / name, write=True) as database:
            case = case_of()
            run = database.begin_run(Run(started="2026-01-02T03:04:05+00:00"))
            database.add_cases(run, [case], blocks=1)
            database.save_block(run, case.id, block_of(case))
            database.finish_case(run, case.id, facts_of(case))
    notes = []
    for name in ("one.db", "two.db", "one.db"):
        said = conforms(here("import", tmp_path / name, "--db", "own.db", "--json").json, "import")
        notes.append(said["runs"][0]["notes"])
    assert notes[:2] == [[], []]
    assert len(notes[2]) == 1
    assert "this is run 20260102-030405 again" in notes[2][0]
