"""The file that results live in: who may write it, whose it is, and what SQLite says of it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from edgebench.parts.errors import DatabaseError, EdgebenchError, one_line
from edgebench.records.schema import OLDEST, SCHEMA, VERSION, convert, show_as_current
from edgebench.store.locks import Held, hold_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION = int.from_bytes(b"edgb", "big")
"""What SQLite's header says the file is."""
_BEGINNING = b"SQLite format 3\0"
"""How each database of SQLite begins (its file format, 1.3)."""


def is_database(path: Path) -> bool:
    """Say whether there is a file that is a database of SQLite, of ours or of anybody else."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_BEGINNING)) == _BEGINNING


@contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Hold the only right to write, by a lock on a file beside the database.

    Not on the database itself: closing any descriptor of that would drop the locks that SQLite
    holds in this process, and a reader must be free to open it.
    """
    with ExitStack() as held:
        try:
            held.enter_context(hold_lock(path.with_name(f"{path.name}-lock"), wait=False))
        except Held as owner:
            raise DatabaseError(
                f"another run (process {owner}) is writing {path} right now; "
                "wait for it, or choose another file with --db FILE"
            ) from None
        except OSError as error:
            raise DatabaseError(
                f"{path} cannot be written: {error.strerror} ({path.parent}); "
                "choose another place with --db FILE"
            ) from None
        yield


def check_file(path: Path) -> None:
    """Refuse what is there and is no file: a directory, a device, a pipe."""
    if path.exists() and not path.is_file():
        what = "a directory" if path.is_dir() else "no regular file"
        raise DatabaseError(
            f"{path} cannot be used: it is {what}; choose another place with --db FILE"
        )


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
    # A reader of a write-ahead log makes files beside it, and removes them only if it may write.
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return "rw"
    # Where it may not, and no log is left from a writer, the database is at rest and may be read
    # as it is.
    at_rest = not path.with_name(f"{path.name}-wal").exists()
    return "ro&immutable=1" if at_rest else "ro"


def prepare_to_read(connection: sqlite3.Connection) -> None:
    """Refuse whatever would change the results, however the file was opened."""
    connection.execute("PRAGMA query_only = ON")


def check_version(connection: sqlite3.Connection, path: Path, *, write: bool) -> None:
    """Refuse a file that is not ours, or of a version we do not read, or empty when it is read.

    An older one that is only read looks as if it were of this version from here on.
    """
    application = _read_pragma(connection, "application_id")
    version = _read_pragma(connection, "user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION and (application or tables):
        raise DatabaseError(
            f"{path} is another program's database; choose another file with --db FILE"
        )
    if not tables:
        if not write:
            raise DatabaseError(f"{path} holds no run yet; `edgebench run SUITE` makes one")
        return
    if version > VERSION:
        raise DatabaseError(
            f"{path} was written by a newer edgebench (its schema is {version}, this one reads "
            f"{VERSION}); upgrade edgebench, or choose another file with --db FILE"
        )
    if version < OLDEST:
        raise DatabaseError(
            f"{path} is of schema {version}, and this edgebench reads {OLDEST} to {VERSION}; "
            "choose another file with --db FILE"
        )
    if version < VERSION and not write:
        show_as_current(connection, version)


def prepare_to_write(connection: sqlite3.Connection) -> None:
    """Set what a writer needs, make the tables where there are none, and convert older ones."""
    connection.execute("PRAGMA journal_mode = WAL")
    # A block is seconds apart from the next, so that it can be on the disk costs nothing.
    connection.execute("PRAGMA synchronous = FULL")
    if _read_pragma(connection, "application_id") != APPLICATION:
        connection.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION}; "
            f"PRAGMA user_version = {VERSION}; COMMIT;"
        )
    elif (version := _read_pragma(connection, "user_version")) < VERSION:
        convert(connection, version)
    # What was converted, or removed, leaves the file as large as it was, also after a kill.
    if 2 * _read_pragma(connection, "freelist_count") > _read_pragma(connection, "page_count"):
        connection.execute("VACUUM")
    connection.execute("PRAGMA foreign_keys = ON")


def _read_pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


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
def explain_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says of the machine into a sentence; its other errors are our bugs."""
    try:
        yield
    except sqlite3.Error as error:
        if (remedy := _find_remedy(error)) is None:
            raise
        raise DatabaseError(f"{path} cannot be used ({error}): {remedy}") from error


@contextmanager
def explain_damage(path: Path) -> Iterator[None]:
    """Say that a file is damaged where what is read of it makes no sense.

    SQLite checks how its pages hang together, and not what stands in them: a byte that was changed
    on a disk may have become anything, which whoever reads it meets as an error of any kind.
    """
    try:
        with explain_errors(path):
            yield
    except EdgebenchError:
        raise
    except Exception as error:
        remedy = REMEDIES["SQLITE_CORRUPT"]
        raise DatabaseError(f"{path} cannot be read ({one_line(error)}): {remedy}") from error


def _find_remedy(error: sqlite3.Error) -> str | None:
    """Return what a user can do about an error; None for one that is our bug."""
    # The tables are ours: they were others when the file was opened, or some are lost.
    if str(error).startswith("no such"):
        return "another program changed its tables; try again, or choose another with --db FILE"
    if "malformed JSON" in str(error):
        return REMEDIES["SQLITE_CORRUPT"]
    name = getattr(error, "sqlite_errorname", "")
    return REMEDIES.get("_".join(name.split("_")[:2]))
