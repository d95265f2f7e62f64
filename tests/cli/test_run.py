"""`edgebench run` and what goes with it: the options, one case again, going on."""

from __future__ import annotations

from textwrap import dedent

import pytest

from edgebench.records.database import Database
from edgebench.store.artifacts import Store

LIMITED = ("--score-limit", "20")


@pytest.fixture
def run(cli, toy, one):
    """Run one toy case with further words."""
    return lambda *words: cli("run", *one, "--plugin", toy, *words)


def test_a_run_prints_its_report_and_leaves_a_database(run, cli, tmp_path):
    said = run("--tag", "first words")
    assert said.status == 0
    assert "toy:small" in said.out
    assert (tmp_path / "edgebench.db").is_file()
    assert cli("report", "--json").json["tag"] == "first words"


def test_json_is_one_document_and_nothing_else(run, conforms):
    said = run("--json", "--verbose")
    document = conforms(said.json, "run")
    assert said.out.startswith("{")
    assert document["cases"][0]["status"] == "ok"
    assert "edgebench: measure: toy:small identity on mobile with toy-numpy" in said.err


def test_batch_threads_and_seed_are_measured_as_given(run):
    (case,) = run("--json", "--batch", "4", "--threads", "1", "--weights", "random").json["cases"]
    assert (case["batch"], case["threads"], case["weights"]) == (4, 1, "random")
    assert case["status"] == "ok"
    assert case["tiers"][0]["threads"] == 1
    assert case["no_accuracy"] == "random weights"


def test_a_score_of_some_samples_is_another_score_and_says_so(run, monkeypatch, tmp_path):
    monkeypatch.setenv("EDGEBENCH_STORE", str(tmp_path / "store"))
    (whole,), (some,) = (run("--json", *words).json["cases"] for words in ((), LIMITED))
    # The toy's test split holds 60.
    assert whole["accuracy_samples"] == {"accuracy": 60}
    assert some["accuracy_samples"] == {"accuracy": 20}
    assert "accuracy is that of 20 of 60 samples (--score-limit)" in some["doubts"]
    assert not [doubt for doubt in whole["doubts"] if "--score-limit" in doubt]
    with Database.open(tmp_path / "edgebench.db") as database:
        (figure, *_) = database.read_run().cases[0].facts.figures
    assert (figure.samples, figure.left_out) == (20, 40)
    kept = {entry.key for entry in Store().entries()}
    (more,) = run("--json", "--score-limit", "100").json["cases"]
    assert more["accuracy"] == whole["accuracy"]
    assert not [doubt for doubt in more["doubts"] if "--score-limit" in doubt]
    # What draws all there are is the score of the whole, and is not made again.
    assert {entry.key for entry in Store().entries()} == kept


def test_a_seed_is_of_the_run_and_leaves_the_case_what_it_is(cli, toy):
    words = ("plan", "--json", "--plugin", toy, "--model", "toy", "--backend", "toy-numpy")
    plain, seeded = (cli(*words, "--seed", seed).json["cases"][0] for seed in (0, 1))
    assert (plain["seed"], seeded["seed"]) == (0, 1)
    assert plain["id"] == seeded["id"]


def test_links_of_one_pair_are_swept(cli, toy):
    said = cli(
        *("plan", "--json", "--plugin", toy, "--model", "toy", "--operator", "toy-cut"),
        *("--placement", "mobile-edge", "--backend", "toy-numpy"),
        *("--link", "mobile-edge=10mbit,20ms", "--link", "mobile-edge=1mbit"),
    )
    links = [case["links"] for case in said.json["cases"]]
    assert [(one["rate_bit_s"], one["delay_s"]) for (one,) in links] == [(10e6, 0.02), (1e6, 0.0)]


def test_names_take_globs(cli, toy):
    said = cli("plan", "--json", "--plugin", toy, "--model", "to*", "--operator", "toy-r*",
               "--placement", "*", "--backend", "toy-*")  # fmt: skip
    found = {(case["placement"], case["backend"]) for case in said.json["cases"]}
    assert {("mobile", "toy-numpy"), ("edge", "toy-chip"), ("cloud", "toy-numpy")} <= found
    reasons = {(c["placement"], c["backend"]): c["reason"] for c in said.json["skipped"]}
    assert "not on cloud" in reasons["cloud", "toy-chip"]


