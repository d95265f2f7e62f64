"""What every command has in common, and what those that only look print for people."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from edgebench import Registry
from edgebench.cli import COMMANDS, import_command, main

COMMON = ("--json", "--registry", "--plugin", "--without", "--quiet", "--verbose")
NAMES = (
    "list", "show", "init", "plan", "run", "report", "recommend", "predict", "compare", "export", "runs",
    "history", "import", "logs", "store", "plugins", "completion", "doctor",
    "measure-device",
)  # fmt: skip
ESCAPE = "\x1b"


# --- the face that all commands share ------------------------------------------------------------


def test_help_lists_the_commands_that_are_there_and_the_common_options(here):
    said = here("--help")
    assert (said.status, said.err) == (0, "")
    assert tuple(re.findall(r"^    ([\w-]+)(?: |$)", said.out, re.MULTILINE)) == NAMES
    for option in COMMON:
        assert option in said.out


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself_and_each_of_its_options(here, name):
    said = here(name, "--help")
    assert said.status == 0
    assert said.out.startswith(f"usage: edgebench {name} ")
    # An option stands alone on a line only where its text follows on the next, further in.
    lines = said.out.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"  \S+( [^ ]+)*$", line):
            below = lines[number + 1]
            assert below.startswith(" " * 10) or re.match(r"    \w+ {2,}\w", below), line


def test_no_words_at_all_print_the_help(cli):
    assert cli().out == cli("--help").out


def test_main_is_for_programs(capsys):
    assert main(["--help"]) == 0
    assert main(["list", "--help"]) == 0
    assert main(["list", "tiers"]) == 0
    assert "mobile" in capsys.readouterr().out
    assert main(["list", "tears"]) == 2
    assert (
        capsys.readouterr().err == "edgebench: no kind is called 'tears'; did you mean 'tiers'?\n"
    )


def test_the_script_and_the_module_are_the_same(cli):
    script = Path(sys.executable).with_name("edgebench")
    done = subprocess.run([script, "list", "tiers"], capture_output=True, text=True, check=True)
    assert done.stdout == cli("list", "tiers").out


@pytest.mark.parametrize(
    "words",
    [
        ("--json", "--plugin", "TOY", "list", "models"),
        ("list", "--json", "models", "--plugin", "TOY"),
        ("list", "models", "--plugin", "TOY", "--json"),
        ("--plugin=TOY", "list", "models", "--json"),
    ],
)
def test_common_options_stand_before_or_after_the_name(here, toy, words):
    said = here(*(word.replace("TOY", str(toy)) for word in words))
    assert "toy" in [row["name"] for row in said.json["models"]]


def test_commands_are_modules_that_declare_and_run():
    for name in COMMANDS:
        command = import_command(name)
        assert callable(command.configure)
        assert callable(command.run)


@pytest.fixture
def loaded_by(python, tmp_path, monkeypatch):
    """Return the modules that a command has imported when it ends, and what it compiled.

    Its cache is empty at first: nothing has been listed before.
    """
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "cache"))
    probe = """
        import sys
        sources = []
        sys.addaudithook(lambda event, of: sources.append(of[1]) if event == "compile" else None)
        from edgebench.cli import main
        main(sys.argv[1:])
        sys.stderr.write(" ".join(sys.modules) + "\\n" + str(sources.count("<unknown>")))
        """

    def run(*words):
        modules, parsed = python(probe, *words).stderr.splitlines()
        return set(modules.split()), int(parsed)

    return run


HEAVY = {"numpy", "torch", "onnx", "onnxruntime", "openvino", "sklearn", "PIL", "scipy", "zmq",
         "cattrs", "sqlite3"}  # fmt: skip


@pytest.mark.parametrize("words", [("--help",), ("list",), ("plan", "--help"), ("list", "--json")])
def test_looking_imports_no_framework_and_no_numpy(loaded_by, words):
    modules, _ = loaded_by(*words)
    assert "edgebench.cli" in modules
    assert HEAVY.isdisjoint(modules)


def test_the_help_of_what_measures_imports_nothing_that_does(loaded_by):
    modules, _ = loaded_by("run", "--help")
    assert (HEAVY - {"sqlite3"}).isdisjoint(modules)
    assert "edgebench.conduct.execute" not in modules


def test_only_the_command_that_is_named_is_imported(loaded_by):
    modules, _ = loaded_by("list", "tiers", "--json")
    own = {name for name in modules if name.startswith("edgebench.cli.")}
    needed = ("common", "describe", "kinds", "list_", "needs", "pages", "printing", "survey")
    assert own == {f"edgebench.cli.{name}" for name in needed}
    assert "rich" not in modules


def test_what_was_listed_before_is_listed_without_a_plugin(loaded_by):
    first, _ = loaded_by("list")
    again, _ = loaded_by("list")
    assert "edgebench_plugins.backends.torch" in first
    assert not {name for name in again if name.startswith(("edgebench_plugins", "rich"))}


@pytest.mark.parametrize("words", [("list",), ("plugins", "list")])
def test_listing_reads_no_source_of_a_plugin(loaded_by, words):
    """Sources are parsed for the keys of what is prepared; that takes longer than all the rest."""
    _, parsed = loaded_by(*words)
    assert parsed == 0


# --- terminals -----------------------------------------------------------------------------------


def on_a_terminal(*words, **env):
    """Run a command with a terminal for its output, and return what it wrote there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "edgebench", *map(str, words)],
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
        env={**os.environ, "TERM": "xterm-256color", **env},
    )
    os.close(theirs)
    written = b""
    try:
        while part := os.read(ours, 65536):
            written += part
    except OSError:
        pass  # Linux says so when the other end of a terminal is closed.
    os.close(ours)
    assert process.wait(60) == 0
    return written.decode()


