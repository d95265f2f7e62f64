"""`export`, end to end: measured, exported, and run where there is no edgebench."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from edgebench.cli import main

from ..exported import load, run_exported
from ..strangers.test_early_exits import DYNAMIC, EXAMPLE, EXITS, HEAD

THREE = "mobile-edge-cloud"
QUICK = ("--blocks", "1", "--requests", "3", "--score-limit", "16", "--json")
LINKS = ("--link", "mobile-edge=1gbit", "--link", "edge-cloud=1gbit")
PASSED = {"mobile": (), "mobile-edge": LINKS[:2], "cloud": LINKS, THREE: LINKS}
"""By placement, the links that requests pass."""
RESNET = ("--model", "resnet:tiny", "--weights", "random")


@pytest.fixture(scope="module")
def place(tmp_path_factory, process):
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def edgebench(place, shared_store):
    """Run edgebench in one directory, with the store of all tests."""
    return partial(
        subprocess.run,
        capture_output=True,
        text=True,
        cwd=place,
        env={**os.environ, "EDGEBENCH_STORE": str(shared_store)},
        timeout=500,
        check=False,
    )


@pytest.fixture(scope="module")
def exported(edgebench, place):
    """Measure a case, export it, and return where to."""

    def export(*words):
        start = [sys.executable, "-m", "edgebench"]
        done = edgebench([*start, "run", *words, *QUICK])
        assert done.returncode == 0, done.stderr + done.stdout
        (case,) = [c for c in json.loads(done.stdout)["cases"] if c["status"] == "ok"]
        out = place / f"out-{case['id']}"
        plugins = ["--plugin", "mine.py"] if "mine.py" in words else []
        said = edgebench([*start, "export", case["id"][:6], "-o", str(out), "--json", *plugins])
        assert said.returncode == 0, said.stderr
        return out, json.loads(said.stdout), case

    return export


@pytest.mark.framework
@pytest.mark.parametrize(
    ("chain", "placement", "backend"),
    [
        ("identity", "mobile", "torch"),
        ("identity", "cloud", "onnxruntime(graph_optimization=basic)"),
        ("sptq+partition", "mobile-edge", "onnxruntime"),
        ("partition", "mobile-edge", "mobile=openvino,edge=onnxruntime"),
        ("sptq+partition(pieces=3)", THREE, "openvino"),
    ],
)
def test_programs_give_what_the_pipeline_gave(
    exported, tmp_path, conforms, chain, placement, backend
):
    words = ("--operator", chain, "--placement", placement, "--backend", backend)
    out, said, case = exported(*RESNET, *words, *PASSED[placement])
    conforms(said, "export")
    tiers = placement.split("-")
    assert said["pieces"] == [f"{number}-{tier}" for number, tier in enumerate(tiers, start=1)]
    wanted = load(out / "output.npz")
    for served in (False, True):
        found = run_exported(out, tmp_path / "mine.npz", served=served)
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            assert found[name].dtype == array.dtype
            assert np.allclose(found[name], array, rtol=1e-6, atol=1e-6)
    document = json.loads((out / "pipeline.json").read_text())
    assert document["licence"] == said["licence"] == "none: the weights are random"
    assert json.loads((out / "figures.json").read_text())["case"]["latency_s"] == case["latency_s"]
    needed = (out / said["pieces"][-1] / "requirements.txt").read_text()
    assert f"numpy=={np.__version__}\n" in needed
    assert "edgebench" not in needed
    assert "the first sample of the test split" in " ".join(
        (out / "README.txt").read_text().split()
    )


@pytest.mark.framework
def test_samples_leave_early_on_the_tier_where_they_may(exported, place, tmp_path, shared_store):
    """Of a batch some leave after the first piece and the others pass two more."""
    text = EXAMPLE.read_text().replace("\ndef build(", HEAD)
    (place / "mine.py").write_text(text.replace("weights=[", f"{EXITS}weights=["))
    chain = f"{DYNAMIC}+partition(pieces=3)"
    words = ("--operator", chain, "--placement", THREE, "--backend", "onnxruntime", *LINKS)
    batch = ("--batch", "24")
    out, _, case = exported("--plugin", "mine.py", "--model", "fault-finder", *words, *batch)
    known = json.loads((out / "1-mobile" / "piece.json").read_text())
    assert case["exit_rates"]
    wanted = load(out / "output.npz")
    inputs = load(out / "input.npz")
    assert [len(array) for array in inputs.values()] == [24]
    for served in (False, True):
        found = run_exported(out, tmp_path / "mine.npz", served=served)
        for name, array in wanted.items():
            assert np.allclose(found[name], array, rtol=1e-5, atol=1e-6)
    exits = [stage["exit"] for stage in known["stages"]]
    stages = json.loads((out / "pipeline.json").read_text())["stages"]
    assert any(exits) or any(stage["exit"] for stage in stages)


def test_mistakes(measured, tmp_path, capsys, toy, mistaken, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case, db = measured.case("identity")["id"], ("--db", str(measured.db), "--plugin", str(toy))

    def here(*words):
        status = main(["export", *words, *db])
        out, err = capsys.readouterr()
        return type("Said", (), {"status": status, "out": out, "err": err})

    mistaken(here(case, "-o", "out"), "toy-numpy", "cannot be exported")
    assert not (tmp_path / "out").exists()
    mistaken(here(case), "-o")
    mistaken(here("ffffffff", "-o", "out"), "ffffffff")
    mistaken(here(case, "-o", "out", "--run", "none"), "holds no run")
    skipped = next(c["id"] for c in measured.document["cases"] if c["status"] == "skipped")
    mistaken(here(skipped, "-o", "out"), skipped, "was not measured")
    monkeypatch.setenv("EDGEBENCH_STORE", str(tmp_path / "else"))
    mistaken(here(case, "-o", "out"), "no longer in the store", f"run --case {case}")
