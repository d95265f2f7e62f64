"""`plugins check`: what held, what did not and why, whatever the plugin does to its process."""

from __future__ import annotations

from textwrap import dedent

import pytest

from ..conftest import TOY

REPORTERS = """
    from edgebench import Reporter, hookimpl

    def render(results):
        if results.in_full:
            in_full()
        return results.run.id

    def in_full():
        {in_full}

    @hookimpl
    def edgebench_reporters():
        yield Reporter(name="mine", summary="Mine.", render=render)
"""
DETAILS = "It lays out a run in full, and what else it says that it shows."


@pytest.fixture
def reporter(tmp_path):
    """Write a plugin whose reporter does something where a run is to be laid out in full."""

    def write(in_full="pass"):
        path = tmp_path / "mine.py"
        path.write_text(dedent(REPORTERS).format(in_full=in_full))
        return path

    return write


@pytest.fixture
def check(cli, conforms):
    """Check a plugin; return the status and, by promise, status and reason."""

    def run(*words):
        said = cli("plugins", "check", *words, "--json")
        (part,) = conforms(said.json, "plugin-check")["checked"]
        return said.status, {p["promise"]: (p["status"], p["why"]) for p in part["promises"]}

    return run


def test_a_sound_plugin_ends_with_0_and_its_table_says_what_held(cli, reporter):
    said = cli("plugins", "check", reporter())
    assert said.status == 0
    assert "reporter mine, of mine" in said.out
    assert f"held         {DETAILS}" in said.out
    assert "not checked  Each of its options has a text" in said.out
    assert "it takes no options" in said.out
    assert said.err == "edgebench: checking the reporter mine\n"


def test_a_broken_promise_ends_with_1_and_says_why(check, reporter):
    status, promises = check(reporter("raise KeyError('fonts')"))
    assert status == 1
    assert promises.pop(DETAILS) == (
        "not held",
        "of a run with two cases, in full it fails: KeyError: 'fonts'",
    )
    assert {status for status, _ in promises.values()} == {"held", "not checked"}


def test_one_that_crashes_costs_the_promise_that_it_was_about(check, reporter):
    status, promises = check(reporter("import os; os.abort()"))
    assert status == 1
    assert promises.pop(DETAILS) == ("not held", "the process was killed by SIGABRT")
    assert {status for status, _ in promises.values()} == {"held", "not checked"}


def test_one_that_hangs_costs_the_promise_that_it_was_about(check, reporter):
    words = reporter("import time; time.sleep(600)"), "--time-limit", "12"
    status, promises = check(*words)
    assert status == 1
    assert promises.pop(DETAILS) == ("not held", "no answer within 12 s")
    assert {status for status, _ in promises.values()} == {"held", "not checked"}


def test_one_that_crashes_again_and_again_is_given_up(check, tmp_path):
    text = dedent(REPORTERS).format(in_full="pass").replace("return results", "os.abort()  #")
    (tmp_path / "mine.py").write_text(f"import os\n{text}")
    status, promises = check(tmp_path / "mine.py")
    assert status == 1
    verdicts = list(promises.values())
    assert verdicts.count(("not held", "the process was killed by SIGABRT")) == 3
    assert verdicts[-1] == (
        "not checked", "given up: 3 promises before it have crashed or hung"
    )  # fmt: skip


def test_a_part_of_which_nothing_was_checked_is_not_held(cli, conforms, reporter, tmp_path):
    (tmp_path / "mine.toml").write_text(dedent("""
        [plugins.lacking]
        kind = "reporter"
        module = "lacking"
        offers = ["lacking"]
        requires = ["no_such_package"]
        install = "pip install no-such"
    """))  # fmt: skip

    def check(*words):
        said = cli("plugins", "check", *words, "--json")
        (part,) = conforms(said.json, "plugin-check")["checked"]
        return said.status, part["held"]

    assert check("lacking", "--registry", tmp_path / "mine.toml") == (0, False)
    assert check(reporter()) == (0, True)
    assert check(reporter("raise KeyError('fonts')")) == (1, False)


