from __future__ import annotations

import csv
import io

import attrs
import pytest

from edgebench.analysis.result import Result
from edgebench.testing.results import case_of, result_of, run_of
from edgebench_kit.reports.flat import COLUMNS
from edgebench_plugins.reporters.csv import edgebench_reporters


def rows_of(*results):
    (reporter,) = edgebench_reporters()
    return list(csv.DictReader(io.StringIO(reporter.render(run_of(results)))))


def test_each_case_is_a_row_with_the_figures_of_the_document():
    result = result_of(case_of("shrink", "mobile", "edge"), loss=0.01)
    (row,) = rows_of(result)
    document = result.to_json()
    assert list(row) == [column.name for column in COLUMNS]
    assert (row["id"], row["status"], row["stands"]) == (result.case.id, "ok", "open")
    assert float(row["latency_median_s"]) == document["latency_s"]["median"]
    assert [float(row[f"latency_p95{end}_s"]) for end in ("_low", "_high")] == (
        document["latency_s"]["percentiles_ci95"]["p95"]
    )
    assert float(row["accuracy"]) == document["accuracy"]["accuracy"]
    assert float(row["lost_points"]) == pytest.approx(1)
    assert (row["loss"], row["metric"]) == ("open", "accuracy")
    assert row["links"] == "mobile-edge=100mbit,1ms"
    assert float(row["network_s"]) == document["groups_s"]["network"]
    assert float(row["sent_bytes"]) == 10_000
    assert float(row["cold_s"]) == pytest.approx(0.06)


def test_what_is_not_known_is_empty():
    (row,) = rows_of(Result(case=case_of(), status="failed", reason="no way"))
    assert (row["reason"], row["latency_median_s"], row["accuracy"]) == ("no way", "", "")


def test_a_percentile_without_support_is_empty():
    (row,) = rows_of(result_of(case_of()))
    assert row["latency_p99.9_s"] == row["latency_p99.9_low_s"] == ""


def test_what_would_end_a_cell_or_a_row_does_not():
    case = attrs.evolve(case_of('split(at="a,b")'), model='say "hi"\nand, more')
    reason = 'a,b\r\n"c"'
    (row,) = rows_of(Result(case=case, status="failed", reason=reason))
    assert (row["model"], row["chain"]) == ('say "hi"\nand, more', 'split(at="a,b")')
    assert row["reason"].split() == reason.split()


@pytest.mark.parametrize("reason", ["=HYPERLINK(1)", "+1", "-2+3", "@SUM(A1)", "= 1"])
def test_no_text_is_a_formula(reason):
    case = attrs.evolve(case_of(), model=reason)
    (row,) = rows_of(Result(case=case, status="failed", reason=reason))
    assert (row["reason"], row["model"]) == (f"'{reason}", f"'{reason}")


def test_a_number_below_0_stays_a_number():
    (row,) = rows_of(result_of(case_of(), loss=-0.01))
    assert float(row["lost_points"]) == pytest.approx(-1)


def test_an_empty_run_is_its_head():
    (reporter,) = edgebench_reporters()
    assert reporter.render(run_of([])).count("\n") == 1