def test_a_case_that_fails_is_a_row_and_status_1(run, tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "from edgebench import Operator, hookimpl\n\n\n"
        "def apply(pipeline, context):\n    raise ValueError('two and two are five')\n\n\n"
        "@hookimpl\ndef edgebench_operators():\n"
        "    yield Operator(name='bad', summary='Fail.', apply=apply)\n"
    )
    said = run("--json", "--operator", "bad", "--operator", "identity", "--plugin", bad)
    assert said.status == 1
    cases = said.cases()
    assert cases["identity mobile toy-numpy"]["status"] == "ok"
    failed = cases["bad mobile toy-numpy"]
    assert (failed["status"], failed["blocks"]) == ("failed", 0)
    assert "two and two are five" in failed["reason"]


def test_what_preparing_printed_is_in_the_logs(run, cli, tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "from edgebench import Operator, hookimpl\n\n\n"
        "def apply(pipeline, context):\n    print('about to fail')\n    raise ValueError('failed')\n\n\n"
        "@hookimpl\ndef edgebench_operators():\n"
        "    yield Operator(name='bad', summary='Fail.', apply=apply)\n"
    )
    case = run("--json", "--operator", "bad", "--plugin", bad).json["cases"][0]["id"]
    rows = cli("logs", case, "--json").json["logs"]
    assert {(row["block"], row["process"]) for row in rows} == {(None, "preparing")}
    assert "about to fail" in rows[0]["text"]
    assert "--- preparing\n" in cli("logs", case).out


def test_what_an_operator_doubts_stands_with_every_case_made_from_it(run, tmp_path):
    wary = tmp_path / "wary.py"
    wary.write_text(
        "from edgebench import Operator, hookimpl\n\n\n"
        "def apply(pipeline, context):\n"
        "    context.doubt('3 of 4 checks held')\n    return pipeline\n\n\n"
        "@hookimpl\ndef edgebench_operators():\n"
        "    yield Operator(name='wary', summary='Doubt.', apply=apply, may_keep=True)\n"
    )
    chains = ("--operator", "wary", "--operator", "wary+toy-round", "--operator", "toy-round")
    cases = run("--json", "--plugin", wary, *chains).cases()
    doubted = {name for name, case in cases.items() if "wary: 3 of 4 checks held" in case["doubts"]}
    assert doubted == {"wary mobile toy-numpy", "wary+toy-round mobile toy-numpy"}


def test_one_case_again_with_what_its_processes_print(run, cli, toy, tmp_path):
    first = run("--operator", "identity", "--operator", "toy-round", "--json").json
    case = first["cases"][1]["id"]
    again = cli("run", "--case", case[:6], "--debug", "--plugin", toy, "--requests", "2", "--json")
    assert again.status == 0
    assert [(one["id"], one["blocks"], one["samples"]) for one in again.json["cases"]] == [
        (case, 1, 2)
    ]
    assert "--- block 0, host mobile\n" in again.err
    other = first["cases"][0]["id"]  # which the run of one case does not hold
    assert cli("run", "--case", other, "--plugin", toy).status == 0


def test_one_case_again_is_compared_as_it_was(run, cli, toy):
    (first,) = run("--operator", "toy-round", "--json").json["cases"]
    (again,) = cli("run", "--case", first["id"], "--plugin", toy, "--json").json["cases"]
    compared = ("accuracy_loss", "agreement", "no_agreement", "runtimes")
    assert all(again[name] for name in ("accuracy_loss", "agreement", "runtimes")), again
    assert {name: again[name] for name in compared} == {name: first[name] for name in compared}


def test_resume_with_nothing_to_resume_begins_a_run_and_says_so(run, cli):
    said = run("--resume", "--json")
    assert said.status == 0
    assert said.err.startswith("edgebench: edgebench.db holds no unfinished run of this")
    assert said.err.endswith("; a new one begins\n")
    first = said.json["run"]
    assert run("--resume", "--json").json["run"] != first
    assert cli("report", first, "--json").json["cases"][0]["blocks"] == 1