def test_one_that_does_not_load_is_told_with_its_cause(check, tmp_path):
    (tmp_path / "mine.py").write_text("raise SystemExit('run setup first')\n")
    status, promises = check(tmp_path / "mine.py")
    assert status == 1
    assert list(promises.values()) == [
        ("not held", "does not load: SystemExit: run setup first")
    ]  # fmt: skip


def test_one_that_aborts_as_it_loads_is_a_mistake_that_names_the_signal(cli, tmp_path, mistaken):
    (tmp_path / "mine.py").write_text("import os\nos.abort()\n")
    mistaken(cli("plugins", "check", "mine.py"), "mine", "killed by SIGABRT")


NOISY = """
import atexit, ctypes, subprocess, sys, time

libc = ctypes.CDLL(None)
libc.printf(b"printed by C, and no end of line")
print("printed by Python", end="")
sys.stderr.write("said")
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
atexit.register(time.sleep, 600)
"""


def test_one_that_prints_and_does_not_end_is_checked_all_the_same(check, reporter):
    path = reporter("libc.printf(b'more'); libc.fflush(None)")
    path.write_text(NOISY + path.read_text())
    status, promises = check(path, "--time-limit", "30")
    assert status == 0, promises
    assert promises["Importing its plugin, and listing what it offers, imports no framework."] == (
        "held", ""
    )  # fmt: skip


def test_a_limit_may_be_as_long_as_one_likes(check, reporter):
    status, promises = check(reporter(), "--time-limit", "1e300")
    assert status == 0
    assert promises[DETAILS] == ("held", "")


def test_a_part_is_named_by_its_kind(check):
    status, promises = check("tier:mobile")
    assert status == 0
    assert promises["It says where its facts come from."] == ("held", "")


def test_a_file_that_is_called_as_another_plugin_is_checked_alone(cli, reporter):
    path = reporter().rename(reporter().with_name("csv.py"))
    said = cli("plugins", "check", path, "--json")
    assert said.status == 0
    assert [one["name"] for one in said.json["checked"]] == ["mine"]


def test_what_is_not_installed_is_not_checked_and_no_fault(check, tmp_path):
    (tmp_path / "mine.toml").write_text(dedent("""
        [plugins.mine]
        kind = "reporter"
        module = "mine"
        offers = ["mine"]
        requires = ["no_such_package"]
        install = "pip install no-such"
    """))  # fmt: skip
    status, promises = check("mine", "--registry", tmp_path / "mine.toml")
    assert status == 0
    ((verdict, why),) = promises.values()
    assert verdict == "not checked"
    assert "no_such_package" in why


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("sptw",), "did you mean 'sptq'?"),
        (("operator:sptw",), "did you mean 'sptq'?"),
        (("nowhere.py",), "nowhere.py does not exist"),
        (("sptq", "--time-limit", "-1"), "must be more than 0 s, not '-1'"),
        (("sptq", "--time-limit", "nan"), "must be a number, not 'nan'"),
        (("sptq", "--time-limit", "inf"), "must be a number, not 'inf'"),
        (("",), "the name of a plugin is missing"),
        (("sptq", "--time-limit", "abc"), "must be a number, not 'abc'"),
        (("mine.py", "--options", "a=(b"), "mine.py '(a=(b)' ',' or ')' is expected"),
        (("mine.py", "--before", "a=(b"), "chain 'a=(b'"),
        (("mine.py", "--before", "sptw"), "did you mean 'sptq'?"),
        (("mine.py", "--model", "a=(b"), "no model is called 'a=(b'"),
        (("mine.py", "--model", "nosuch"), "no model is called 'nosuch'"),
        (("mine.py", "--model", "toy:nosuch", "--plugin", TOY), "'nosuch'"),
        ((), "NAME|FILE.py"),
    ],
)
def test_mistakes_are_one_line(cli, mistaken, reporter, words, named):
    reporter()
    mistaken(cli("plugins", "check", *words), named)
