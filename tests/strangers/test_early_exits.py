"""A stranger's torch model with an exit point: left early on one tier, quantized, and fused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "own_model.py"
HEAD = '''
def head():
    """Say what is wrong from what the first convolution heard."""
    from torch import nn

    return nn.Sequential(
        *(nn.Conv1d(32, 32, 8, stride=8), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten()),
        nn.Linear(32, len(KINDS)),
    )


def build('''
EXITS = 'exits=[eb.ExitPoint(path="1", head=head)], '
DYNAMIC = "early-exit(mode=dynamic)"
CHAINS = ("identity", "early-exit", DYNAMIC, f"{DYNAMIC}+sptq", f"{DYNAMIC}+sptq+fuse-exits")


@pytest.fixture(scope="module")
def measure(shared_store, tmp_path_factory, process):
    """Give what measures the example, with an exit point given to it."""
    place = tmp_path_factory.mktemp("exits")
    text = EXAMPLE.read_text().replace("\ndef build(", HEAD)
    (place / "mine.py").write_text(text.replace("weights=[", f"{EXITS}weights=["))
    return partial(run, place, shared_store)


def run(place, store, chains, *how):
    """Measure chains, and return the cases by their chains."""
    words = [word for chain in chains for word in ("--operator", chain)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "edgebench", "run", "--plugin", "mine.py", *words),
            *("--model", "fault-finder", "--backend", "onnxruntime", "--json"),
            *("--blocks", "1", "--requests", "40", *how),
        ],
        capture_output=True,
        text=True,
        cwd=place,
        env={**os.environ, "EDGEBENCH_STORE": str(store)},
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return {case["chain"]: case for case in json.loads(done.stdout)["cases"]}


@pytest.fixture(scope="module")
def cases(measure):
    """Measure each chain once, on one tier."""
    return measure(CHAINS)


@pytest.mark.parametrize("chain", CHAINS[2:])
def test_a_part_of_the_samples_leaves_and_little_is_lost(cases, chain):
    assert cases[chain]["status"] == "ok", cases[chain]["reason"]
    lost = cases["identity"]["accuracy"]["accuracy"] - cases[chain]["accuracy"]["accuracy"]
    assert lost < 0.02
    assert 0.3 <= cases[chain]["exit_rates"]["0"] <= 1


def test_each_stage_is_quantized_and_one_graph_holds_both(cases):
    apart, fused = (cases[chain]["stages"] for chain in CHAINS[3:])
    assert [stage["precision"].partition(" ")[0] for stage in apart] == ["int8", "int8"]
    assert [stage["format"] for stage in fused] == ["onnx"]
    assert fused[0]["parameters"] == sum(stage["parameters"] for stage in apart)


@pytest.mark.parametrize(
    ("chain", "placement"),
    [
        (f"prune+{DYNAMIC}+sptq+partition", "mobile-edge"),
        (f"{DYNAMIC}+partition(pieces=3)", "mobile-edge-cloud"),
    ],
)
def test_nothing_is_sent_of_what_leaves(measure, chain, placement):
    case = measure([chain], "--placement", placement)[chain]
    assert case["status"] == "ok", case["reason"]
    assert case["accuracy"]["accuracy"] > 0.97
    early, late = case["exits"]
    assert early["scored_rate"] > 0.3
    assert early["requests"] + late["requests"] == 40
    tiers = placement.split("-")
    # Up to the tier of the exit all go on, and beyond it those that stay.
    reached = tiers.index(early["tier"])
    assert late["tier"] == tiers[-1]
    for place, tier in enumerate(tiers[:-1]):
        each = next(one["bytes_out"] or 0.0 for one in case["stages"] if one["tier"] == tier)
        share = 1 if place < reached else late["requests"] / 40
        assert case["bytes_sent"][tier] == pytest.approx(each * share)


def test_the_static_exit_leaves_out_what_the_model_says(cases):
    case = cases["early-exit"]
    assert case["status"] == "ok", case["reason"]
    kept, whole = (cases[chain]["stages"][0]["parameters"] for chain in ("early-exit", "identity"))
    assert kept < whole
