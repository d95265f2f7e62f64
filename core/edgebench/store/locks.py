"""Locks between processes: a file beside what is locked, removed by whoever held it last."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Held(Exception):
    """Another process holds the lock; the message is its number, or `unknown`."""


@contextmanager
def hold_lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock that the file at *path* stands for; its directory must be there.

    The kernel lets the lock go with the process, however it ends; a file that is left behind then
    is harmless, and removed by the next who held the lock.

    Raises:
        Held: Another process holds it, and *wait* is not set.
        OSError: The file cannot be made.
    """
    descriptor = _lock(path, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        # Removed while it is locked: who waits for it finds that out by `_is_at`, and asks again.
        with suppress(OSError):
            if _is_at(path, descriptor):
                path.unlink()
        os.close(descriptor)


def remove_unheld(directory: Path) -> None:
    """Remove the files of locks that nobody holds: kills leave them behind."""
    for path in directory.glob("*"):
        # What this user may not remove, as in a store that is only to be read, harms nobody.
        with suppress(Held, OSError), hold_lock(path, wait=False):
            pass


def _lock(path: Path, how: int) -> int:
    """Return a descriptor of the lock's file with the lock held."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, how)
            # Its last owner may have removed the file between our opening it and our lock.
            if _is_at(path, descriptor):
                return descriptor
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode().strip() or "unknown"
            os.close(descriptor)
            raise Held(owner) from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