COLOUR = re.compile(r"\x1b\[[\d;]*(3[0-7]|38|9[0-7])[\d;]*m")


@pytest.fixture
def lacking(tmp_path):
    """A registry in which something is known and not installed, which is shown in colour."""
    return a_lack(tmp_path)


def a_lack(tmp_path):
    path = tmp_path / "lacking.toml"
    path.write_text(
        '[plugins.absent]\nkind = "backend"\nmodule = "absent"\noffers = ["absent"]\n'
        'requires = ["nothing_like_it"]\ninstall = "pip install absent"\n'
    )
    return path


def test_colour_is_for_terminals_that_want_it(cli, lacking):
    words = ("list", "backends", "--registry", lacking)
    assert COLOUR.search(on_a_terminal(*words))
    assert not COLOUR.search(on_a_terminal(*words, NO_COLOR="1"))
    assert ESCAPE not in cli(*words).out


def test_a_pipe_gets_no_escape_codes_and_no_bars(cli, measured):
    said = cli("report", "--db", measured.db)
    assert "toy-round" in said.out
    assert ESCAPE not in said.out + said.err + measured.err
    assert "\r" not in measured.err


@pytest.mark.process
def test_a_terminal_sees_progress_and_then_the_report(toy, one, tmp_path):
    shown = on_a_terminal("run", *one, "--plugin", toy, "--db", tmp_path / "r.db")
    assert "prepare" in shown
    assert "measure" in shown
    quiet = on_a_terminal("run", *one, "--plugin", toy, "--db", tmp_path / "r.db", "--quiet")
    assert "prepare" not in quiet
    assert "toy:small" in quiet


@pytest.mark.process
def test_a_reader_that_has_seen_enough_is_no_error(toy):
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "edgebench", "list", "--json", "--plugin", str(toy)],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    os.close(reading)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


# --- commands that only look, for people ---------------------------------------------------------


def test_list_shows_every_kind_with_where_it_comes_from(cli, toy, lacking):
    said = cli("list", "--plugin", toy, "--registry", lacking, COLUMNS="200")
    for title in ("models", "variants", "datasets", "operators", "hybrids", "tiers", "links",
                  "fabrics", "backends", "suites", "plugins"):  # fmt: skip
        assert re.search(rf"^{title} *$", said.out, re.MULTILINE)
    assert re.search(r"toy +small \(24\) +One matrix\. +toy", said.out)
    assert re.search(r"absent +absent needs the package 'nothing_like_it': pip install absent",
                     said.out)  # fmt: skip
    assert re.search(r"mobile-edge +200 Mbit/s +0 ms", said.out)
    assert re.search(r"vgg +model vgg +edgebench \d", said.out)


