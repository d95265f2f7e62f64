from __future__ import annotations

import json

import attrs
import jsonschema
import pytest

from edgebench.analysis.result import Result
from edgebench.records.quick import Quick
from edgebench.testing.results import case_of, result_of, run_of
from edgebench_plugins.reporters.bencher import edgebench_reporters

METRIC = {
    "type": "object",
    "properties": {name: {"type": "number"} for name in ("value", "lower_value", "upper_value")},
    "required": ["value"],
    "additionalProperties": False,
}
MEASURES = {"type": "object", "patternProperties": {".+": METRIC}}
SCHEMA = {"type": "object", "patternProperties": {".+": MEASURES}}
"""The schema that Bencher publishes of its format, and nothing beside it."""


def document_of(*results):
    (reporter,) = edgebench_reporters()
    found = json.loads(reporter.render(run_of(results)))
    jsonschema.validate(found, SCHEMA)
    return found


def test_latency_is_in_nanoseconds_with_the_ends_of_its_interval():
    result = result_of(case_of())
    (measures,) = document_of(result).values()
    low, high = result.latency.interval()
    assert measures["latency"] == pytest.approx(
        {"value": result.median * 1e9, "lower_value": low * 1e9, "upper_value": high * 1e9}
    )
    assert measures["accuracy"]["value"] == pytest.approx(98)
    assert measures["file-size"] == {"value": 300_000}


def test_what_the_sample_does_not_support_is_left_out():
    (measures,) = document_of(result_of(case_of(), blocks=1)).values()
    assert "latency-p95" in measures
    few = result_of(case_of())
    few = attrs.evolve(few, blocks=[attrs.evolve(b, latency_s=b.latency_s[:9]) for b in few.blocks])
    (measures,) = document_of(few).values()
    assert "latency-p95" not in measures


def test_only_what_was_measured_is_there_under_the_same_name_in_every_run():
    failed = Result(case=case_of("b"), status="failed", reason="no way")
    (name,) = document_of(result_of(case_of(), seed=1), failed)
    assert name == next(iter(document_of(result_of(case_of(), seed=2))))
    assert name.endswith(f"[{case_of().id}]")


def test_a_name_is_as_long_as_it_may_be_and_still_its_own():
    cases = [case_of("x" * 2000 + end) for end in "ab"]
    names = list(document_of(*map(result_of, cases)))
    assert [len(name) for name in names] == [1024, 1024]


def test_a_quick_run_has_a_trend_of_its_own():
    sound = result_of(case_of())
    (name,), (quick,) = document_of(sound), document_of(attrs.evolve(sound, quick=Quick()))
    assert quick == f"{name}, a quick run"
