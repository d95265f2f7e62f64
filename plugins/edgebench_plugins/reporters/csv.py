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


def render(results: RunResults) -> str:
    """Return the cases of a run; what is not known is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in COLUMNS], lineterminator="\n")
    writer.writeheader()
    writer.writerows(list_flat(results.to_json()))
    return text.getvalue()


@hookimpl
def edgebench_reporters() -> Iterator[Reporter]:
    """Offer the CSV reporter."""
    yield Reporter(name="csv", summary="A row of figures for each case.", render=render)