def test_list_says_nothing_of_the_inputs_of_what_cannot_be_imported(cli, lacking):
    lacking.write_text(lacking.read_text().replace('"backend"', '"dataset"'))
    said = cli("list", "datasets", "--registry", lacking, COLUMNS="200")
    assert re.search(r"absent +absent needs the package", said.out)
    assert re.search(r"digit-photos +made here", said.out)


def test_show_writes_units_beside_values(here):
    assert re.search(r"memory GiB +4\b", here("show", "tier", "mobile").out)
    link = here("show", "link", "edge-mobile").out
    assert re.search(r"rate Mbit/s +200\b", link)
    assert re.search(r"delay ms +0\b", link)


def test_show_of_a_suite_shows_its_products(cli):
    said = cli("show", "suite", "quickstart", COLUMNS="160").out
    assert re.search(r"models +operators +placements +backends", said)
    assert re.search(r"resnet:small, vgg:small +identity, sptq +mobile, edge, cloud", said)


def test_show_of_a_model_gives_each_size_its_own_lines(cli):
    """A column for each of their many facts would leave none of them room for a word."""
    said = cli("show", "model", "resnet").out
    assert re.search(r"^variant wide101\b", said, re.MULTILINE)
    assert re.search(r"^ parameters +126,886,696 *$", said, re.MULTILINE)
    tiny = re.search(r"^variant tiny\b.*?(?=^variant)", said, re.MULTILINE | re.DOTALL)[0]
    assert "student" not in tiny


def test_plan_explains_what_is_left_out(cli):
    said = cli("plan", "--model", "vgg", "--operator", "sptq", "--backend", "torch",
               "--backend", "onnxruntime", COLUMNS="200").out  # fmt: skip
    assert (
        "1 case to measure, 1 case skipped; 5 blocks a case, 100 requests a block, or 5 s;" in said
    )
    assert re.search(r"vgg:small +sptq +mobile +torch +no converter from onnx to torch-program",
                     said)  # fmt: skip


def test_plan_takes_its_estimate_from_what_was_measured(here, toy, measured):
    words = ("plan", "--json", "--plugin", toy, "--model", "toy", "--backend", "toy-numpy")
    assert here(*words).json["estimate_from"] == "2 s a block are assumed"
    assert (
        here(*words, "--db", measured.db).json["estimate_from"] == "as 1 of 1 were measured before"
    )


@pytest.mark.process
def test_plan_says_what_preparing_and_scoring_took_and_that_what_is_kept_takes_nothing(
    here, toy, one, tmp_path, monkeypatch
):
    monkeypatch.setenv("EDGEBENCH_STORE", str(tmp_path / "store"))
    words = ("--plugin", toy, *one, "--db", "own.db")
    unknown = "preparing and scoring come on top, not known before the first run: 1 case on "
    assert f"{unknown}all test samples, which" in " ".join(here("plan", *words).out.split())
    limited = here("plan", *words, "--score-limit", "7").out
    assert f"{unknown}7 test samples at most, which" in " ".join(limited.split())
    first = here("plan", "--json", *words).json
    assert (first["preparing_s"], first["scoring_s"], first["ready_cases"]) == (None, None, 0)
    for _ in range(2):
        assert here("run", *words).status == 0
    kept = here("plan", "--json", *words).json
    assert (kept["preparing_s"], kept["scoring_s"], kept["ready_cases"]) == (0, 0, 1)
    shutil.rmtree(tmp_path / "store")
    again = here("plan", "--json", *words).json
    assert 0 < again["scoring_s"] < 60
    assert 0 < again["preparing_s"] < 60
    # The second run found both, so that the first tells.
    with closing(sqlite3.connect("own.db")) as db:
        took = [json.loads(facts) for (facts,) in db.execute("SELECT facts FROM cases")]
    assert again["preparing_s"] == max(facts["preparing_s"] for facts in took)
    assert again["scoring_s"] == max(facts["scoring_s"] for facts in took)
    said = " ".join(here("plan", *words).out.split())
    assert f"scoring about {again['scoring_s']:.0f} s come on top (as 1 of the cases" in said


