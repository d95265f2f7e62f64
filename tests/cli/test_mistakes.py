"""The user's mistakes: each one line on standard error that names thing, place and remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgebench.records.database import Database


@pytest.fixture
def refused(here, toy, mistaken):
    """Run a command with the toy plugin, and return the one line that refuses it."""
    return lambda *words: mistaken(here(*words, "--plugin", toy))


PLAN = ("plan", "--model", "toy", "--backend", "toy-numpy")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("lst",), "no command is called 'lst'; did you mean 'list'?"),
        (("list", "modles"), "no kind is called 'modles'; did you mean 'models'?"),
        (("show", "operatr", "toy-cut"), "no kind is called 'operatr'; did you mean 'operator'?"),
        (("show", "operator", "toy-rond"), "no operator is called 'toy-rond'; did you mean 'toy-round'?"),
        (("show", "model", "toy:smal"), "no variant of toy is called 'smal'; did you mean 'small'?"),
        (("show", "suite", "quickstrt"), "no suite is called 'quickstrt'; did you mean 'quickstart'?"),
        (("show", "plugin", "identiy"), "no plugin is called 'identiy'; did you mean 'identity'?"),
        (("plan", "quickstrt"), "no suite is called 'quickstrt'; did you mean 'quickstart'?"),
        (("plan", "--model", "tooy"), "no model is called 'tooy'; did you mean 'toy'?"),
        (("plan", "--model", "toy:big"), "no variant of toy is called 'big'; known are: small"),
        ((*PLAN, "--operator", "toy-ruond"), "no operator is called 'toy-ruond'; did you mean 'toy-round'?"),
        ((*PLAN, "--placement", "mobile-"), "the placement 'mobile-' is to be tiers joined by `-`, and"),
        (("plan", "--model", ""), "the name of a model is missing; known are: "),
        ((*PLAN, "--placement", "mobil"), "no tier is called 'mobil'; did you mean 'mobile'?"),
        ((*PLAN, "--backend", "toy-nunpy"), "no backend is called 'toy-nunpy'; did you mean 'toy-numpy'?"),
        ((*PLAN, "--fabric", "proces"), "no fabric is called 'proces'; did you mean 'process'?"),
        ((*PLAN, "--scenario", "single"), "no scenario is called 'single'; did you mean 'single-stream'?"),
        ((*PLAN, "--link", "mobile-egde=1mbit"), "no tier is called 'egde'; did you mean 'edge'?"),
        ((*PLAN, "--input-at", "egde"), "no tier is called 'egde'; did you mean 'edge'?"),
        ((*PLAN, "--model", "x*"), "no model matches 'x*:*'"),
        (("list", "--without", "identiy"), "no plugin is called 'identiy'; did you mean 'identity'?"),
    ],
)  # fmt: skip
def test_unknown_names_get_the_nearest(refused, words, line):
    assert refused(*words).startswith(f"edgebench: {line}")


@pytest.mark.process
def test_a_link_that_no_case_uses_is_refused(refused):
    said = refused(*PLAN, "--link", "edge-cloud=1mbit")
    assert said.startswith("edgebench: no case uses --link edge-cloud=1mbit; leave it out")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((*PLAN, "--operator", ""), "the chain is empty; name an operator"),
        ((*PLAN, "--operator", "toy-round("), "at character 11 of the chain 'toy-round('"),
        ((*PLAN, "--operator", "toy-round(digit=1)"), "toy-round has no option 'digit'; did you mean 'digits'?"),
        ((*PLAN, "--operator", "toy-round(digits=x)"), "toy-round: digits must be a whole number, not 'x'"),
        ((*PLAN, "--link", "mobile-edge=fast"), "a rate is a number and gbit, mbit, kbit or bit, not 'fast'"),
        ((*PLAN, "--link", "mobile-edge=1mbit,20"), "a delay is a number and s, ms or us, not '20'"),
        ((*PLAN, "--link", "mobile-mobile=1mbit"), "a link joins two tiers, not 'mobile' to itself"),
        ((*PLAN, "--weights", "none"), "toy:small has no weights 'none'; it has trained, random"),
        ((*PLAN, "--margin", "1"), "argument --margin: is written accuracy=POINTS, as accuracy=1, not '1'"),
        ((*PLAN, "--margin", "acuracy=1"), "argument --margin: is written accuracy=POINTS, as accuracy=1, not 'acuracy=1'"),
        ((*PLAN, "--margin", "accuracy=1ms"), "argument --margin: must be a number, not '1ms'"),
        ((*PLAN, "--margin", "accuracy="), "argument --margin: must be a number, not ''"),
        ((*PLAN, "--margin", "accuracy=nan"), "argument --margin: must be a number, not 'nan'"),
        ((*PLAN, "--margin", "accuracy=-1"), "argument --margin: must be more than 0 points and at most 100, not 'accuracy=-1'"),
        ((*PLAN, "--margin", "accuracy=0"), "argument --margin: must be more than 0 points and at most 100, not 'accuracy=0'"),
        ((*PLAN, "--margin", "accuracy=101"), "argument --margin: must be more than 0 points and at most 100, not 'accuracy=101'"),
        ((*PLAN, "--batch", "0"), "argument --batch: must be a whole number from 1, not '0'"),
        ((*PLAN, "--threads", "two"), "argument --threads: must be a whole number from 1, not 'two'"),
        ((*PLAN, "--seed", str(2**63)), f"argument --seed: must be at most {2**63 - 1}, not"),
        ((*PLAN, "--requests", "9" * 5000), f"argument --requests: must be at most {2**63 - 1},"),
        ((*PLAN, "--seed", "-1"), "argument --seed: must be a whole number from 0, not '-1'"),
        ((*PLAN, "--bogus"), "unrecognized arguments: --bogus; see edgebench plan --help"),
        (("run", "--modle", "toy"), "unrecognized arguments: --modle; did you mean --model?; see edgebench run --help"),
        (("list", "--qiet"), "unrecognized arguments: --qiet; did you mean --quiet?; see edgebench list --help"),
        (("report", "a", "b"), "unrecognized arguments: b; see edgebench report --help"),
        ((*PLAN, "--placement"), "argument --placement: expected one argument"),
        (("plan", "quickstart", "--model", "toy"), "the suite 'quickstart' says what to run; leave out --model"),
        (("plan", "--operator", "toy-cut"), "say what to run: a suite (blackbox, "),
        (("run", *PLAN[1:], "--time-limit", "0"), "argument --time-limit: must be more than 0 s, not '0'"),
        (("run", *PLAN[1:], "--time-limit", "-5"), "argument --time-limit: must be more than 0 s, not '-5'"),
        (("run", *PLAN[1:], "--time-limit", "nan"), "argument --time-limit: must be a number, not 'nan'"),
        (("run", *PLAN[1:], "--debug"), "--debug shows one case; say which with --case ID"),
        (("run", "--case", "1", "--operator", "toy-cut"), "--case measures a case as it was; leave out"),
        (("run", "--case", "1", "--resume"), "--case measures a case as it was; leave out"),
        (("store", "gc", "--older-than", "-1"), "argument --older-than: must be at least 0, not '-1'"),
        (("store", "gz"), "argument size|gc|path: invalid choice: 'gz'"),
        (("report", "--db", ""), "argument --db: must name a file, not ''"),
        (("report", "--db", "/"), "argument --db: must name a file, not '/'"),
        (("report", "--db", "/dev/null"), "/dev/null cannot be used: it is no regular file"),
        (("run", *PLAN[1:], "--tag", "a\udcffb"), r"'a\udcffb' is not UTF-8"),
        ((*PLAN, "--operator", "toy-cut+\udc80"), r"'toy-cut+\udc80' is not UTF-8"),
        (("--json",), "the following arguments are required: COMMAND"),
        (("plugins",), "the following arguments are required: ACTION"),
    ],
)  # fmt: skip
def test_what_is_written_wrongly(refused, words, line):
    assert refused(*words).startswith(f"edgebench: {line}")


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[tiers.x\ncpus = 4\n", "mine.toml, line 1: not TOML: Expected ']' at the end of a table"),
        ('[tiers.x]\ncpus = "4"\n', "mine.toml, line 2: [tiers.x] cpus: must be a whole number"),
        ('[hybrids]\nboth = 1\n', "mine.toml, line 2: [hybrids] both: must be"),
        ('[plugins.x]\nkind = "model"\nmodule = "x"\noffers = ["x"]\nrequire = ["y"]\n', "mine.toml, line 5: [plugins.x] require: unknown key; did you mean 'requires'?"),
        ('[[links]]\nbetween = ["a", "b"]\nrate = "fast"\nsource = "x"\n', "mine.toml, line 3: [links] rate: a rate is a number"),
    ],
)  # fmt: skip
def test_a_registry_that_is_wrong_is_named_with_line_and_key(here, mistaken, tmp_path, text, line):
    (tmp_path / "mine.toml").write_text(text)
    assert mistaken(here("list", "--registry", "mine.toml")).startswith(f"edgebench: {line}")


@pytest.mark.parametrize(
    ("key", "text", "line"),
    [
        ("models", '["toi"]', "[suites.mine.cases] no model is called 'toi'; did you mean 'toy'?"),
        ("operators", '["identity(x=1)"]', "[suites.mine.cases] identity has no option 'x'"),
        ("operators", '["identity+"]', "[suites.mine.cases] at character 10 of the chain"),
        ("placements", '["edgy"]', "[suites.mine.cases] no tier is called 'edgy'"),
        ("backends", '["toy-nump"]', "[suites.mine.cases] no backend is called 'toy-nump'"),
        ("fabric", '"proces"', "[suites.mine.cases] no fabric is called 'proces'"),
        ("scenario", '"closed"', "[suites.mine.cases] no scenario is called 'closed'"),
    ],
)
def test_what_a_suite_misspells_is_placed(here, mistaken, tmp_path, toy, key, text, line):
    right = {"models": '["toy"]', "operators": '["identity"]', "placements": '["mobile"]',
             "backends": '["toy-numpy"]'}  # fmt: skip
    first, second = (
        "".join(f"{k} = {v}\n" for k, v in said.items()) for said in (right, right | {key: text})
    )
    (tmp_path / "mine.toml").write_text(
        f'[suites.mine]\nsummary = "Mine."\n[[suites.mine.cases]]\n{first}'
        f"[[suites.mine.cases]]\n{second}"
    )
    (tmp_path / "other.toml").write_text('[hybrids]\nboth = "identity"\n')
    words = ("mine", "--plugin", toy, "--registry", "mine.toml", "--registry", "other.toml")
    for command in ("plan", "run"):
        mistaken(here(command, *words), f"edgebench: mine.toml, line 8: {line}")


def test_the_tier_that_a_suite_says_holds_the_input_is_placed(here, mistaken, tmp_path, toy):
    (tmp_path / "mine.toml").write_text(
        '[suites.mine]\nsummary = "Mine."\ninput_at = "watch"\n[[suites.mine.cases]]\n'
        'models = ["toy"]\noperators = ["identity"]\nplacements = ["mobile"]\nbackends = ["toy-numpy"]\n'
    )
    words = ("plan", "mine", "--plugin", toy, "--registry", "mine.toml")
    mistaken(here(*words), "mine.toml, line 3: [suites.mine] input_at: no tier is called 'watch'")
    said = mistaken(here(*words, "--input-at", "phone"), "no tier is called 'phone'")
    assert "mine.toml" not in said


def test_files_that_are_not_there(here, mistaken, tmp_path):
    mistaken(here("list", "--registry", "no.toml"), "no.toml cannot be read: No such file")
    mistaken(here("list", "--plugin", "no.py"), f"the plugin {tmp_path / 'no.py'} does not exist")
    mistaken(here("list", "--plugin", tmp_path), f"the plugin {tmp_path} is not a .py file")
    mistaken(here("plan", "--model", "./no.onnx"), "no.onnx")


def test_a_report_that_cannot_be_written(here, mistaken, measured):
    said = here("report", "--db", measured.db, "-o", "nowhere/report.txt")
    mistaken(said, "cannot write nowhere/report.txt: No such file or directory")


# --- plugins -------------------------------------------------------------------------------------


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("raise RuntimeError('no luck today')\n")
    return path


def test_a_plugin_that_raises_is_named_and_the_others_work(here, broken):
    said = here("list", "models", "--json", "--plugin", broken)
    assert said.status == 0
    assert {row["name"] for row in said.json["models"]} >= {"resnet", "vgg"}
    line = f"the plugin broken ({broken}) does not load: RuntimeError: no luck today"
    assert said.err == f"edgebench: {line}\n"
    verbose = here("list", "models", "--plugin", broken, "--verbose").err
    assert "raise RuntimeError('no luck today')" in verbose
    assert here("list", "models", "--plugin", broken, "--quiet").err == ""


def test_what_a_broken_plugin_would_have_offered_is_explained(here, mistaken, broken):
    said = here("show", "model", "broken", "--plugin", broken)
    mistaken(said, "no model is called 'broken'", "does not load: RuntimeError: no luck today")


@pytest.fixture
def lacking(tmp_path):
    path = tmp_path / "lacking.toml"
    path.write_text(
        '[plugins.absent]\nkind = "backend"\nmodule = "absent"\noffers = ["absent"]\n'
        'requires = ["nothing_like_it"]\ninstall = "pip install \'edgebench[absent]\'"\n'
    )
    return path


def test_a_missing_extra_is_said_with_what_brings_it(here, mistaken, toy, lacking):
    remedy = "absent needs the package 'nothing_like_it': pip install 'edgebench[absent]'"
    common = ("--registry", lacking, "--plugin", toy)
    row = next(r for r in here("list", "--json", *common).json["backends"] if not r["installed"])
    assert (row["name"], row["why_not"]) == ("absent", remedy)
    mistaken(here("show", "backend", "absent", *common), remedy)
    mistaken(
        here("run", "--model", "toy", "--backend", "absent", *common), "no case can be run", remedy
    )
    plan = here("plan", "--json", "--model", "toy", "--backend", "absent", *common).json
    assert [one["reason"] for one in plan["skipped"]] == [remedy]


def test_a_run_without_its_reporter_does_not_begin(here, mistaken, toy, one, tmp_path):
    mistaken(
        here("run", *one, "--plugin", toy, "--without", "terminal"),
        "the reporter 'terminal' is left out by --without terminal",
    )
    assert not Path(tmp_path, "edgebench.db").exists()


# --- suites and databases ------------------------------------------------------------------------


def test_a_suite_without_a_case_that_can_run_says_why(here, mistaken, toy, tmp_path):
    (tmp_path / "mine.toml").write_text(
        '[suites.hopeless]\nsummary = "None can run."\n'
        '[[suites.hopeless.cases]]\nmodels = ["toy"]\noperators = ["toy-cut"]\n'
        'placements = ["mobile"]\nbackends = ["toy-numpy", "torch"]\n'
    )
    words = ("hopeless", "--registry", "mine.toml", "--plugin", toy)
    mistaken(here("run", *words), "no case can be run: ", "mobile needs 1 piece, toy-cut gives 2")
    assert not Path(tmp_path, "edgebench.db").exists()
    ran, planned, told = here("run", *words), here("plan", *words), here("plan", "--json", *words)
    # Why of each case is the plan itself; that it is a mistake is said as by a run.
    assert ran.err == planned.err == told.err
    assert (ran.status, planned.status, told.status) == (2, 2, 2)
    assert "skipped" in planned.out
    assert "cases\n" not in planned.out
    assert "to measure" not in planned.out
    assert (told.json["cases"], len(told.json["skipped"])) == ([], 2)


@pytest.mark.process
def test_a_database_that_cannot_be_used(here, mistaken, toy, one, tmp_path):
    (tmp_path / "notes.txt").write_text("These are notes of mine, and no database.\n" * 40)
    run = ("run", *one, "--plugin", toy, "--db")
    mistaken(here(*run, "nowhere/r.db"), "nowhere/r.db cannot be written", "choose another place")
    mistaken(here(*run, tmp_path), f"{tmp_path} cannot be", "choose another place with --db FILE")
    mistaken(here(*run, "/dev/null"), "/dev/null cannot be used: it is no regular file")
    mistaken(here(*run, "notes.txt"), "notes.txt cannot be used", "not an SQLite database")
    assert (tmp_path / "notes.txt").read_text().startswith("These are notes")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written(here, mistaken, toy, one, tmp_path):
    (tmp_path / "kept").mkdir(mode=0o500)
    said = here("run", *one, "--plugin", toy, "--db", "kept/r.db")
    mistaken(said, "kept/r.db cannot be written: Permission denied")


@pytest.mark.process
def test_a_second_run_on_the_same_database_is_told_who_has_it(here, mistaken, toy, one, tmp_path):
    with Database.open(tmp_path / "edgebench.db", write=True):
        line = mistaken(here("run", *one, "--plugin", toy))
    assert line == (
        f"edgebench: another run (process {os.getpid()}) is writing edgebench.db right now; "
        "wait for it, or choose another file with --db FILE\n"
    )


@pytest.mark.parametrize("words", [("report",), ("logs", "12345678"), ("run", "--case", "1234")])
def test_results_that_are_not_there(here, mistaken, words):
    mistaken(here(*words), "there are no results in edgebench.db yet", "--db FILE")


def test_runs_cases_and_reporters_that_are_not_there(here, mistaken, measured):
    run = measured.document["run"]
    mistaken(here("report", "1999", "--db", measured.db), "holds no run '1999'", run)
    mistaken(here("logs", "zz", "--db", measured.db), f"no case of run {run} is called 'zz'")
    mistaken(here("run", "--case", "zz", "--db", measured.db), "is called 'zz'")
    mistaken(
        here("report", "--format", "terminl", "--db", measured.db),
        "no reporter is called 'terminl'; did you mean 'terminal'?",
    )
