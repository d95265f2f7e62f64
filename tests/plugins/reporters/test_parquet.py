from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq

from edgebench.analysis.result import Result
from edgebench.testing.results import case_of, result_of, run_of
from edgebench_plugins.reporters.parquet import edgebench_reporters


def table_of(*results):
    (reporter,) = edgebench_reporters()
    laid = reporter.render(run_of(results))
    assert isinstance(laid, bytes)
    return pq.read_table(io.BytesIO(laid))


def test_columns_have_their_types_and_what_is_not_known_is_null():
    measured = result_of(case_of())
    table = table_of(measured, Result(case=case_of("b"), status="failed", reason="no way"))
    kinds = {name: table.schema.field(name).type for name in ("chain", "samples", "accuracy")}
    assert kinds == {"chain": pa.string(), "samples": pa.int64(), "accuracy": pa.float64()}
    assert table["latency_median_s"].to_pylist() == [measured.median, None]
    assert table["reason"].to_pylist() == ["", "no way"]


def test_the_answers_stand_in_its_metadata():
    table = table_of(result_of(case_of()))
    beside = json.loads(table.schema.metadata[b"edgebench"])
    assert beside["decisions"][0]["title"] == "toy:small"


def test_an_empty_run_has_the_same_columns():
    assert table_of().schema.equals(table_of(result_of(case_of())).schema)
    assert table_of().num_rows == 0