def test_reports_are_found_by_the_beginning_of_a_run_and_written_to_files(here, measured, tmp_path):
    run = measured.document["run"]
    shown = here("report", run[:-1], "--db", measured.db)
    assert (shown.status, shown.err) == (0, "")
    assert f"run {run}" in shown.out
    said = here("report", run, "--db", measured.db, "-o", "report.txt")
    assert (said.status, said.out) == (0, "")
    assert "toy-round" in (tmp_path / "report.txt").read_text()
    said = here("report", "--format", "json", "--output", "report.json", "--db", measured.db)
    assert f'"run": "{run}"' in (tmp_path / "report.json").read_text()


def test_a_report_groups_its_doubts_and_verbose_lists_them(here, measured):
    doubt = "1 block: at least 3 are needed to see what differs between processes"
    doubted = [case for case in measured.document["cases"] if doubt in case["doubts"]]
    brief = " ".join(here("report", "--db", measured.db).out.split())
    assert f"blocks: {len(doubted)} of " in brief
    assert brief.count(doubt) == 1
    assert brief.endswith(measured.document["decisions"][-1]["sentence"])
    whole = here("report", "--verbose", "--db", measured.db).out
    assert whole.count(f"\n  {doubt}\n") == len(doubted) > 1


def test_plugins_list_ends_with_1_if_one_is_faulty(cli, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("raise RuntimeError('no luck today')\n")
    said = cli("plugins", "list", "--plugin", broken, COLUMNS="200")
    assert said.status == 1
    assert re.search(r"broken +faulty +does not load: RuntimeError: no luck today", said.out)
    assert cli("plugins", "list").status == 0


def test_doctor_says_what_is_missing_and_ends_with_1_if_nothing_runs(cli, lacking, tmp_path):
    said = cli("doctor", "--registry", lacking, COLUMNS="200")
    assert re.search(r"integer_instructions +[\w, ]+ *$", said.out, re.MULTILINE)
    assert said.status == 0
    for title in ("this machine", "backends", "fabrics", "missing"):
        assert re.search(rf"^{title} *$", said.out, re.MULTILINE)
    assert "absent needs the package 'nothing_like_it': pip install absent" in said.out
    assert re.search(r"noise +the same work takes [\d.]+ times its median", said.out)
    shipped = [row.name for row in Registry.read().plugins.values() if "backend" in row.offers]
    without = [word for name in shipped for word in ("--without", name)]
    assert cli("doctor", *without).status == 1


BOARD = """
import edgebench as eb

def usable(facts, device):
    if device == "pcie.1" and facts.tier != "edge":
        return "no slot"
    return "no driver" if device == "pcie.0" else True

@eb.hookimpl
def edgebench_backends():
    yield eb.Backend(name="board", summary="A board.", open=print, formats=["board-file"],
                     usable=usable, devices=lambda: ["sim", "pcie.0", "pcie.1"])
    yield eb.Backend(name="away", summary="A server.", open=print, formats=["board-file"],
                     loads=False)
"""


def test_doctor_says_which_devices_are_not_usable_and_what_needs_to_be_told_where(cli, tmp_path):
    tmp_path.joinpath("board.py").write_text(BOARD)
    said = cli("doctor", "--plugin", tmp_path / "board.py", "--json")
    found = {one["name"]: one for one in said.json["backends"]}
    assert found["board"]["usable"]
    first, *others = found["board"]["why_not"].split("; ")
    assert first == "not pcie.0: no driver"
    assert "not pcie.1 on mobile: no slot" in others
    assert "not pcie.1 on edge: no slot" not in others
    assert found["away"]["usable"]
    assert found["away"]["why_not"] == (
        "what it runs is loaded elsewhere: its options say where (edgebench show backend away)"
    )


def test_verbose_shows_the_traceback_of_a_mistake(here, tmp_path):
    said = here("report", "--verbose")
    assert said.status == 2
    assert "Traceback (most recent call last)" in said.err
    assert said.err.splitlines()[-1].startswith("edgebench: there are no results in edgebench.db")
