"""The example of a user's own model and data, run as its page says, through every operator."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench import DataError, Weights

pytestmark = pytest.mark.timeout(900)  # the first to train what all of them start from

FILE = Path(__file__).parents[2] / "docs" / "examples" / "own_model.py"
DYNAMIC = "early-exit(mode=dynamic)"
LEAVING = (DYNAMIC, f"{DYNAMIC}+sptq+fuse-exits")
LOST = {
    "sptq": 0.01,
    "qat": 0.005,
    "fp16": 0.002,
    "dynamic-quantization": 0.01,
    "prune": 0.02,
    "distill": 0.02,
    "partition": 0.0,
    "early-exit": 0.05,
    **dict.fromkeys(LEAVING, 0.02),
}
"""How much of the accuracy on the 1000 test samples each may lose."""
CONVOLUTIONS = "(convolutions=true)"


@pytest.fixture(scope="module")
def cases(shared_store, tmp_path_factory, process):
    """Measure the example once, each operator on the placements that it fits, by chain."""
    chains = [each + CONVOLUTIONS * (each == "dynamic-quantization") for each in LOST]
    operators = [word for chain in ("identity", *chains) for word in ("--operator", chain)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "edgebench", "run", "--plugin", str(FILE), *operators),
            *("--model", "fault-finder:small", "--backend", "onnxruntime", "--json"),
            *("--placement", "mobile", "--placement", "mobile-edge"),
            *("--blocks", "1", "--requests", "4"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path_factory.mktemp("own"),
        env={**os.environ, "EDGEBENCH_STORE": str(shared_store)},
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    found = [case for case in json.loads(done.stdout)["cases"] if case["latency_s"]]
    return {case["chain"].removesuffix(CONVOLUTIONS): case for case in found}


@pytest.fixture(scope="module")
def example():
    """The example as a module of its own."""
    spec = importlib.util.spec_from_file_location("own_model", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def count(case, what):
    return sum(stage[what] for stage in case["stages"])


def precisions(case):
    return [stage["precision"].partition(" ")[0] for stage in case["stages"]]


def test_every_operator_can_be_applied_to_a_model_of_ones_own(cases):
    fits = {chain: (case["status"], case["placement"]) for chain, case in cases.items()}
    assert fits == dict.fromkeys(("identity", *LOST), ("ok", "mobile")) | {
        "partition": ("ok", "mobile-edge")
    }


def test_it_learns_what_its_data_teach(cases):
    assert cases["identity"]["accuracy_samples"] == {"accuracy": 1000}
    assert cases["identity"]["accuracy"]["accuracy"] > 0.95
    assert cases["identity"]["agreement"]["same_answer"] == 1.0


@pytest.mark.parametrize("chain", LOST)
def test_what_is_lost_is_less_than_is_allowed(cases, chain):
    kept, whole = (cases[one]["accuracy"]["accuracy"] for one in (chain, "identity"))
    assert whole - kept <= LOST[chain]
    assert cases[chain]["agreement"]["same_answer"] > 0.95 - LOST[chain]


@pytest.mark.parametrize("chain", ["sptq", "qat", "dynamic-quantization"])
def test_what_is_quantized_computes_and_is_kept_in_integers(cases, chain):
    assert precisions(cases[chain]) == ["int8"]
    assert cases[chain]["model_bytes"] < 0.5 * cases["identity"]["model_bytes"]
    assert cases[chain]["agreement"]["max_abs_difference"] > 0


def test_half_precision_weighs_half(cases):
    assert precisions(cases["fp16"]) == ["f16"]
    assert 0.4 < cases["fp16"]["model_bytes"] / cases["identity"]["model_bytes"] < 0.6
    assert count(cases["fp16"], "operations") == count(cases["identity"], "operations")


def test_pruning_makes_it_narrower_and_distilling_replaces_it(cases, example):
    (small, tiny) = next(example.edgebench_models()).variants
    assert count(cases["identity"], "parameters") == small.parameters
    assert count(cases["distill"], "parameters") == tiny.parameters
    assert count(cases["prune"], "parameters") < 0.6 * small.parameters
    assert count(cases["prune"], "operations") < 0.6 * count(cases["identity"], "operations")


def test_an_exit_for_all_leaves_out_what_its_point_skips(cases):
    skipped = 64 * 64 * 3 + 64
    whole = count(cases["identity"], "parameters")
    assert count(cases["early-exit"], "parameters") == whole - skipped
    assert count(cases["early-exit"], "operations") < 0.7 * count(cases["identity"], "operations")
    assert cases["early-exit"]["exit_rates"] == {}


@pytest.mark.parametrize("chain", LEAVING)
def test_by_a_trained_exit_a_part_of_the_samples_leaves(cases, chain):
    assert 0.3 <= cases[chain]["exit_rates"]["0"] <= 1
    head = 64 * 4 + 4
    assert count(cases[chain], "parameters") == count(cases["identity"], "parameters") + head


def test_the_stages_of_an_exit_are_quantized_and_one_graph_holds_both(cases):
    apart, fused = (cases[chain] for chain in LEAVING)
    assert precisions(apart) == ["f32", "f32"]
    assert precisions(fused) == ["int8"]
    assert fused["model_bytes"] < 0.5 * apart["model_bytes"]


def test_the_pieces_share_it_and_give_what_the_whole_gives(cases):
    pieces = cases["partition"]["stages"]
    assert [stage["tier"] for stage in pieces] == ["mobile", "edge"]
    assert min(stage["parameters"] for stage in pieces) > 0
    assert count(cases["partition"], "parameters") == count(cases["identity"], "parameters")
    assert cases["partition"]["agreement"]["max_abs_difference"] < 1e-4


def test_none_of_them_doubts_what_it_did(cases):
    doubts = {chain: [each for each in case["doubts"] if each.startswith(chain)]
              for chain, case in cases.items()}  # fmt: skip
    assert {chain for chain, found in doubts.items() if found} <= {"fp16"}  # it tells of Casts


@pytest.mark.framework
def test_its_networks_are_as_large_as_it_says(example):
    for variant in next(example.edgebench_models()).variants:
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


@pytest.mark.framework
def test_its_student_can_be_left_early_too(example):
    import torch

    from edgebench_kit.torch.exit_heads import leave_out

    (_, tiny) = next(example.edgebench_models()).variants
    (stage,) = example.build("tiny", Weights(kind="random", seed=1)).stages
    (point,) = tiny.exits
    shorter = leave_out(stage.live, dict.fromkeys(point.skips, 0))
    assert shorter(torch.zeros(2, 1, 2048)).shape == (2, len(example.KINDS))
    answered = point.head()(stage.live[: int(point.path) + 1](torch.zeros(2, 1, 2048)))
    assert answered.shape == (2, len(example.KINDS))


@pytest.mark.parametrize("operator", ["qat", "prune", "distill", DYNAMIC])
def test_without_a_loss_what_trains_says_how_to_give_one(here, tmp_path, operator):
    text = FILE.read_text()
    given = next(line for line in text.splitlines(keepends=True) if "loss=cross_entropy" in line)
    file = tmp_path / "lossless.py"
    file.write_text(text.replace(given, ""))
    words = ("--model", "fault-finder:small", "--backend", "onnxruntime", "--operator", operator)
    (skipped,) = here("plan", "--json", "--plugin", file, *words).json["skipped"]
    name = operator.partition("(")[0]
    assert skipped["reason"] == (
        f"{name} trains, and fault-finder gives no loss; plugins say Model(loss=...)"
    )
