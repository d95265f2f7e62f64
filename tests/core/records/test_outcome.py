from __future__ import annotations

import json
from importlib.resources import files

import attrs
import jsonschema
import numpy as np
import pytest

from edgebench.analysis.result import Result
from edgebench.parts.errors import UnknownName
from edgebench.records.facts import Facts
from edgebench.testing.results import block_of, case_of, facts_of, result_of, run_of

SCHEMA = json.loads(files("edgebench").joinpath("schemas", "run.json").read_text())


def valid(document):
    jsonschema.validate(json.loads(json.dumps(document, allow_nan=False)), SCHEMA)
    return document


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_document_of_a_run_follows_its_schema():
    skipped = Result(case=case_of("odd"), status="skipped", reason="no way from here")
    split = result_of(case_of("plain", "mobile", "edge"))
    document = valid(run_of([result_of(case_of()), split, skipped]).to_json())
    assert [case["status"] for case in document["cases"]] == ["ok", "ok", "skipped"]
    assert document["cases"][2]["latency_s"] is None
    assert document["cases"][2]["reason"] == "no way from here"
    assert document["schema"] == 6
    assert document["run"] == "20260102-030405"


def test_a_schema_that_says_nothing_would_not_find_this():
    document = run_of([result_of(case_of())]).to_json()
    document["cases"][0]["latency_s"]["median"] = "2 ms"
    with pytest.raises(jsonschema.ValidationError):
        valid(document)


def test_the_latency_of_a_case_is_that_of_its_good_blocks():
    case = case_of()
    good, late = block_of(case, 0, median_s=2e-3), block_of(case, 1, median_s=50e-3)
    bad = attrs.evolve(late, status="failed", reason="killed by SIGKILL")
    result = Result(case=case, status="partial", planned=2, blocks=(good, bad))
    assert result.samples == 100
    assert result.median == float(np.median(good.latency_s))
    assert "block 1: failed: killed by SIGKILL" in result.doubts


def test_percentiles_that_the_sample_does_not_support_say_what_they_need():
    latency = result_of(case_of(), blocks=3).to_json()["latency_s"]  # 300 requests
    assert latency["p95"] > latency["p90"] > latency["median"]
    assert latency["p99"] is None
    assert latency["unsupported"] == {"p99": "needs 473", "p99.9": "needs 4742"}
    assert latency["percentiles_ci95"]["p99"] is None
    low, high = latency["ci95"]
    assert low < latency["median"] < high


def test_phases_explain_a_request():
    result = result_of(case_of("plain", "mobile", "edge"))
    document = result.to_json()
    assert list(document["phases_s"]) == ["decode", "uplink", "downlink", "inference-0"]
    total = sum(document["phases_s"].values())
    assert total == pytest.approx(document["latency_s"]["median"], rel=0.02)
    assert document["groups_s"]["unaccounted"] == pytest.approx(0, abs=1e-9)
    assert document["groups_s"]["network"] == pytest.approx(
        document["phases_s"]["uplink"] + document["phases_s"]["downlink"]
    )


def test_a_tier_sends_after_its_last_stage():
    case = case_of("plain", "mobile", "edge")
    facts = facts_of(case)
    two = attrs.evolve(facts, stages=(facts.stages[0], *facts.stages))
    result = attrs.evolve(result_of(case), facts=two)
    assert [s["bytes_out"] for s in result.to_json()["stages"]] == [None, 1e4, None]
    assert result.model_bytes == 900_000


def test_a_model_of_unknown_size_has_none():
    case = case_of()
    stage = attrs.evolve(facts_of(case).stages[0], bytes=None)
    assert attrs.evolve(result_of(case), facts=Facts(stages=(stage,))).model_bytes is None
    assert Result(case=case, status="failed").model_bytes is None


def test_peak_memory_is_the_largest_of_any_process():
    case = case_of("plain", "mobile", "edge")
    blocks = [
        attrs.evolve(block_of(case, n), peak_memory_bytes={"mobile": 5 + n, "edge": 3})
        for n in range(3)
    ]
    document = Result(case=case, status="ok", planned=3, blocks=tuple(blocks)).to_json()
    assert document["peak_memory_bytes"] == 7
    assert [tier["peak_memory_bytes"] for tier in document["tiers"]] == [6, 3]


def test_links_are_summed_up_by_way_and_size():
    document = result_of(case_of("plain", "mobile", "edge")).to_json()
    ways = [(link["source"], link["target"], link["checks"]) for link in document["links"]]
    assert ways == [("mobile", "edge", 3), ("edge", "mobile", 3)]
    assert all(link["ok"] for link in document["links"])


def test_a_status_that_no_case_can_have_is_refused():
    with pytest.raises(ValueError, match="status"):
        Result(case=case_of(), status="fine")
    with pytest.raises(ValueError, match="status"):
        Facts(status="fine")


def test_results_do_not_change():
    result = result_of(case_of())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        result.status = "failed"


def test_a_case_is_found_by_the_beginning_of_its_id():
    results = [result_of(case_of(chain)) for chain in ("a", "b", "c")]
    run = run_of(results)
    wanted = results[1]
    assert run.find(wanted.case.id) is wanted
    assert run.find(wanted.case.id[:6]) is wanted
    with pytest.raises(UnknownName, match="no case of run 20260102-030405 is called 'zz'"):
        run.find("zz")
    with pytest.raises(UnknownName):
        run.find("")
