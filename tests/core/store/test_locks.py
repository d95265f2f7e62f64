from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import textwrap

import pytest

from edgebench.store.locks import Held, hold_lock

HOLDER = """
    import sys
    from pathlib import Path
    from edgebench.store.locks import hold_lock

    with hold_lock(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.readline()
"""
COUNTER = """
    import sys
    from pathlib import Path
    from edgebench.store.locks import hold_lock

    lock, counter = map(Path, sys.argv[1:])
    for _ in range(200):
        with hold_lock(lock):
            counter.write_text(str(int(counter.read_text()) + 1))
"""


def start(program, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "lock"


@pytest.mark.process
def test_a_lock_says_who_holds_it_and_leaves_nothing_behind(lock):
    with start(HOLDER, lock) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Held, match=str(holder.pid)), hold_lock(lock, wait=False):
            pass
        holder.communicate("go on\n")
    with hold_lock(lock, wait=False):
        assert lock.read_text() == f"{os.getpid()}\n"
    assert not lock.exists()


@pytest.mark.process
def test_who_waits_gets_the_lock_when_its_holder_is_killed(lock):
    with start(HOLDER, lock) as holder:
        assert holder.stdout.readline() == "held\n"
        with start(HOLDER, lock) as waiting:
            holder.kill()
            assert waiting.stdout.readline() == "held\n"
            waiting.communicate("go on\n")
    assert not lock.exists()


@pytest.mark.process
def test_no_two_processes_hold_a_lock_that_each_of_them_removes(lock, tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    counting = [start(COUNTER, lock, counter) for _ in range(3)]
    for one in counting:
        one.communicate()
        assert one.returncode == 0
    assert counter.read_text() == "600"
    assert not lock.exists()


def test_a_lock_is_let_go_when_the_body_raises(lock):
    with pytest.raises(RuntimeError), hold_lock(lock):
        raise RuntimeError
    with hold_lock(lock, wait=False):
        pass


def test_a_file_that_was_left_behind_is_no_lock(lock):
    lock.write_text("12345\n")
    with hold_lock(lock, wait=False):
        assert lock.read_text() == f"{os.getpid()}\n"
    assert not lock.exists()


def test_a_lock_is_not_held_by_what_was_removed(lock, monkeypatch):
    """The last owner removes the file between our opening it and our locking it."""
    real, seen = fcntl.flock, []

    def flock(descriptor, how):
        if not seen:
            lock.unlink()
        seen.append(os.fstat(descriptor).st_ino)
        real(descriptor, how)

    monkeypatch.setattr("edgebench.store.locks.fcntl.flock", flock)
    with hold_lock(lock, wait=False):
        assert len(seen) == 2
        assert lock.stat().st_ino == seen[-1]
        assert re.fullmatch(r"\d+\n", lock.read_text())


def test_the_lock_of_another_is_not_removed(lock):
    """Somebody removes our file by hand, and another process makes and locks its own."""
    with hold_lock(lock):
        lock.unlink()
        lock.write_text("another\n")
    assert lock.read_text() == "another\n"


def test_a_lock_that_cannot_be_made_says_so(tmp_path):
    with pytest.raises(FileNotFoundError), hold_lock(tmp_path / "none" / "lock"):
        pass
