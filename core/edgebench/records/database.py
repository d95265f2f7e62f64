"""The results database: one SQLite file, one transaction a block, one writer, many readers."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cases.case import Case
from edgebench.records import columns
from edgebench.records.outcome import Run
from edgebench.records.readings import Readings
from edgebench.records.schema import INSERT_SAMPLES
from edgebench.records.sqlitefile import (
    check_file,
    check_version,
    connect,
    explain_damage,
    explain_errors,
    prepare_to_read,
    prepare_to_write,
    sole_writer,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping

    from edgebench.records.facts import Facts
    from edgebench.records.outcome import Block


class Database(Readings):
    """The results database, open; made by `Database.open`."""

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, write: bool = False) -> Iterator[Database]:
        """Open the database, made if need be when it is to be written, and close it at the end.

        One process at a time may have it open for writing; any number may read meanwhile.

        Raises:
            DatabaseError: It cannot be opened, is in use, or is not a database of this version.
        """
        path = Path(path)
        check_file(path)
        with ExitStack() as stack:
            # Whoever only reads does little else meanwhile than to make sense of what stands there.
            stack.enter_context(sole_writer(path) if write else explain_damage(path))
            with explain_damage(path):
                connection = stack.enter_context(closing(connect(path, write=write)))
                check_version(connection, path, write=write)
                (prepare_to_write if write else prepare_to_read)(connection)
            yield cls(connection, path)

    @contextmanager
    def write_at_once(self) -> Iterator[None]:
        """Keep all that is written meanwhile in one transaction, or nothing of it."""
        with self._transaction():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Keep all that the body writes, or nothing of it; within another it is part of that."""
        with explain_errors(self.path), ExitStack() as whole:
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
                whole.enter_context(self._connection)
            yield self._connection

    def begin_run(self, run: Run) -> str:
        """Add a run, and return the id it was given.

        It is the second that the run started in, and a number where that is taken.
        """
        day, _, clock = run.started[:19].partition("T")
        stem = f"{day.replace('-', '')}-{clock.replace(':', '')}"
        with self._transaction() as db:
            taken = {row["id"] for row in db.execute("SELECT id FROM runs")}
            # One of these is free: there is one more of them than there are runs.
            tries = (stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3)))
            name = run.id or next(one for one in tries if one not in taken)
            _insert(db, "runs", columns.write_record(attrs.evolve(run, id=name)))
        return name

    def add_cases(
        self,
        run: str,
        cases: Iterable[Case],
        *,
        blocks: int,
        skipped: Iterable[tuple[Case, str]] = (),
        begin: int = 0,
    ) -> None:
        """Add the planned cases of a run, each of so many blocks, and the skipped with reasons.

        They stand from the place *begin* on. A case that the run holds already stays as it is, so a
        resumed run may add its plan again.
        """
        entries: list[tuple[Case, int, str | None]] = [(case, blocks, None) for case in cases]
        entries += [(case, 0, reason) for case, reason in skipped]
        with self._transaction() as db:
            for position, (case, planned, reason) in enumerate(entries, begin):
                row = columns.write_case(run, case)
                row |= {"position": position, "planned": planned, "skipped": reason}
                _insert(db, "cases", row, or_else="IGNORE")

    def save_block(self, run: str, case_id: str, block: Block) -> None:
        """Keep a block with all that belongs to it, in one transaction."""
        row = {"run": run, "case_id": case_id, **columns.write_record(block)}
        with self._transaction() as db:
            number = _insert(db, "blocks", row)
            samples = [(number, *kept) for kept in columns.list_samples(block)]
            db.executemany(INSERT_SAMPLES, samples)
            logs = [(run, case_id, number, role, said) for role, said in block.logs.items()]
            db.executemany("INSERT INTO logs VALUES (?, ?, ?, ?, ?)", logs)

    def save_log(self, run: str, case_id: str, role: str, text: str) -> None:
        """Keep what a process printed that prepared a case, before its first block."""
        # Half a character, which a plugin's error may hold, is written as its number.
        whole = text.encode(errors="backslashreplace").decode()
        with self._transaction() as db:
            db.execute("INSERT INTO logs VALUES (?, ?, NULL, ?, ?)", (run, case_id, role, whole))

    def finish_case(self, run: str, case_id: str, facts: Facts) -> None:
        """Keep what is known of a case beside its blocks, in place of what was kept before."""
        kept = (columns.to_text(facts), run, case_id)
        with self._transaction() as db:
            db.execute("UPDATE cases SET facts = ? WHERE run = ? AND id = ?", kept)

    def plan_blocks(self, run: str, case_id: str, blocks: int) -> None:
        """Note how many blocks a case is to have after all."""
        with self._transaction() as db:
            kept = (blocks, run, case_id)
            db.execute("UPDATE cases SET planned = ? WHERE run = ? AND id = ?", kept)

    def save_aa(self, run: Run) -> None:
        """Keep what equal cases were found to differ by in a run."""
        names = ("aa_difference", "aa_blocks", "aa_within", "aa_between")
        changes = ", ".join(f"{name} = ?" for name in names)
        values = [getattr(run, name) for name in names]
        with self._transaction() as db:
            db.execute(f"UPDATE runs SET {changes} WHERE id = ?", (*values, run.id))  # noqa: S608

    def finish_run(self, run: str, finished: str) -> None:
        """Note when (UTC, ISO 8601) a run came to its end; one that was interrupted has none."""
        with self._transaction() as db:
            db.execute("UPDATE runs SET finished = ? WHERE id = ?", (finished, run))

    def remove_run(self, run: str) -> None:
        """Remove a run and all that belongs to it."""
        with self._transaction() as db:
            db.execute("DELETE FROM runs WHERE id = ?", (run,))


def _insert(
    db: sqlite3.Connection, table: str, row: Mapping[str, Any], *, or_else: str = "ABORT"
) -> int:
    """Add a row whose keys are the columns, and return its number."""
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    query = f"INSERT OR {or_else} INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - ours
    return db.execute(query, tuple(row.values())).lastrowid or 0
