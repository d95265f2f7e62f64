"""`run --quick` and `plan --quick`, through the command line, with and without A/A figures."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import attrs
import pytest

import edgebench
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import Registry
from edgebench.parts.subjects import Weights
from edgebench.testing.results import case_of

CASES = ("--model", "toy", "--operator", "identity", "--operator", "toy-round",
         "--backend", "toy-numpy")  # fmt: skip
NONE_STORED = "nothing is called faster: no A/A figures of this machine are stored"


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """A cache of its own, as what one test keeps is not what another finds."""
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/equal-cases"


@pytest.fixture
def run(cli, toy, cached):
    def start(*words):
        return cli("run", "--plugin", toy, *CASES, *words)

    return start


@pytest.fixture
def known(cached, run, toy):
    """What an A/A run found, by hand: a machine whose blocks differ by a factor of two.

    How long the copied case took is not among it, so that it is taken however busy the machine is.
    """
    from edgebench.conduct.settings import describe_settings
    from edgebench.prepare.keys import Keys
    from edgebench.records.equal_cases import keep_spread
    from edgebench.records.quick import EqualSpread

    plugins = Plugins.load(Registry.read(), [toy])
    case = attrs.evolve(case_of(backend="toy-numpy"), weights=Weights(kind="trained"))
    (setting,) = describe_settings([case], Keys(plugins)).values()
    found = EqualSpread(
        difference=2.0,
        within=0.7,
        between=0.1,
        copies=20,
        rounds=5,
        requests=10,
        case="toy:small identity on mobile with toy-numpy",
        subject=setting.subject,
        measured="2026-01-02T03:04:05+00:00",
        conditions=setting.conditions,
    )
    keep_spread(found, "c")
    return found


def test_without_figures_it_ranks_and_calls_nothing_faster(run, conforms, here, tmp_path):
    said = run("--quick", "--json")
    assert said.status == 0, said.err
    document = conforms(said.json, "run")
    assert document["quick"] == {"blocks": 2, "requests": 10, "spread": None}
    assert [case["samples"] for case in document["cases"]] == [20, 20]
    assert {case["blocks"] for case in document["cases"]} == {2}
    (decision,) = document["decisions"]
    assert (decision["fastest"], decision["slower"], decision["equal"]) == (None, [], [])
    assert NONE_STORED in decision["sentence"]
    assert "the sound run, without --quick: 5 blocks a case of 100 requests" in said.err
    assert "as 2 of 2 were measured before" in said.err
    for name in ("terminal", "markdown", "html"):
        laid = " ".join(here("report", "--format", name).out.split())
        assert "cases of the command line, a quick run" in laid
        assert "nothing is called faster" in laid.replace("Nothing", "nothing")
    advised = here("recommend", "--json")
    conforms(advised.json, "recommend")
    assert NONE_STORED in advised.json["models"][0]["evidence"]["quick"]
    assert NONE_STORED in " ".join(here("recommend").out.split())


def test_an_a_a_run_keeps_what_a_quick_run_takes(run, here, toy, cached):
    said = run("--aa", "--blocks", "2", "--requests", "3", "--json")
    assert said.status == 0, said.err
    for name in ("terminal", "markdown", "html", "junit"):
        laid = " ".join(here("report", "--format", name).out.split())
        assert "qual cases differ by up to" in laid, name
        assert "within a round" in laid
    (kept,) = cached.glob("*/*.json")
    found = json.loads(kept.read_text())
    assert kept.stem == said.json["cases"][0]["id"]
    assert (found["copies"], found["rounds"], found["requests"]) == (20, 2, 3)
    assert found["case"].startswith("toy:small identity on mobile with ")
    # In another database too, and its own figures are none of an ordinary run's.
    quick = run("--quick", "--json", "--db", "other.db")
    assert quick.json["quick"]["spread"] == {k: v for k, v in found.items() if k != "schema"}
    assert quick.json["aa"] is None
    assert quick.json["margin"] == max(0.02, found["difference"])
    # Whatever a busy machine makes of the lengths of both.
    ahead = here("plan", "--plugin", toy, *CASES, "--quick")
    rests_on = f"in the A/A run of {found['measured'][:10]} of {found['case']}"
    assert rests_on in " ".join(ahead.out.split())
    assert run("--blocks", "2", "--requests", "2", "--json", "--db", "other.db").json["aa"] is None


def test_what_is_within_the_stored_spread_is_not_told_apart(run, known):
    document = run("--quick", "--json", "--margin", "accuracy=100").json
    (decision,) = document["decisions"]
    assert (decision["fastest"], len(decision["undecided"])) == (None, 2)
    low, high = document["cases"][0]["latency_s"]["ci95"]
    assert high / low > 4  # by 0.7 within a round, however near its own two blocks are


def test_figures_of_a_far_longer_case_tell_nothing_and_a_file_that_is_none_stops_nothing(
    run, here, toy, known, cached, conforms
):
    from edgebench.records.equal_cases import keep_spread

    keep_spread(attrs.evolve(known, conditions="on cloud", median_s=20.0, within=0.0), "c")
    keep_spread(known, "d").write_text('{"schema": 1}')
    said = run("--quick", "--json")
    assert said.status == 0, said.err
    assert "d.json does not hold what equal cases differ by" in said.err
    document = conforms(said.json, "run")
    (decision,) = document["decisions"]
    assert (decision["fastest"], decision["slower"], decision["equal"]) == (None, [], [])
    assert "A/A figures stored of this machine are of a case of 20000 ms" in decision["sentence"]
    ahead = here("plan", "--plugin", toy, *CASES, "--quick")
    assert "d.json does not hold" in ahead.err
    assert "the shortest takes more than 3 times as long" in " ".join(ahead.out.split())


def test_resuming_a_quick_run_goes_on_with_it_alone(run, known, tmp_path):
    first = run("--quick", "--json").json["run"]
    with closing(sqlite3.connect(tmp_path / "edgebench.db")) as db:
        db.execute("DELETE FROM blocks WHERE number = 1")
        db.execute("UPDATE runs SET finished = NULL")
        db.commit()
    # The same count of blocks and requests, and not quick, is another run.
    other = run("--blocks", "2", "--requests", "10", "--score-limit", "400", "--resume", "--json")
    assert "holds no unfinished run of this" in other.err
    assert other.json["quick"] is None
    again = run("--quick", "--resume", "--json")
    assert again.json["run"] == first
    assert {case["blocks"] for case in again.json["cases"]} == {2}
    assert again.json["quick"]["spread"]["measured"] == known.measured


def test_gates_on_a_quick_run_have_not_enough_data(run, here, known, conforms):
    run("--quick")
    run("--quick")
    listed = conforms(here("runs", "--json").json, "runs")["runs"]
    assert [one["quick"] for one in listed] == [True, True]
    runs = [one["run"] for one in listed]
    words = ("compare", *runs, "--fail-if", "latency.median > +0.001%", "--fail-if",
             "latency.median > 0.001us")  # fmt: skip
    said = here(*words)
    assert said.status == 0
    laid = " ".join(said.out.split())
    assert "the run before is a quick one, 2 blocks of 10 requests a case" in laid
    assert "not enough data: a quick run measured it" in laid
    assert here(*words, "--strict").status == 1
    document = conforms(here(*words, "--json").json, "compare")
    assert document["before"]["quick"]
    figures = [case["figures"]["latency.median"] for case in document["cases"]]
    assert {one["verdict"] for one in figures} == {"undecided"}
    assert {one["blocks_needed"] for one in figures} == {None}
    assert "no run of edgebench.db but quick ones" in here("history").err


@pytest.mark.parametrize(
    "words",
    [
        ("--until", "decided"),
        ("--precision", "2%"),
        ("--aa",),
        ("--blocks", "3"),
        ("--requests", "5"),
        ("--max-blocks", "9"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_what_contradicts_it_is_refused_in_one_line(here, toy, mistaken, command, words):
    said = here(command, "--plugin", toy, *CASES, "--quick", *words)
    mistaken(said, "--quick is 2 blocks of 10 requests a case", f"leave out {words[0]}")


def test_a_case_measured_again_is_none(here, mistaken):
    mistaken(here("run", "--case", "a", "--quick"), "--case measures a case as it was")


def test_a_plan_says_what_it_rests_on_and_how_long_the_sound_one_takes(
    process, here, toy, known, conforms
):
    said = here("plan", "--plugin", toy, *CASES, "--quick")
    laid = " ".join(said.out.split())
    assert "2 blocks a case, 10 requests a block" in laid
    assert "in the A/A run of 2026-01-02 of toy:small identity on mobile with toy-numpy" in laid
    assert "400 samples are scored" in laid
    assert "the sound run, without --quick: 5 blocks a case of 100 requests" in laid
    assert "on all test samples comes on top" in laid
    document = here("plan", "--plugin", toy, *CASES, "--quick", "--json", "--score-limit", "7")
    conforms(document.json, "plan")
    assert (document.json["quick"], document.json["blocks"]) == (True, 2)


def test_a_suite_has_as_few_blocks(process, here, cached):
    document = here("plan", "quickstart", "--quick", "--json").json
    assert (document["blocks"], document["requests"], document["bound_s"]) == (2, 10, None)


def test_a_sound_plan_is_estimated_from_quick_blocks_stretched(run, here, toy, cached):
    assert run("--quick").status == 0
    quick = here("plan", "--plugin", toy, *CASES, "--quick", "--json").json
    sound = here("plan", "--plugin", toy, *CASES, "--json").json
    assert sound["estimate_from"] == "as 2 of 2 were measured before"
    assert sound["estimate_s"] > 2.5 * quick["estimate_s"]


def test_from_python(process, toy, known, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = edgebench.run(model="toy", backend="toy-numpy", plugin=str(toy), quick=True)
    assert found.run.quick.spread == known
    assert found.run.quick.like == tuple(one.case.id for one in found.results)
    assert [len(one.measured) for one in found.results] == [2]
