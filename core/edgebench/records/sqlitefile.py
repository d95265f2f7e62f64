"""The file that results live in: who may write it, whose it is, and what SQLite says of it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgebench.parts.errors import DatabaseError
from edgebench.records.rows import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION = int.from_bytes(b"edgb", "big")
"""What SQLite's header says the file is."""
VERSION = 1
"""The version of the tables that this edgebench reads and writes."""


@contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Hold the only right to write, by a lock on a file beside the database.

    Not on the database itself: closing any descriptor of that would drop the locks that SQLite
    holds in this process, and a reader must be free to open it. The kernel lets the lock go with
    the process, however it ends; a file that is left behind is harmless.
    """
    lock = path.with_name(f"{path.name}-lock")
    descriptor = _locked(lock, path)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(lock: Path, path: Path) -> int:
    """Return a descriptor of the lock's file with the lock held."""
    while True:
        descriptor = _lock_file(lock, path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last owner may have removed the file between our opening it and our lock.
            if lock.exists() and lock.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode().strip() or "unknown"
            os.close(descriptor)
            raise DatabaseError(
                f"another run (process {owner}) is writing {path} right now; "
                "wait for it, or choose another file with --db FILE"
            ) from None
        os.close(descriptor)


def _lock_file(lock: Path, path: Path) -> int:
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise DatabaseError(
            f"{path} cannot be written: {error.strerror} ({path.parent}); "
            "choose another place with --db FILE"
        ) from None


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open the file; one that is only read must be there."""
    if not write and not path.exists():
        raise DatabaseError(
            f"there are no results in {path} yet; `edgebench run SUITE` makes some, "
            "or choose another file with --db FILE"
        )
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={_mode(path, write=write)}",
        uri=True,
        timeout=10.0,
        isolation_level=None,
    )
    connection.row_factory = sqlite3.Row
    return connection


def _mode(path: Path, *, write: bool) -> str:
    if write:
        return "rwc"
    # A reader of a write-ahead log makes files beside it. Where it cannot, and no log is left
    # from a writer, the database is at rest and may be read as it is.
    at_rest = not path.with_name(f"{path.name}-wal").exists()
    return "ro&immutable=1" if at_rest and not os.access(path.parent, os.W_OK) else "ro"


def check(connection: sqlite3.Connection, path: Path, *, write: bool) -> None:
    """Refuse a file that is not ours, or newer than we are, or empty when it is to be read."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION and (application or tables):
        raise DatabaseError(
            f"{path} is another program's database; choose another file with --db FILE"
        )
    if not write and not tables:
        raise DatabaseError(f"{path} holds no run yet; `edgebench run SUITE` makes one")
    if version > VERSION:
        raise DatabaseError(
            f"{path} was written by a newer edgebench (its schema is {version}, this one reads "
            f"{VERSION}); upgrade edgebench, or choose another file with --db FILE"
        )


def prepare(connection: sqlite3.Connection) -> None:
    """Set what a writer needs, and make the tables where there are none."""
    connection.execute("PRAGMA journal_mode = WAL")
    # A block is seconds apart from the next, so that it can be on the disk costs nothing.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        connection.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION}; "
            f"PRAGMA user_version = {VERSION}; COMMIT;"
        )


REMEDIES = {
    "SQLITE_FULL": "the disk is full: make room, then go on with --resume",
    "SQLITE_NOTADB": "it is not an SQLite database; choose another file with --db FILE",
    "SQLITE_CORRUPT": "the file is damaged; choose another with --db FILE",
    "SQLITE_READONLY": "it may not be written; choose another place with --db FILE",
    "SQLITE_CANTOPEN": "it cannot be opened; choose another place with --db FILE",
    "SQLITE_BUSY": "another program holds it; close that, then go on with --resume",
    "SQLITE_LOCKED": "another program holds it; close that, then go on with --resume",
    "SQLITE_IOERR": "the disk failed to read or write; see the system's log",
}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says of the machine into a sentence; its other errors are our bugs."""
    try:
        yield
    except sqlite3.Error as error:
        name = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
        if name not in REMEDIES:
            raise
        raise DatabaseError(f"{path} cannot be used ({error}): {REMEDIES[name]}") from error
