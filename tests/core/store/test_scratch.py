"""Scratch directories: whose they are, where they may lie, when they go."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edgebench.parts.errors import EdgebenchError
from edgebench.store import scratch
from edgebench.store.owners import identify_owner, is_gone
from edgebench.store.scratch import find_short_place, open_scratch, remove_leftovers

KILLED = """
import os, signal
from edgebench.store.scratch import open_scratch
with open_scratch() as made:
    (made / "file").write_text("x")
    print(made, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_scratch_directory_is_ours_alone_and_goes(place):
    with open_scratch() as made:
        assert made.stat().st_mode & 0o777 == 0o700
        assert identify_owner() in made.name
        remove_leftovers(place, scratch.PREFIX)
        assert made.exists()
    assert list(place.iterdir()) == []


@pytest.mark.process
def test_what_a_killed_process_left_is_removed(place):
    env = {**os.environ, "TMPDIR": str(place)}
    said = subprocess.run([sys.executable, "-c", KILLED], env=env, check=False, capture_output=True)
    left = Path(said.stdout.decode().strip())
    assert (left / "file").exists()
    remove_leftovers(place, scratch.PREFIX)
    assert list(place.iterdir()) == []


def test_what_others_made_is_left_alone(place):
    here, pid, start = identify_owner().split("-")
    names = {
        f"edgebench-{here}-{pid}-{start}-mine": True,
        f"edgebench-{here}-{pid}-1{start}-before-me": False,
        f"edgebench-00000000-{pid}-1-elsewhere": True,
        "edgebench-notes": True,
        f"other-{here}-{pid}-1-x": True,
    }
    for name in names:
        (place / name).mkdir()
    remove_leftovers(place, scratch.PREFIX)
    assert {name: (place / name).exists() for name in names} == names


@pytest.mark.parametrize("garbled", ["", "x", "00000000-1-1"])
def test_nobody_elsewhere_is_known_to_be_gone(garbled):
    assert not is_gone(garbled)


def test_sockets_get_a_short_path_or_one_line(place, monkeypatch):
    long = place.joinpath(*["a" * 30] * 3)
    long.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    assert len(str(find_short_place())) < 20
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(EdgebenchError, match="too long a path for sockets.*set TMPDIR to a short"):
        find_short_place()
