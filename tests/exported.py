"""Running what was exported where edgebench is not: each piece a process of its own, on loopback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

# Isolated: neither the working directory nor PYTHONPATH is looked at; and what an editable install
# would find all the same is refused by its name.
START = """
import runpy, sys

class Refusing:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in ("edgebench", "edgebench_kit", "edgebench_plugins", "zmq"):
            raise ModuleNotFoundError(f"{name} is not to be needed")

sys.meta_path.insert(0, Refusing)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def command(program, *arguments):
    """Return how a program is started where edgebench cannot be imported."""
    return [sys.executable, "-I", "-c", START, str(program), *map(str, arguments)]


@contextmanager
def listening(program, *arguments):
    """Start a piece that listens on a port that is free, and end it; its address is given."""
    words = command(program, "--listen", "127.0.0.1:0", *arguments)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        try:
            said = running.stdout.readline()
            yield re.fullmatch(r"listening on (127\.0\.0\.1:\d+)\n", said)[1]
        finally:
            running.kill()


def load(path):
    with np.load(path, allow_pickle=False) as held:
        return {name: held[name] for name in held.files}


def run_exported(directory, out, inputs=None, *, served=False):
    """Run all pieces of an export on its example, or on other tensors, and return the outputs.

    The first on a file, or *served* like the others, and sent to.
    """
    directory, inputs = Path(directory), inputs or directory / "input.npz"
    folders = [
        one["folder"] for one in json.loads((directory / "pipeline.json").read_text())["pieces"]
    ]
    with ExitStack() as stack:
        following = []
        for folder in reversed(folders[0 if served else 1 :]):
            address = stack.enter_context(listening(directory / folder / "piece.py", *following))
            following = ["--next", address]
        program = directory / folders[0] / "piece.py"
        how = ["--send", following[-1]] if served else following
        words = command(program, "--inputs", inputs, "--outputs", out, *how)
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, "PYTHONPATH": ""})  # fmt: skip
        assert done.returncode == 0, done.stderr
    return load(out)
