"""Processes and directories that must not outlive the process that they were made for.

What is made carries its owner: directories in their names, processes in a variable of their
environment, which all that they start inherits. So nothing is lost sight of, whatever session or
parent it gives itself, and a later run finds what one that was killed could not end or remove.
"""

from __future__ import annotations

import functools
import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

MARK = "EDGEBENCH_OWNER"
"""The variable that marks a process: its owner, a slash, and what else tells it from others."""
SAFE = {"PYTHONSAFEPATH": "1"}
"""What keeps a process from modules of the working directory, and `python -c` that its libraries
start: what `-P` says is not passed on."""


def identify_owner() -> str:
    """Return what tells this process from any other: where it runs, its number, its start."""
    return f"{_identify_place()}-{os.getpid()}-{_read_start(os.getpid())}"


def is_gone(owner: str) -> bool:
    """Say whether an owner is gone for sure: one of elsewhere or another boot may live on."""
    place, _, number = owner.partition("-")
    if place != _identify_place():
        return False
    pid, _, start = number.partition("-")
    return _read_start(int(pid)) != start


def end_marked(meant: Callable[[str], bool], variable: str = MARK) -> None:
    """Kill every process here whose mark is meant, in whatever group or session it is."""
    ended: set[str] = set()
    while new := {entry.name for entry in _list_processes() if _end(entry, meant, variable)}:
        # One that was just about to start another is found out in the next round.
        if new <= ended:
            return
        ended |= new


def find_marked(meant: Callable[[str], bool], variable: str = MARK) -> list[int]:
    """Return the processes here whose mark is meant; of one that has ended nothing can be read."""
    return [int(entry.name) for entry in _list_processes() if _is_meant(entry, meant, variable)]


def _list_processes() -> Iterator[Path]:
    return Path("/proc").glob("[0-9]*")


def _is_meant(entry: Path, meant: Callable[[str], bool], variable: str) -> bool:
    """Say whether the process of an entry of /proc has a mark that is meant."""
    # Others' processes cannot be read, and any may end meanwhile.
    with suppress(OSError):
        variables = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
        marks = [one.partition("=")[2] for one in variables if one.startswith(f"{variable}=")]
        return bool(marks) and meant(marks[0])
    return False


def _end(entry: Path, meant: Callable[[str], bool], variable: str) -> bool:
    """Kill the process of an entry of /proc if its mark is meant, and say whether it was."""
    # Any may end meanwhile; its number is then not reused.
    with suppress(OSError):
        pidfd = os.pidfd_open(int(entry.name))
        try:
            if _is_meant(entry, meant, variable):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                return True
        finally:
            os.close(pidfd)
    return False


@functools.cache
def _identify_place() -> str:
    """Return what tells this boot of this machine, and container, from others."""
    # The initial namespace of every machine has one and the same number.
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    space = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - what it is, not what it links to
    return hashlib.sha256(f"{boot}{space}".encode()).hexdigest()[:8]


def _read_start(pid: int) -> str:
    """Return when a process started, in ticks since the boot; empty where there is none."""
    try:
        # Its name, in brackets, may hold anything.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