def test_a_plugin_and_a_registry_are_found_from_other_directories(cli, toy, tmp_path):
    """The processes that prepare and measure work elsewhere, so relative paths must not reach them."""
    (tmp_path / "mine.py").write_text(toy.read_text())
    (tmp_path / "mine.toml").write_text('[hybrids]\nround-trip = "toy-round+identity"\n')
    said = cli("run", "--plugin", "mine.py", "--registry", "mine.toml", "--model", "toy", "--json",
               "--operator", "round-trip", "--backend", "toy-numpy", "--blocks", "1",
               "--requests", "2")  # fmt: skip
    assert said.status == 0, said.err
    assert list(said.cases()) == ["toy-round+identity mobile toy-numpy"]


def test_a_suite_of_ones_own(cli, toy, tmp_path):
    (tmp_path / "mine.toml").write_text(
        '[suites.tiny]\nsummary = "Toys."\nblocks = 1\nrequests = 2\n'
        '[[suites.tiny.cases]]\nmodels = ["toy"]\noperators = ["identity", "toy-cut"]\n'
        'placements = ["mobile"]\nbackends = ["toy-numpy"]\n'
    )
    said = cli("run", "tiny", "--registry", "mine.toml", "--plugin", toy, "--json")
    assert said.status == 0
    assert said.json["suite"] == "tiny"
    statuses = {name: (c["status"], c["reason"]) for name, c in said.cases().items()}
    assert statuses["identity mobile toy-numpy"] == ("ok", "")
    assert statuses["toy-cut mobile toy-numpy"] == (
        "skipped",
        "mobile needs 1 piece, toy-cut gives 2",
    )


SLOW = """
    import sys, time
    from contextlib import contextmanager

    from edgebench import Backend, Dataset, Model, Variant, hookimpl

    class Slow:
        def __init__(self, session):
            self.session = session

        def run(self, inputs):
            time.sleep(0.4)
            return self.session.run(inputs)

    def toy():
        return sys.modules["edgebench_file_toy"]

    @contextmanager
    def open_slow(*words):
        with toy().open_session(*words) as session:
            yield Slow(session)

    @hookimpl
    def edgebench_backends():
        yield Backend(name="slow", summary="Takes its time.", open=open_slow,
                      formats=["toy-matrix"])

    @hookimpl
    def edgebench_datasets():
        yield Dataset(name="few", summary="Four points.",
                      samples=lambda split, seed: list(toy().samples(split, seed))[:4])

    @hookimpl
    def edgebench_models():
        yield Model(name="unhurried", summary="One matrix.", build=toy().build, dataset="few",
                    variants=[Variant(name="small", weights=["random"])], format="toy-matrix")
"""


def test_a_block_of_slow_requests_ends_in_time_and_so_it_does_when_measured_again(
    cli, toy, tmp_path
):
    (tmp_path / "slow.py").write_text(dedent(SLOW))
    plugins = ("--plugin", toy, "--plugin", "slow.py", "--json", "--time-limit", "25")
    said = cli("run", *plugins, "--model", "unhurried", "--backend", "slow", "--blocks", "1")
    assert said.status == 0, said.out
    (case,) = said.json["cases"]
    # In 5 s at most 13 requests of 0.4 s are begun.
    assert 3 <= case["samples"] <= 13
    assert case["stopped"] == f"1 block planned of 5 s each: {case['samples']} of 100 requests"
    again = cli("run", *plugins, "--case", case["id"])
    assert again.status == 0, again.out
    (case,) = again.json["cases"]
    assert 3 <= case["samples"] <= 13
    assert case["stopped"].endswith(f"{case['samples']} of 20 requests")


def test_a_plan_says_how_long_a_block_may_take(cli, toy, conforms):
    words = ("plan", "--plugin", toy, "--model", "toy", "--backend", "toy-numpy")
    assert conforms(cli(*words, "--json").json, "plan")["bound_s"] == 5.0
    said = cli(*words, COLUMNS="200").out
    assert (
        "1 case to measure, 0 cases skipped; 5 blocks a case, 100 requests a block, or 5 s;" in said
    )
    given = (*words, "--requests", "1")
    assert conforms(cli(*given, "--json").json, "plan")["bound_s"] is None
    assert "5 blocks a case, 1 request a block; measuring" in cli(*given, COLUMNS="200").out
