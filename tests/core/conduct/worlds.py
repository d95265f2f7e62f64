"""Strangers' files that misbehave or tell what they do, and how to look at a run while it lasts."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil

HOST = "edgebench.measure.station.host"

# A backend that leaves word of where it runs, and does as a file beside it says.
HELD = """
    import os, pathlib, time
    from contextlib import contextmanager
    from edgebench import Backend, hookimpl

    HERE = pathlib.Path(__file__).parent

    class Session:
        def __init__(self, matrix, stage):
            self.matrix, self.read = matrix, stage.inputs[0].inside
            self.names = [spec.inside for spec in stage.outputs]

        def run(self, inputs):
            if (HERE / "hold").exists():
                (HERE / "holding").write_text(str(os.getpid()))
                while (HERE / "hold").exists():
                    time.sleep(0.05)
            return {name: inputs[self.read] @ self.matrix for name in self.names}

    @contextmanager
    def open_held(stage, device, threads, options):
        import numpy as np
        yield Session(np.load(stage.file), stage)

    @hookimpl
    def edgebench_block_finished(case, block):
        with (HERE / "finished").open("a") as finished:
            finished.write(f"{case.id} {block.number} {block.status}\\n")
        if (HERE / "hold-after").exists():
            wanted = int((HERE / "hold-after").read_text())
            if len((HERE / "finished").read_text().splitlines()) == wanted:
                (HERE / "hold").touch()

    @hookimpl
    def edgebench_backends():
        yield Backend(name="held", summary="Waits.", open=open_held, formats=["toy-matrix"])
"""

# A backend that compiles, and notes beside its file each time that it does.
COMPILING = """
    import attrs, pathlib, shutil, sys
    from edgebench import Backend, hookimpl

    def versions():
        # The process that compiles asks once for each stage: what it keeps is kept by versions.
        if pathlib.Path(sys.argv[0]).name == "compiler.py":
            with pathlib.Path(__file__).with_name("notes").open("a") as notes:
                notes.write("compiled\\n")
        return {}

    def compiled(stage, device, threads, options, directory):
        shutil.copy(stage.file, directory / "matrix.npy")
        (directory / "threads").write_text(str(threads))
        return attrs.evolve(stage, directory=directory, files=["matrix.npy", "threads"])

    @hookimpl
    def edgebench_backends():
        toy = sys.modules["edgebench_file_toy"]
        yield Backend(name="compiling", summary="Compiles.", open=toy.open_session,
                      compile=compiled, versions=versions, formats=["toy-matrix"])
"""


def begin(toy: Path, place: Path, plugin: Path, *words: str) -> subprocess.Popen[str]:
    """Start a run as a user does, and return it while it lasts."""
    argv = [sys.executable, "-m", "edgebench", "run", "--plugin", toy, "--plugin", plugin]
    return subprocess.Popen(
        [*map(str, argv), *words, "--json"],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def hosts(controller: int) -> list[psutil.Process]:
    """The hosts that a run has started."""
    below = psutil.Process(controller).children(recursive=True)
    return [process for process in below if HOST in process.cmdline()]


def blocks(db: Path) -> list[tuple[int, str, int, str, str, int]]:
    """What the database holds of blocks, in the order in which they were kept."""
    with closing(sqlite3.connect(db)) as connection:
        query = 'SELECT id, case_id, number, status, started, "order" FROM blocks ORDER BY id'
        return connection.execute(query).fetchall()
