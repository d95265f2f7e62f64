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
    ("chain", "placement", "crosses"),
    [
        (f"prune+{DYNAMIC}+sptq+partition", "mobile-edge", "mobile"),
        (f"{DYNAMIC}+partition(pieces=3)", "mobile-edge-cloud", "edge"),
    ],
)
def test_nothing_is_sent_of_what_leaves(measure, chain, placement, crosses):
    case = measure([chain], "--placement", placement)[chain]
    assert case["status"] == "ok", case["reason"]
    assert case["accuracy"]["accuracy"] > 0.97
    early, late = case["exits"]
    assert early["tier"] == crosses
    assert early["scored_rate"] > 0.3
    assert early["requests"] + late["requests"] == 40
    each = case["stages"][early["stage"]]["bytes_out"] or 0.0
    assert case["bytes_sent"][crosses] == pytest.approx(each * late["requests"] / 40)


def test_what_the_model_does_not_say_is_named(cases):
    refused = cases["early-exit"]
    assert refused["status"] == "skipped"
    assert "fault-finder:small has no exit point that says what an exit" in refused["reason"]
    assert 'Variant(exits=[ExitPoint(path="...", skips=["..."])])' in refused["reason"]
