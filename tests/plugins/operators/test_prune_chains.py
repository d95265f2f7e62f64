"""Pruning a stranger's model from the command line: alone, in chains, and where it cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[3] / "docs" / "examples" / "own_model.py"
MODEL = ("--plugin", str(FILE), "--model", "fault-finder")
HERE = ("--placement", "mobile", "--backend", "onnxruntime")
ONCE = "prune(epochs=2)"
TWICE = f"{ONCE}+prune(sparsity=0.3,epochs=1)+sptq"
BLOCKS = "prune(kind=block,epochs=1)+prune"
CHAINS = (ONCE, TWICE, BLOCKS)


@pytest.fixture(scope="module")
def cases(shared_store, tmp_path_factory, process):
    """Measure the example once, by chain."""
    operators = [word for chain in CHAINS for word in ("--operator", chain)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "edgebench", "run", *MODEL, *HERE, "--json"),
            *("--blocks", "1", "--requests", "4", *operators),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path_factory.mktemp("own"),
        env={**os.environ, "EDGEBENCH_STORE": str(shared_store)},
        timeout=480,
        check=False,
    )
    assert done.stdout, done.stderr
    return dict(zip(CHAINS, json.loads(done.stdout)["cases"], strict=True))


def test_a_strangers_model_keeps_what_it_learnt(cases):
    case = cases[ONCE]
    assert case["chain"].startswith("prune(")
    assert case["status"] == "ok"
    assert case["accuracy"]["accuracy"] > 0.95


def test_it_is_pruned_again_and_quantized(cases):
    case = cases[TWICE]
    assert case["status"] == "ok"
    assert case["accuracy"]["accuracy"] > 0.9


def test_zeros_in_blocks_are_not_pruned_away_and_the_reason_is_said(cases):
    case = cases[BLOCKS]
    assert case["status"] == "skipped"
    assert "zero in blocks" in case["reason"]


def test_a_sparsity_out_of_range_is_one_line(cli):
    said = cli("plan", *MODEL, *HERE, "--operator", "prune(sparsity=50)")
    assert said.status == 2
    assert said.err.strip() == (
        "edgebench: prune: sparsity must be a share above 0 and below 1, as 0.5, not 50"
    )
