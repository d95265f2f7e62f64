"""Results as a table of plain figures, one row a case: RFC 4180, with line feeds."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from edgebench import Reporter, hookimpl
from edgebench_kit.reports.flat import COLUMNS, list_flat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench import RunResults
    from edgebench_kit.reports.flat import Value

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would compute (CWE-1236)."""


def render(results: RunResults) -> str:
    """Return the cases of a run; what is not known is an empty cell.

    A text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in COLUMNS], lineterminator="\n")
    writer.writeheader()
    for row in list_flat(results.to_json()):
        writer.writerow({name: _as_text(value) for name, value in row.items()})
    return text.getvalue()


def _as_text(value: Value) -> Value:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


@hookimpl
def edgebench_reporters() -> Iterator[Reporter]:
    """Offer the CSV reporter."""
    yield Reporter(name="csv", summary="A row of figures for each case.", render=render)
