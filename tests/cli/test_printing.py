"""What is printed: no control character reaches a terminal, and what cannot be printed is said."""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

import edgebench.cli
from edgebench.cli.printing import escape_controls, make_console, print_error
from edgebench.records.database import Database

RAW = re.compile(r"(?!\n|\t|\r\n)[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HOSTILE = "a\x1b[31mb\x1b]0;c\x07d\x9be\x00f\rg\x7fh\u202ei\u2066j"


@given(st.text())
def test_a_text_is_printable_and_loses_nothing(text):
    shown = escape_controls(text)
    assert not RAW.search(shown)
    shown.encode()
    assert escape_controls(shown) == shown
    printable = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", "", text)
    assert [one for one in printable if one not in shown] == []


@pytest.mark.parametrize("text", ["", "a\tb\nc\r\nd", "größer → 模型 🙂", "[bold]brackets[/]"])
def test_other_texts_stay_as_they_are(text):
    assert escape_controls(text) == text


def table(text: str) -> Table:
    laid = Table("plain", text)
    laid.add_row(text, Text(text, style="bold"))
    return laid


@pytest.mark.parametrize("laid", [Text(HOSTILE), HOSTILE, table(HOSTILE)], ids=type)
def test_whatever_is_laid_out_is_shown_and_not_done(laid):
    file = io.StringIO()
    make_console(file, width=200).print(laid)
    assert not RAW.search(file.getvalue())
    assert r"\x1b[31mb" in file.getvalue()


def test_colours_of_our_own_stay_colours():
    file = io.StringIO()
    make_console(file, force_terminal=True, color_system="standard").print(Text("x", style="red"))
    assert file.getvalue() == "\x1b[31mx\x1b[0m\n"


TOML = """
[tiers.bad]
summary = "a\\u001b[31mred\\u009b"
cpus = 1
memory_gib = 1
source = "b\\u001b]0;title\\u0007"
"""


@pytest.mark.parametrize(
    "words", [("list", "tiers"), ("show", "tier", "bad"), ("show", "tier", "\x1b[2Jbad")]
)
def test_a_file_of_a_stranger_does_nothing_to_the_terminal(here, tmp_path, words):
    (tmp_path / "bad.toml").write_text(TOML)
    said = here(*words, "--registry", "bad.toml")
    assert not RAW.search(said.out + said.err)
    assert r"\x1b[" in said.out + said.err


def test_what_processes_printed_is_shown_and_not_done(here, measured, tmp_path):
    db = shutil.copy(measured.db, tmp_path / "printed.db")
    case = measured.case("identity")["id"]
    with Database.open(db, write=True) as database:
        database.save_log(measured.document["run"], case, "preparing", HOSTILE)
    for words in (("logs", case), ("logs", case, "--json"), ("report",)):
        said = here(*words, "--db", db)
        assert not RAW.search(said.out + said.err)
    assert r"\x1b[31mb" in here("logs", case, "--db", db).out


def test_nothing_is_printed_past_the_one_place():
    written = [
        f"{path.name}:{node.lineno}"
        for path in Path(edgebench.cli.__file__).parent.glob("*.py")
        if path.name != "printing.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and re.search(r"\bstd(out|err)\.write$|^print$|\bConsole$", ast.unparse(node.func))
    ]
    assert written == []


# --- what cannot be printed ----------------------------------------------------------------------


def edgebench_to(out, err, *words):
    return subprocess.run(
        [sys.executable, "-m", "edgebench", *words], stdout=out, stderr=err, text=True, check=False
    )


@pytest.mark.parametrize(
    "words", [("list", "models"), ("list", "--json"), ("--help",), ("store", "path")]
)
def test_a_full_disk_is_said_in_one_line(process, words):
    with Path("/dev/full").open("w") as full:
        said = edgebench_to(full, subprocess.PIPE, *words)
    assert said.returncode == 2
    assert said.stderr.startswith("edgebench: standard output cannot be written: No space left")
    assert said.stderr.count("\n") == 1


def test_a_command_that_can_tell_nobody_still_ends_as_it_would(process):
    with Path("/dev/full").open("w") as full:
        assert edgebench_to(full, full, "list", "models").returncode == 2
        assert edgebench_to(subprocess.DEVNULL, full, "show", "model", "x").returncode == 2


@pytest.mark.parametrize("words", [("list",), ("list", "--json")])
def test_a_reader_that_has_seen_enough_is_no_failure(process, words):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        said = edgebench_to(gone, subprocess.PIPE, *words)
    assert (said.returncode, said.stderr) == (0, "")


class Interrupted(io.FileIO):
    """A file during whose first write a signal's handler prints too."""

    heard = False

    def write(self, data):
        if not self.heard:
            self.heard = True
            print_error("ending\n")
        return super().write(data)


def test_the_handler_of_a_signal_prints_while_something_is_printed(monkeypatch, tmp_path):
    path = tmp_path / "said"
    with io.TextIOWrapper(io.BufferedWriter(Interrupted(path, "w")), write_through=True) as error:
        monkeypatch.setattr(sys, "stderr", error)
        print_error("measured\n")
        monkeypatch.undo()
    assert sorted(path.read_text().splitlines()) == ["ending", "measured"]
