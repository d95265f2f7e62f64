"""How long reports take: a page of many samples, and tables of many strategies.

    python benchmarks/reports.py [--format NAME ...] [--json]

Two made-up runs are written into a database each: 36,000 samples in 72 configurations of 4 models,
and 1,000 strategies of one model. Each form is then made of each by `edgebench report`, in a
process of its own; what counts is that process's wall time, its start included. The exit status is
1 where the page of the first takes more than 3 s, or the tables of the second.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tables import table

from edgebench.analysis.result import Result
from edgebench.cases.case import Case
from edgebench.records.database import Database
from edgebench.testing.results import case_of, result_of, run_of

FORMS = ("terminal", "html", "markdown", "csv", "junit", "json")
LIMITS_S = {("samples", "html"): 3.0, ("strategies", "terminal"): 3.0}
PLACES = (
    *(("mobile",), ("edge",), ("cloud",)),
    *(("mobile", "edge"), ("edge", "cloud"), ("mobile", "cloud")),
)


def make_samples() -> list[Result]:
    """Return 72 configurations of 5 blocks of 100 requests: 3 chains at 6 places of 4 models."""
    chains = ("identity", "shrink", "shrink+cut")
    cases = [
        case_of(chain, *place, model=f"toy{model}")
        for model in range(4)
        for place in PLACES
        for chain in chains
    ]
    return [_make(case, number, blocks=5) for number, case in enumerate(cases)]


def make_strategies() -> list[Result]:
    """Return 1,000 strategies of one model, 3 blocks of 100 requests each."""
    cases = [case_of(f"shrink(step={n})", *PLACES[n % 6]) for n in range(1000)]
    return [_make(case, number, blocks=3) for number, case in enumerate(cases)]


def _make(case: Case, number: int, *, blocks: int) -> Result:
    seconds = 0.02 * math.exp(0.8 * math.sin(number))
    loss = 0.02 * math.sin(number / 7) ** 2
    return result_of(
        case, median_s=seconds, loss=loss, value=0.98 - loss, blocks=blocks, seed=number
    )


def write(results: Sequence[Result], path: Path) -> None:
    """Write made-up results into a database, as a run would."""
    with Database.open(path, write=True) as database:
        run = database.begin_run(run_of([]).run)
        database.add_cases(run, [result.case for result in results], blocks=results[0].planned)
        for result in results:
            for block in result.blocks:
                database.save_block(run, result.case.id, block)
            database.finish_case(run, result.case.id, result.facts)
        database.finish_run(run, "2026-01-02T03:05:05+00:00")


def measure(path: Path, form: str) -> tuple[float, int]:
    """Return the seconds that a report takes, and the bytes that it has."""
    written = path.with_suffix(f".{form}")
    words = ("report", "--db", path, "--format", form, "-o", written)
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "edgebench", *map(str, words)], check=True)
    return time.perf_counter() - begin, written.stat().st_size


def main() -> int:
    """Print what each form takes, and say whether the limits are kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--format", action="append", choices=FORMS, help="repeats (all)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        for name, make in (("samples", make_samples), ("strategies", make_strategies)):
            path = Path(directory, f"{name}.db")
            write(make(), path)
            for form in args.format or FORMS:
                seconds, size = measure(path, form)
                limit = LIMITS_S.get((name, form))
                row = {"run": name, "form": form, "seconds": seconds, "bytes": size}
                rows.append({**row, "limit_s": limit})
    if args.json:
        print(json.dumps({"reports": rows}, indent=2))
    else:
        cells = [
            [row["run"], row["form"], f"{row['seconds']:.2f}", f"{row['bytes'] / 1e6:.2f}",
             str(row["limit_s"] or "-")]
            for row in rows
        ]  # fmt: skip
        print(table(["run", "form", "s", "MB", "at most s"], cells))
    return int(any(row["limit_s"] and row["seconds"] > row["limit_s"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
