"""What a shell completes, asked of a real one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edgebench.cli import COMMANDS

ASK = """
edgebench() { "$PYTHON" -m edgebench "$@"; }
eval "$(edgebench completion bash)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_edgebench
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def completed(process, tmp_path):
    def ask(*words):
        said = subprocess.run(
            ["bash", "-c", ASK, "bash", "edgebench", *words],  # noqa: S607 (whichever is used)
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHON": sys.executable},
        )
        assert said.stderr == ""
        return set(said.stdout.split())

    return ask


def test_the_commands_are_completed(completed):
    assert completed("") >= {*COMMANDS, "--json", "--help"}
    assert completed("re") == {"recommend", "report"}


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (("run", "--mo"), {"--model"}),
        (("--json", "report", "--fo"), {"--format"}),
        (("list", "model"), {"models"}),
        (("show", "oper"), {"operator"}),
        (("show", "operator", "spt"), {"sptq"}),
        (("plan", "quick"), {"quickstart"}),
        (("plan", "--operator", "part"), {"partition"}),
        (("store", "g"), {"gc"}),
        (("run", "--seed", ""), set()),
    ],
)
def test_options_and_names_are_completed(completed, words, some):
    assert completed(*words) == some


def test_files_are_completed_where_files_are_wanted(completed, tmp_path):
    (tmp_path / "mine.db").touch()
    assert completed("report", "--db", "mi") == {"mine.db"}


def test_the_document_holds_the_script(here, conforms):
    document = conforms(here("completion", "bash", "--json").json, "completion")
    assert document["script"] == here("completion", "bash").out
