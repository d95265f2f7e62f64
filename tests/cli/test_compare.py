"""`compare`, `runs` and `history`, end to end on databases that hold made-up runs."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import attrs
import numpy as np
import pytest

from edgebench.parts.errors import DataError
from edgebench.records.database import Database
from edgebench.testing.results import block_of, case_of, result_of, run_of

CASES = tuple(
    case_of(chain, *tiers)
    for chain in ("plain", "small", "quick")
    for tiers in (("mobile",), ("mobile", "edge"))
)


def save(path, results):
    """Write a run into a database, and return its id."""
    with Database.open(path, write=True) as database:
        name = database.begin_run(attrs.evolve(results.run, id=""))
        planned = max(one.planned for one in results.results)
        database.add_cases(name, [one.case for one in results.results], blocks=planned)
        for one in results.results:
            for block in one.blocks:
                database.save_block(name, one.case.id, block)
            database.finish_case(name, one.case.id, one.facts)
        database.finish_run(name, "2026-01-02T04:00:00+00:00")
    return name


def made(seed, *, slower=1.0, blocks=10, requests=100, cases=CASES, **run):
    """Make a run whose blocks differ by 1.7 %."""
    rng = np.random.default_rng(seed)
    results = []
    for case in cases:
        medians = slower * 5e-3 * np.exp(0.017 * rng.standard_normal(blocks))
        measured = [
            block_of(case, n, median_s=float(s), requests=requests, seed=int(rng.integers(2**31)))
            for n, s in enumerate(medians)
        ]
        result = result_of(case, blocks=1)
        results.append(attrs.evolve(result, blocks=tuple(measured), planned=blocks))
    return run_of(results, **run)


@pytest.fixture
def db(tmp_path):
    return tmp_path / "edgebench.db"


@pytest.fixture
def two(db):
    """Two runs of the same, and one that is a tenth slower."""
    return [save(db, made(seed, slower=factor)) for seed, factor in ((1, 1), (2, 1), (3, 1.1))]


GATE = ("--fail-if", "latency.median > +5%")


def test_runs_of_the_same_are_not_told_apart(here, two, conforms):
    said = here("compare", two[0], two[1], *GATE, "--json")
    assert said.status == 0
    document = conforms(said.json, "compare")
    found = [case["figures"]["latency.median"]["verdict"] for case in document["cases"]]
    assert len(found) == len(CASES)
    assert set(found) <= {"equal", "undecided"}
    assert {one["verdict"] for one in document["gates"]} <= {"kept", "open"}


def test_a_tenth_slower_is_slower_and_fails_the_build(here, two, conforms):
    said = here("compare", two[0], two[2], *GATE, "--json")
    assert said.status == 1
    document = conforms(said.json, "compare")
    found = {case["figures"]["latency.median"]["verdict"] for case in document["cases"]}
    assert found == {"slower"}
    assert document["status"] == 1
    assert here("compare", two[0], two[2]).status == 0  # no bound, no gate
    faster = here("compare", two[2], two[0], *GATE)
    assert faster.status == 0
    assert "6 faster" in faster.out


def test_what_is_printed_fits_and_ends_with_the_answer(here, two, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    said = here("compare", two[0], two[2], *GATE, "--fail-if", "accuracy < -1")
    lines = said.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "gates: 6 of 12 checks failed" in " ".join(lines[-2:])
    assert "of 6 cases, median latency: 6 slower" in said.out
    assert "failed: latency.median > +5%" in said.out
    assert "kept" not in said.out
    assert "kept: accuracy < -1" in here("compare", two[0], two[2], *GATE, "--fail-if",
                                         "accuracy < -1", "--verbose").out  # fmt: skip


def test_markdown_has_a_table_that_is_one(here, two):
    lines = here("compare", two[0], two[2], "--format", "markdown").out.splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("| verdict |"))
    assert lines[head + 1].split() == ["|", *["---", "|"] * lines[head].count(" | "), "---", "|"]


def test_too_little_data_fails_under_strict_alone_and_says_what_would_do(here, db):
    names = [save(db, made(seed, blocks=2, cases=CASES[:1])) for seed in (1, 2)]
    bound = ("--fail-if", "latency.median > +0.1%")
    said = here("compare", *names, *bound)
    assert said.status == 0
    assert "not enough data: about" in " ".join(said.out.split())
    assert "1 not decided, which fails nothing" in said.out
    assert here("compare", *names, *bound, "--strict").status == 1


def test_markdown_shows_user_text_as_it_is(here, db):
    names = [
        save(db, made(1, tag="<b>|`x` @org/team https://x", cases=CASES[:2])) for _ in range(2)
    ]
    said = here("compare", *names, "--format", "markdown", *GATE)
    assert said.out.startswith("### edgebench compare")
    assert "&#60;b&#62;&#124;&#96;x&#96; &#64;&#8203;org/team https&#58;//x" in said.out
    rows = [line for line in said.out.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert {row.count("|") for row in rows} == {6}


@pytest.mark.parametrize(("strict", "failures", "skipped"), [([], 6, 6), (["--strict"], 12, 0)])
def test_junit_is_what_build_servers_read(here, two, tmp_path, strict, failures, skipped):
    out = tmp_path / "junit.xml"
    bound = ("--fail-if", "latency.p99.9 > +5%")
    said = here("compare", two[0], two[2], *GATE, *bound, "--format", "junit", "-o", out, *strict)
    assert (said.status, said.out) == (1, "")
    suite = ET.parse(out).getroot().find("testsuite")  # noqa: S314 - our own
    assert suite.attrib["tests"] == "12"
    assert suite.attrib["failures"] == str(failures)
    assert suite.attrib["skipped"] == str(skipped)
    assert len(suite.findall("testcase/failure")) == failures
    assert {one.attrib["name"] for one in suite.findall("testcase")} == {GATE[1], bound[1]}


def test_junit_without_gates_fails_nothing(here, two):
    root = ET.fromstring(here("compare", two[0], two[2], "--format", "junit").out)  # noqa: S314 - our own
    assert len(root.findall("testsuite/testcase")) == 6
    assert root.findall(".//failure") == []


def test_runs_of_two_databases(here, db, tmp_path):
    save(db, made(1))
    other = tmp_path / "other.db"
    save(other, made(2, slower=1.1))
    save(other, made(3))
    said = here("compare", "latest", f"{other}:2026", *GATE)
    assert said.status == 2
    assert "several runs" in said.err
    said = here("compare", "latest", f"{other}:", *GATE)
    assert said.status == 0
    assert str(other) in said.out


def test_what_differs_beside_is_said_first(here, db):
    one = save(db, made(1, environment={"processor": "A"}))
    other = save(db, made(1, environment={"processor": "B"}))
    said = here("compare", one, other)
    assert said.out.index("processor: A -> B") < said.out.index("latency.median")


def test_cases_of_one_run_are_listed(here, db):
    one, other = (save(db, made(1, cases=c)) for c in (CASES[:4], CASES[2:]))
    said = " ".join(here("compare", one, other).out.split())
    assert f"only in the run before: {CASES[0].label}" in said
    assert f"only in the run after: {CASES[5].label}" in said


def test_mistakes(here, db, mistaken, two, tmp_path):
    other = save(tmp_path / "o.db", made(1, cases=[case_of("else")]))
    mistaken(here("compare", two[0], f"o.db:{other}"), "no case in common")
    mistaken(here("compare", two[0], "nothing"), "holds no run 'nothing'")
    mistaken(here("compare", two[0], "no.db:x"), "no results in no.db")
    mistaken(here("compare", *two[:2], "--fail-if", "latncy.p95 > +5%"), "latency.p95")
    mistaken(here("compare", *two[:2], "--fail-if", "latency.p95 > 5"), "without a unit")
    mistaken(here("compare", *two[:2], "--fail-if", "latency.p95"), "is written")
    mistaken(here("compare", two[0]), "RUN_B")


# --- runs ----------------------------------------------------------------------------------------


def test_runs_are_listed_and_removed(here, db, conforms, mistaken):
    names = [save(db, made(seed, blocks=2, tag=f"t{seed}", cases=CASES[:2])) for seed in range(3)]
    document = conforms(here("runs", "--json").json, "runs")
    assert [one["run"] for one in document["runs"]] == names
    assert document["runs"][1]["tag"] == "t1"
    assert document["runs"][1]["statuses"] == {"ok": 2}
    listed = here("runs").out
    assert all(name in listed for name in names)
    assert "2 ok" in listed
    mistaken(here("runs", "rm"), "say which run")
    mistaken(here("runs", "rm", names[1][:6]), "several runs")
    mistaken(here("runs", "rm", "latest"), names[2], "in full")
    mistaken(here("runs", "rm", names[0], "none"), "holds no run")
    assert conforms(here("runs", "rm", names[1], "--json").json, "runs")["removed"] == [names[1]]
    left = here("runs", "--json").json["runs"]
    assert [one["run"] for one in left] == [names[0], names[2]]
    with Database.open(db) as database:
        assert database.read_run(names[0]).cases[0].blocks
        kept = database._connection.execute("SELECT count(DISTINCT run) FROM blocks").fetchone()
        samples = database._connection.execute(
            "SELECT count(*) FROM samples WHERE block NOT IN (SELECT id FROM blocks)"
        ).fetchone()
    assert (kept[0], samples[0]) == (2, 0)


def test_of_several_runs_all_are_removed_or_none(here, db, mistaken, monkeypatch):
    names = [save(db, made(seed, blocks=1, cases=CASES[:1])) for seed in range(2)]
    remove = Database.remove_run

    def break_down(self, run):
        if run == names[1]:
            raise DataError("the disk is gone")
        remove(self, run)

    monkeypatch.setattr(Database, "remove_run", break_down)
    mistaken(here("runs", "rm", *names), "the disk is gone")
    assert [one["run"] for one in here("runs", "--json").json["runs"]] == names


def test_runs_of_no_database(here, mistaken):
    mistaken(here("runs"), "there are no results")
    mistaken(here("runs", "rm", "x"), "there are no results")
    mistaken(here("runs", "mv"), "rm")


# --- history -------------------------------------------------------------------------------------


@pytest.fixture
def long(db):
    """Ten runs, the last four a tenth slower and on another processor."""
    found = []
    for number in range(10):
        late = number >= 6
        run = made(number, slower=1.1 if late else 1.0, blocks=3, cases=CASES[:2], tag="main",
                   environment={"processor": "B" if late else "A"})  # fmt: skip
        found.append(save(db, run))
    save(db, made(99, slower=3, blocks=3, cases=CASES[:2], tag="else"))
    return found


def test_history_shows_where_a_figure_changed_and_what_else_did(here, long, conforms):
    document = conforms(here("history", "--tag", "main", "--json").json, "history")
    assert [one["run"] for one in document["runs"]] == long
    for case in document["cases"]:
        (change,) = case["changes"]
        assert change["run"] == long[6]
        assert change["after"] / change["before"] == pytest.approx(1.1, abs=0.03)
        assert change["beside"] == [{"what": "processor", "before": "A", "after": "B"}]
    shown = " ".join(here("history", "--tag", "main", "--case", CASES[0].id[:5]).out.split())
    assert f"changed at {long[6]} (beside: processor: A -> B)" in shown
    assert "▁" in here("history", "--tag", "main").out


def test_history_of_few_runs_tells_nothing(here, db):
    for seed in range(2):
        save(db, made(seed, blocks=1, cases=CASES[:1]))
    said = here("history")
    assert said.status == 0
    words = " ".join(said.out.split())
    assert "nothing can be told of 1 of 1 cases: 2 more runs of each would do" in words


def test_history_of_other_figures(here, long):
    for figure in ("accuracy", "size", "memory", "bytes", "latency.p90"):
        said = here("history", "--tag", "main", "--figure", figure, "--json")
        assert all(case["changes"] == [] or figure == "latency.p90" for case in said.json["cases"])


def test_history_mistakes(here, long, mistaken):
    mistaken(here("history", "--figure", "latency"), "did you mean")
    mistaken(here("history", "--tag", "none"), "no run", "tag")
    mistaken(here("history", "--model", "none"), "no case")
    mistaken(here("history", "--figure", "latency.p99.9"), "latency.p99.9")


def sweep(*rates):
    """Make one strategy under several settings of its link, which its label leaves out."""
    case = case_of("plain", "mobile", "edge")
    return tuple(attrs.evolve(case, links=[attrs.evolve(case.links[0], rate=r)]) for r in rates)


def test_cases_of_a_sweep_have_names_of_their_own(here, db):
    cases = (*sweep(1e6, 1e7), case_of("other"))
    names = [save(db, made(seed, cases=cases)) for seed in (1, 2, 3, 4)]
    for form in ("terminal", "markdown", "json", "junit"):
        said = here("compare", *names[:2], *GATE, "--format", form, "--verbose").out
        assert all(case.id in said for case in cases[:2]), form
    tests = ET.fromstring(said).findall("testsuite/testcase")  # noqa: S314 - our own
    assert len({(one.attrib["classname"], one.attrib["name"]) for one in tests}) == len(cases)
    assert {cases[2].label} < {one.attrib["classname"] for one in tests}
    followed = here("history").out
    assert all(case.id in followed for case in cases[:2])
    assert cases[2].id not in followed


def test_what_is_not_foreseen_is_said_beside_what_is(here, db):
    """Of blocks that differ e^10-fold no number foreseen would tell; of one block one more would."""
    wild, few = made(1, blocks=2, cases=CASES[:2]).results
    scattered = [
        attrs.evolve(b, latency_s=b.latency_s * np.exp(10 * n), phases_s={})
        for n, b in enumerate(wild.blocks)
    ]
    results = (
        attrs.evolve(wild, blocks=tuple(scattered)),
        attrs.evolve(few, blocks=few.blocks[:1]),
    )
    ids = [save(db, run_of(results)) for _ in "ab"]
    said = " ".join(here("compare", *ids).out.split())
    assert "about 1 more block each would tell 1 of these, and of 1 it is not foreseen" in said


def test_a_lost_case_fails_under_strict_and_is_asked_for_no_blocks(here, db):
    ids = [save(db, made(1, cases=CASES[:count])) for count in (2, 1)]
    bound = ("--fail-if", "latency.median > +50%")
    said = here("compare", *ids, *bound)
    assert said.status == 0
    assert "only the earlier run has this case" in " ".join(said.out.split())
    assert "not foreseen" not in said.out
    assert here("compare", *ids, *bound, "--strict").status == 1


def test_the_document_says_where_inputs_are_not_known(here, db, conforms):
    results = made(1, cases=CASES[:1])
    bare = attrs.evolve(
        results.results[0],
        blocks=tuple(attrs.evolve(b, inputs=None) for b in results.results[0].blocks),
    )
    ids = [save(db, run_of([bare])) for _ in "ab"]
    document = conforms(here("compare", *ids, "--json").json, "compare")
    assert document["cases"][0]["inputs_matched"] is None
    assert "interval_of_test" in document["cases"][0]["figures"]["latency.median"]
    assert "inputs of 1 case: they were not noted" in " ".join(here("compare", *ids).out.split())
