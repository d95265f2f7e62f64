"""The example of a user's own model and data, run as its page says, through four operators."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench import DataError, Weights

FILE = Path(__file__).parents[2] / "docs" / "examples" / "own_model.py"


@pytest.fixture(scope="module")
def cases(shared_store, tmp_path_factory, process):
    """Measure the example once, each operator on the placements that it fits, by chain."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "edgebench", "run", "--plugin", str(FILE)),
            *("--model", "fault-finder", "--backend", "onnxruntime", "--json"),
            *("--operator", "identity", "--operator", "sptq", "--operator", "qat"),
            *("--operator", "partition"),
            *("--placement", "mobile", "--placement", "mobile-edge"),
            *("--blocks", "1", "--requests", "4"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path_factory.mktemp("own"),
        env={**os.environ, "EDGEBENCH_STORE": str(shared_store)},
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return {case["chain"]: case for case in json.loads(done.stdout)["cases"] if case["latency_s"]}


@pytest.fixture(scope="module")
def example():
    """The example as a module of its own."""
    spec = importlib.util.spec_from_file_location("own_model", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_operator_can_be_applied_to_a_model_of_ones_own(cases):
    fits = {chain: (case["status"], case["placement"]) for chain, case in cases.items()}
    assert fits == {
        "identity": ("ok", "mobile"),
        "sptq": ("ok", "mobile"),
        "qat": ("ok", "mobile"),
        "partition": ("ok", "mobile-edge"),
    }


def test_it_learns_what_its_data_teach(cases):
    assert cases["identity"]["accuracy"]["accuracy"] > 0.95
    assert cases["partition"]["accuracy"] == cases["identity"]["accuracy"]
    assert cases["sptq"]["accuracy"]["accuracy"] > 0.93
    assert cases["qat"]["accuracy"]["accuracy"] > 0.95


def test_what_operators_do_to_it_is_seen_in_its_answers_and_sizes(cases):
    assert cases["identity"]["agreement"]["same_answer"] == 1.0
    assert cases["sptq"]["agreement"]["same_answer"] > 0.95
    assert cases["sptq"]["model_bytes"] < 0.5 * cases["identity"]["model_bytes"]
    assert cases["qat"]["model_bytes"] < 0.5 * cases["identity"]["model_bytes"]
    assert not [doubt for doubt in cases["qat"]["doubts"] if doubt.startswith("qat:")]
    assert [stage["tier"] for stage in cases["partition"]["stages"]] == ["mobile", "edge"]


@pytest.mark.framework
def test_its_network_is_as_large_as_it_says(example):
    (variant,) = next(example.edgebench_models()).variants
    (stage,) = example.build(variant.name, Weights(kind="random", seed=1)).stages
    assert variant.parameters == sum(weight.numel() for weight in stage.live.parameters())


def test_its_splits_hold_all_kinds_and_share_nothing(example):
    splits = {name: list(example.samples(name, 0)) for name in example.SPLITS}
    payloads = [payload for split in splits.values() for payload, _ in split]
    assert len(set(payloads)) == len(payloads)
    assert {answer for _, answer in splits["test"]} == set(range(len(example.KINDS)))
    assert len(splits["test"]) >= 1000


def test_a_request_of_another_length_is_refused(example):
    with pytest.raises(DataError, match="a request has 4096 bytes, not 3"):
        example.decode(b"abc", "small")
