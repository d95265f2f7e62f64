"""Results as a Parquet file, one row a case, with the types of its columns."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from edgebench import Reporter, hookimpl
from edgebench_kit.reports.flat import COLUMNS, list_flat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench import RunResults


def render(results: RunResults) -> bytes:
    """Return the file; its metadata holds the answers and the environment as JSON."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    document = results.to_json()
    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    told = ("suite", "tag", "quick", "environment", "decisions")
    beside = {name: document[name] for name in told}
    schema = pa.schema(
        [(column.name, types[column.kind]) for column in COLUMNS],
        metadata={"edgebench": json.dumps(beside)},
    )
    table = pa.Table.from_pylist(list(list_flat(document)), schema=schema)
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


@hookimpl
def edgebench_reporters() -> Iterator[Reporter]:
    """Offer the Parquet reporter."""
    yield Reporter(name="parquet", summary="A file of typed columns.", render=render)
