"""The README is true: its session is run, and what it shows is what comes out.

`python tests/cli/test_readme.py` writes the session's output anew, for a reader to check.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from itertools import zip_longest
from pathlib import Path

import pytest

from edgebench import Model, Operator, Weights
from edgebench.catalogue.plugins import Plugins

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = "$ edgebench "


def commands(text):
    """Return every command of the README with the output that is shown below it."""
    found = []
    for language, body in BLOCK.findall(text):
        if language == "console":
            for line in body.splitlines():
                if line.startswith(PROMPT):
                    found.append((line.removeprefix("$ "), []))
                else:
                    found[-1][1].append(line)
    return [(command, "\n".join(lines)) for command, lines in found]


def plugin_file(text):
    return next(body for language, body in BLOCK.findall(text) if language == "python")


def ran(command, directory):
    """Return what a command prints, as it stands in the README."""
    words = [sys.executable, "-m", *shlex.split(command)]
    # Some libraries write a width into the environment that processes get if none is given.
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=directory, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    return "\n".join(line.rstrip() for line in done.stdout.rstrip().splitlines())


VARYING = (
    # What a busy machine makes doubtful, who wins by how much, and what this machine can enforce.
    (r"(?s)Reasons to doubt\n.*?(\n\n|\Z)", ""),
    (r"(?s)(Answer\nvgg:small: ).*", r"\1..."),
    (r"(?s)(How tiers and links were made)\n.*?\n\n", r"\1\n\n"),
    (r"\b\d{8}-\d{6}(-\d+)?\b", "RUN"),
    (r"(, run RUN, .* cases, on ).*", r"\1PROCESSOR"),
    (r"(mobile|edge|cloud)\*", r"\1"),
    (r"[>=?] (?=\d)", ""),
    (r"[-+]?\d+(\.\d+)?", "N"),
)


def steady(command, output):
    """Return the lines of an output without what legitimately varies.

    Rows are in order of latency, so their order varies too.
    """
    if command.startswith("edgebench run "):
        for pattern, instead in VARYING:
            output = re.sub(pattern, instead, output)
    return sorted(" ".join(line.split()) for line in output.splitlines() if line.strip())


@pytest.mark.process
def test_the_session_prints_what_the_readme_shows(tmp_path):
    text = README.read_text()
    (tmp_path / "sparsify.py").write_text(plugin_file(text))
    shown = commands(text)
    assert {command.split()[1] for command, _ in shown} >= {"list", "plan", "run", "report"}
    for command, output in shown:
        printed = ran(command, tmp_path)
        for ours, theirs in zip_longest(steady(command, output), steady(command, printed)):
            assert ours == theirs, f"$ {command}\n{printed}"
    assert '"schema": 6' in (tmp_path / "results.json").read_text()


def test_a_renamed_column_option_or_operator_would_be_seen():
    command, output = next(one for one in commands(README.read_text()) if " run " in one[0])
    for word in ("strategy", "median", "identity", "sptq", "onnxruntime", "vgg:small", "harness"):
        assert steady(command, output.replace(word, "other")) != steady(command, output), word


@pytest.mark.process
def test_the_plugin_of_the_readme_works(registry, tmp_path):
    (tmp_path / "sparsify.py").write_text(plugin_file(README.read_text()))
    plugins = Plugins.load(registry, [tmp_path / "sparsify.py"])
    pipeline = plugins.get(Model, "vgg").build("small", Weights(kind="random", seed=0))
    before = [weights.clone() for weights in pipeline.stages[0].live.parameters()]
    (stage,) = plugins.get(Operator, "sparsify").apply(pipeline, None).stages
    after = pipeline.stages[0].live.parameters()
    assert all((one == other).all() for one, other in zip(before, after, strict=True))
    matrices = [weights for weights in stage.live.parameters() if weights.ndim > 1]
    assert len(matrices) > 5
    assert all(0.45 < float((one == 0).float().mean()) < 0.51 for one in matrices)


@pytest.mark.parametrize(
    "name", re.findall(r"`(docs/[\w.]+|registry\.toml|plugins/)`", README.read_text())
)
def test_what_it_points_to_is_there(name):
    assert (README.parent / name).exists()


def test_it_is_short_and_its_make_targets_are_real():
    text = README.read_text()
    written = BLOCK.sub(lambda block: "" if block[1] == "console" else block[0], text)
    assert len(written.splitlines()) <= 70
    targets = re.findall(r"^make (\w+)", text, re.MULTILINE)
    assert targets == ["demo", "test"]
    rules = README.with_name("Makefile").read_text()
    assert all(f"\n{target}:" in rules for target in targets)


def write_anew():
    """Put what the commands print now into the README."""
    text = README.read_text()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "sparsify.py").write_text(plugin_file(text))

        def body(match):
            if match[1] != "console":
                return match[0]
            lines = []
            for command, _ in commands(match[0]):
                lines += [f"$ {command}", *ran(command, directory).splitlines()]
            return "```console\n" + "\n".join(line for line in lines) + "\n```"

        README.write_text(BLOCK.sub(body, text))


if __name__ == "__main__":
    write_anew()
