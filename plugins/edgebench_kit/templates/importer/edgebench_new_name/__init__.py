"""The importer `new-name`: a table of latencies of another program."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import edgebench as eb

if TYPE_CHECKING:
    from edgebench import Imported

EDGEBENCH_API = (2, 0)

COLUMNS = ["model", "operator", "backend", "latency_ms"]


def claims(path: Path) -> bool:
    """Say whether it is what this reads; asked of whatever a user names."""
    if path.suffix != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return next(csv.reader(file), None) == COLUMNS


def read(path: Path) -> Iterator[Imported]:
    """Yield an `Imported` for each case.

    Raises:
        DataError: A line is not as it must be; it names the file and the line.
    """
    import numpy as np  # here, not above: `edgebench list` must stay quick
    from edgebench import Imported

    measured: dict[tuple[str, str, str], list[float]] = {}
    for line, row in read_rows(path):
        try:
            model, operator, backend, latency = row
            seconds = float(latency) / 1e3
        except ValueError:
            seconds = math.nan
        if not 0 < seconds < math.inf:
            raise eb.DataError(f"{path}, line {line}: {','.join(COLUMNS)} is expected")
        measured.setdefault((model, operator, backend), []).append(seconds)
    for (model, operator, backend), latencies in measured.items():
        yield Imported(
            model=model,
            chain=operator,
            placement="mobile",
            backend=backend,
            fabric="laboratory",
            latency_s=np.array(latencies),
            measured=f"one block of {len(latencies)} requests",
            no_accuracy="the table holds latencies alone",
            origin=str(path),
        )


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows below the head that are not empty, each with its line."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows, None)
        yield from ((rows.line_num, row) for row in rows if row)


@eb.hookimpl
def edgebench_importers() -> Iterator[eb.Importer]:
    """Offer it: `edgebench import latencies.csv`."""
    yield eb.Importer(
        name="new-name",
        summary=f"Read latencies from a table `{','.join(COLUMNS)}`.",
        claims=claims,
        read=read,
    )
