"""What is read from a results database: runs, what their cases gave, and what they printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cases.case import Case
from edgebench.parts.documents import from_document
from edgebench.parts.errors import DatabaseError, nearest
from edgebench.records import columns
from edgebench.records.outcome import Outcome, Run, RunOutcome, find_only
from edgebench.records.sqlitefile import explain_damage

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from edgebench.records.columns import Samples
    from edgebench.records.outcome import Block


@attrs.frozen
class Pace:
    """How fast the blocks of a case went, on average."""

    block_s: float
    """Seconds of a whole block."""
    request_s: float
    """Seconds of a measured request."""
    requests: float
    """How many of these a block had."""


_LATENCIES = " AND kind = 'latency'"


class Readings:
    """What can be read from an open results database."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path

    def _select(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with explain_damage(self.path):
            return self._connection.execute(query, values).fetchall()

    def read_runs(self) -> tuple[Run, ...]:
        """Return all runs, the latest last."""
        found = self._select("SELECT * FROM runs ORDER BY started, rowid")
        return tuple(columns.read_run(row) for row in found)

    def find_aa(self, environment: Mapping[str, Any]) -> Run | None:
        """Return the latest run that knows what equal cases differ by on such a machine."""
        names = ("processor", "cpus", "architecture")
        here = [environment.get(name) for name in names]
        runs = [run for run in reversed(self.read_runs()) if not run.source]
        known = (run for run in runs if run.aa_difference is not None)
        return next((r for r in known if [r.environment.get(n) for n in names] == here), None)

    def read_run(
        self, name: str = "latest", *, timed: bool = True, brief: bool = False
    ) -> RunOutcome:
        """Return a run and what its cases gave; unless *timed*, as `read_outcome` does.

        *name* is an id, the only beginning of one, or `latest`. If *brief*, of what was timed only
        the latencies are read, which are the least of it, and not what a block was checked for.

        Raises:
            DatabaseError: There is no such run.
        """
        with explain_damage(self.path):
            run = self.find_run(name)
            cases = tuple(self._read_cases(run.id, timed=timed, brief=brief))
            return RunOutcome(run=run, cases=cases, path=self.path)

    def find_case(self, beginning: str, run: str = "") -> tuple[Run, Case]:
        """Return a case by its id, or the only beginning of one, and the run that holds it.

        *run* is named as in `read_run`; without one, it is the latest that has such a case.

        Raises:
            DatabaseError: There is no such run.
            UnknownName: No case, or more than one, has an id that begins so.
        """
        last = self.find_run(run or "latest")
        runs = [last] if run else reversed(self.read_runs())
        holding = (r for r in runs if any(c.startswith(beginning) for c in self._list_cases(r)))
        one = next(holding, last)
        case_id = find_only(beginning, self._list_cases(one), one.id)
        query = "SELECT record FROM cases WHERE run = ? AND id = ?"
        (row,) = self._select(query, one.id, case_id)
        return one, from_document(Case, json.loads(row["record"]))

    def _list_cases(self, run: Run) -> list[str]:
        query = "SELECT id FROM cases WHERE run = ? ORDER BY position, rowid"
        return [row["id"] for row in self._select(query, run.id)]

    def read_paces(self) -> Mapping[str, Pace]:
        """Return how fast blocks went by case, in the latest run of it that is none of the quick.

        Where there are quick ones alone, in the latest of those.
        """
        chosen = "b.run = last.run AND b.case_id = last.case_id AND b.status = 'ok'"
        query = (
            "SELECT last.case_id AS id, avg(seconds) AS request_s, count(*) AS requests, "  # noqa: S608 - ours
            f"(SELECT avg(duration_s) FROM blocks b WHERE {chosen}) AS block_s, "
            f"(SELECT count(*) FROM blocks b WHERE {chosen}) AS blocks "
            "FROM (SELECT case_id, run, max((quick IS NULL) * 1000000000 + runs.rowid) "
            "FROM blocks JOIN runs ON run = runs.id WHERE status = 'ok' GROUP BY case_id) last "
            f"JOIN requests b ON {chosen} AND kind = 'latency' GROUP BY last.case_id"
        )
        return {
            row["id"]: Pace(row["block_s"], row["request_s"], row["requests"] / row["blocks"])
            for row in self._select(query)
        }

    def list_preparations(self) -> list[sqlite3.Row]:
        """Return, of each case of each run, what was made for it and the seconds that took."""
        keys = ("artifact", "score_key", "preparing_s", "scoring_s")
        wanted = ", ".join(f"json_extract(facts, '$.{key}') AS {key}" for key in keys)
        return self._select(f"SELECT id, {wanted} FROM cases WHERE scoring_s >= 0 ORDER BY rowid")  # noqa: S608 - ours

    def read_outcome(
        self, run: str, case_id: str, *, timed: bool = True, brief: bool = False
    ) -> Outcome:
        """Return what one case of a run has given so far.

        Unless *timed*, its blocks come without what they timed, which takes the longest to read;
        if *brief*, they come as `read_run` reads them.

        Raises:
            DatabaseError: The run has no such case.
        """
        with explain_damage(self.path):
            for outcome in self._read_cases(run, case_id, timed=timed, brief=brief):
                return outcome
        raise DatabaseError(f"run {run} of {self.path} has no case {case_id}")

    def _read_cases(
        self, run: str, *case_id: str, timed: bool = True, brief: bool = False
    ) -> Iterator[Outcome]:
        """Yield what the cases of a run, or one of them, have given, in planned order."""
        blocks = self._blocks(run, *case_id, timed=timed, brief=brief)
        chosen = "WHERE run = ?" + " AND id = ?" * len(case_id)
        query = f"SELECT * FROM cases {chosen} ORDER BY position, rowid"  # noqa: S608 - our own text
        for row in self._select(query, run, *case_id):
            yield columns.read_outcome(row, blocks.get(row["id"], ()))

    def _blocks(self, run: str, *case_id: str, timed: bool, brief: bool) -> dict[str, list[Block]]:
        """Return the blocks of each case in order, failed ones among them, without their logs."""
        chosen = "WHERE run = ?" + " AND case_id = ?" * len(case_id)
        samples: dict[int, list[Samples]] = {}
        query = (
            "SELECT block, kind, phase, count, least_ns, data FROM samples s "  # noqa: S608 - ours
            f"JOIN blocks ON block = blocks.id {chosen}{_LATENCIES if brief else ''} "
            "ORDER BY block, s.id"
        )
        for block, *kept in self._select(query, run, *case_id) if timed else ():
            samples.setdefault(block, []).append(tuple(kept))
        blocks: dict[str, list[Block]] = {}
        query = f"SELECT * FROM blocks {chosen} ORDER BY number, id"  # noqa: S608 - our own text
        for row in self._select(query, run, *case_id):
            made = columns.read_block(row, samples.get(row["id"], ()), brief=brief)
            blocks.setdefault(row["case_id"], []).append(made)
        return blocks

    def find_run(self, name: str) -> Run:
        """Return a run by its id, the only beginning of one, or `latest`, without its cases.

        Raises:
            DatabaseError: There is no such run.
        """
        runs = self.read_runs()
        if not runs:
            raise DatabaseError(f"{self.path} holds no run yet; `edgebench run SUITE` makes one")
        if name == "latest":
            return runs[-1]
        near = [run for run in runs if run.id.startswith(name)]
        exact = [run for run in near if run.id == name] or near
        if len(exact) == 1:
            return exact[0]
        if near:
            several = ", ".join(run.id for run in near[:6])
            raise DatabaseError(f"several runs of {self.path} begin with {name!r}: {several}")
        hint = nearest(name, [run.id for run in runs])
        raise DatabaseError(f"{self.path} holds no run {name!r}{hint}")

    def read_logs(self, run: str, case_id: str) -> Mapping[tuple[int, str], str]:
        """Return what the processes of a case printed, by block number and role.

        The number is -1 for those that prepared it. Of a block that was measured twice, after a
        failure, the last is given.
        """
        found = self._select(
            "SELECT coalesce(number, -1) AS number, role, text FROM logs "
            "LEFT JOIN blocks ON block = blocks.id WHERE logs.run = ? AND logs.case_id = ? "
            "ORDER BY 1, logs.rowid",
            run,
            case_id,
        )
        return {(row["number"], row["role"]): row["text"] for row in found}

    def list_finished_blocks(self, run: str) -> frozenset[tuple[str, int]]:
        """Return the case id and number of each block that need not be measured again."""
        query = "SELECT case_id, number FROM blocks WHERE run = ? AND status = 'ok'"
        return frozenset((row["case_id"], row["number"]) for row in self._select(query, run))

    def count_blocks(self, run: str, case_id: str) -> int:
        """Return how many blocks of a case there are, good or not; one measured again is one."""
        query = "SELECT count(DISTINCT number) FROM blocks WHERE run = ? AND case_id = ?"
        return int(self._select(query, run, case_id)[0][0])

    def count_starts(self, run: str) -> int:
        """Return how many starts of a run have measured a block of it."""
        query = "SELECT coalesce(max(resumption) + 1, 0) FROM blocks WHERE run = ?"
        return int(self._select(query, run)[0][0])

    def count_requests(self, run: str, case_id: str) -> tuple[int, int]:
        """Return how many blocks of a case count, and how many measured requests they hold."""
        query = (
            "SELECT count(*), total(count) FROM samples s JOIN blocks ON block = blocks.id "
            "WHERE run = ? AND case_id = ? AND status = 'ok' AND kind = 'latency'"
        )
        ((blocks, requests),) = self._select(query, run, case_id)
        return blocks, int(requests)

    def find_unfinished(self, plan_digest: str) -> str | None:
        """Return the latest run of a plan if a block of it is missing or it did not end."""
        query = (
            "SELECT id, finished, (SELECT total(planned) FROM cases WHERE run = r.id) AS planned "
            "FROM runs r WHERE plan_digest = ? ORDER BY started DESC, rowid DESC LIMIT 1"
        )
        for row in self._select(query, plan_digest):
            missing = len(self.list_finished_blocks(row["id"])) < row["planned"]
            return row["id"] if missing or row["finished"] is None else None
        return None
