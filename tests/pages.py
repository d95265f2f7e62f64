"""Pages of the docs as sessions: the files that a page gives are written, its commands are run.

A block with a title (```` ```python title="mine.py" ````) is a file. In a console block `...` stands
for whatever is printed there, and `# exit status N` behind a command for how it ends. What commands
that measure print is compared without its numbers.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import attrs

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:.*\\\n)*.*")
"""A command, which goes on in the next line where one ends with a backslash."""
STATUS = re.compile(r"  # exit status (\d+)$")
STEADY = ("list", "show", "plan", "plugins")
"""The commands whose numbers are the same everywhere."""


@attrs.frozen
class Step:
    """A command of a page, how it ends, and what is shown below it."""

    command: str
    status: int
    shown: str


def find_files(page):
    """Return the files that a page gives, by name."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return {title: body for _, title, body in BLOCK.findall(text) if title}


def find_steps(page):
    """Return the commands of a page, in order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    sessions = "".join(body for language, _, body in BLOCK.findall(text) if language == "console")
    for block in re.split(r"^\$ ", sessions, flags=re.MULTILINE)[1:]:
        line = COMMAND.match(block)[0]
        shown = block.removeprefix(line)
        ends = STATUS.search(line)
        command = STATUS.sub("", line).replace("\\\n", "")
        yield Step(command, int(ends[1]) if ends else 0, shown)


def write_files(page, directory):
    for name, body in find_files(page).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")


def run(step, directory, *, errors_last=True):
    """Run a command in a directory, and return what it prints, its errors where they come or last."""
    program, *words = shlex.split(step.command)
    words = [find_case(directory) if word == "CASE" else word for word in words]
    known = {"edgebench": ["-m", "edgebench"], "python": []}
    # Some libraries write a width into the environment that processes get if none is given.
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run(
        [sys.executable, *known[program], *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if errors_last else subprocess.STDOUT,
        text=True,
        cwd=directory,
        env=env,
        check=False,
    )
    printed = done.stdout + (done.stderr or "")
    assert done.returncode == step.status, f"$ {step.command}\n{printed}"
    return printed


def find_case(directory):
    """Return the id of the first case of the last run that was measured, for a page's CASE."""
    report = Step("edgebench report --json", 0, "")
    cases = json.loads(run(report, directory))["cases"]
    return next(case["id"] for case in cases if case["status"] == "ok")


def find_missing(step, printed):
    """Return the first part of what is shown that is not printed after the part before it."""
    steady = step.command.split()[1] in STEADY
    rest = _level(printed, steady=steady)
    for part in re.split(r"\.\.\.", step.shown):
        wanted = _level(part, steady=steady)
        _, found, after = rest.partition(wanted or " ")
        rest = after if wanted else rest
        if wanted and not found:
            return f"$ {step.command}\n{part}\nis not in what is printed:\n{printed}"
    return None


def _level(text, *, steady):
    """Return a text whose spaces and lines are one, without what varies from run to run."""
    if not steady:
        text = re.sub(r"[-+]?\d+(\.\d+)?", "N", text)
    # Ids of cases follow from where a file lies, and rulers from the widest row.
    text = re.sub(r"\b[0-9a-f]{8}\b", "ID", text)
    return " ".join(re.sub("─+", "─", text).split())
