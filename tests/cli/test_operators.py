"""`edgebench report --operators`: what each operator did, as a user reads it."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

from .. import foreign
from ..conftest import TOY

CHAINS = ("--operator", "identity", "--operator", "toy-round", "--operator", "toy-round+toy-cut")
EXITS = """
    import sys
    import attrs
    from edgebench import Exit, Operator, hookimpl

    def early(threshold):
        def apply(pipeline, context):
            toy = sys.modules["edgebench_file_toy"]
            (stage,) = pipeline.stages
            context.chose("threshold", threshold)
            context.chose("at", "the middle")
            leaves = Exit(condition="sure", answer=["early"], threshold=threshold)
            specs = [toy.spec("early", 3), attrs.evolve(toy.spec("sure", 1), shape=("batch",))]
            front = attrs.evolve(stage, outputs=specs, exit=leaves)
            return pipeline.replaced([front, stage], cuts=[1])
        return apply

    def within(pipeline, context):
        toy = sys.modules["edgebench_file_toy"]
        (stage,) = pipeline.stages
        sure = attrs.evolve(toy.spec("sure", 1), shape=("batch",))
        leaves = Exit(condition="sure", answer=pipeline.outputs, threshold=0.7)
        return pipeline.replaced(
            [attrs.evolve(stage, outputs=[*stage.outputs, sure], exit=leaves)], cuts=[]
        )

    @hookimpl
    def edgebench_operators():
        yield Operator(name="within", summary="Leave.", apply=within, reads=["toy-matrix"],
                       may_keep=True)
        for name, threshold in (("early", 0.7), ("never", 1e9)):
            yield Operator(name=name, summary="Leave.", apply=early(threshold),
                           cuts=lambda _: 1, reads=["toy-matrix"])
"""


@pytest.fixture
def run(cli, toy, one, tmp_path):
    """Run toys with further words, and return what the report of operators says of it."""
    (tmp_path / "exits.py").write_text("\n".join(line[4:] for line in EXITS.splitlines()))
    files = ("--plugin", toy, "--plugin", tmp_path / "exits.py")

    def measure(*words):
        said = cli("run", *one, *files, *words, "--json")
        assert said.status == 0, said.err
        return said.json

    return measure


def flowing(text):
    return " ".join(text.split())


def entries(document):
    return {f"{entry['chain']}": entry for entry in document["operators"]}


@pytest.fixture(scope="module")
def chained(tmp_path_factory, process):
    """Run a chain and its beginnings once, in a store of its own; the whole chain comes first."""
    place = tmp_path_factory.mktemp("chained")
    words = ("--model", "toy", "--backend", "toy-numpy", "--blocks", "1", "--requests", "3")
    words += (*CHAINS[4:], *CHAINS[:4], "--placement", "mobile-edge", "--placement", "mobile")
    done = subprocess.run(
        [sys.executable, "-m", "edgebench", "run", "--json", "--plugin", str(TOY), *words],
        capture_output=True,
        text=True,
        cwd=place,
        env={**os.environ, "EDGEBENCH_STORE": str(place / "store")},
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return place / "edgebench.db", json.loads(done.stdout)


def test_each_link_of_a_chain_is_held_against_the_chain_without_it(chained, conforms):
    """Also where that is measured later: the order of a plan is no part of the answer."""
    document = conforms(chained[1], "run")
    steps = entries(document)["toy-round+toy-cut"]["steps"]
    assert [step["what"] for step in steps] == ["built", "toy-round", "toy-cut"]
    built, rounded, cut = steps
    assert 0 < built["training_s"] < built["seconds"]
    assert (rounded["precisions"], rounded["pieces"], cut["pieces"]) == (["int8"], 1, 2)
    assert rounded["after"]["contribution"]["against"] == "identity"
    assert cut["after"]["contribution"]["against"] == "toy-round"
    cases = {case["chain"]: case for case in document["cases"] if case["latency_s"]}
    loss = rounded["after"]["accuracy_loss"]["accuracy"]["points"]
    assert loss == cases["toy-round"]["accuracy_loss"]["accuracy"]["points"]
    # What a cut adds to rounding is nothing, whatever both lose together.
    assert cut["after"]["contribution"]["accuracy_loss"]["accuracy"]["points"] == 0
    assert cut["after"]["contribution"]["agreement"]["same_answer"] == 1
    assert cases["toy-round+toy-cut"]["stages"][0]["parameters"] is not None


def test_what_was_not_scored_is_said_with_how_it_would_be_or_why_it_cannot(run, here):
    document = run("--placement", "mobile-edge", *CHAINS[2:])
    (entry,) = document["operators"]
    built, rounded, cut = (step["after"] for step in entry["steps"])
    assert built["why_not"] == (
        "not scored in this run: add --operator 'identity' --placement mobile"
    )
    why = (
        "'toy-round' was not scored in this run: skipped: mobile-edge needs 2 pieces, toy-round "
        "gives 1; add --placement mobile"
    )
    assert rounded["why_not"] == cut["contribution"]["why_not"] == why
    text = flowing(here("report", "--operators").out)
    assert f"after toy-round: {why}" in text
    assert f"what toy-cut added is not known: {why}" in text


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_has_a_line_for_each_step_at_every_width(chained, here, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    text = here("report", "--operators", "--db", chained[0]).out
    assert max(map(len, text.splitlines())) <= width
    _, last = text.split("toy:small toy-round+toy-cut")
    for step, precision in (("built", "f32"), ("toy-round", "int8"), ("toy-cut", "int8")):
        assert re.search(rf"^{step} .* {precision} ", last, re.MULTILINE), last
    assert "not measured there: built, toy-round" in flowing(last)
    steps = entries(chained[1])["toy-round+toy-cut"]["steps"]
    for step in steps:
        row = re.search(rf"^{re.escape(step['what'])} +(\S+) +(\S+) ", last, re.MULTILINE)
        size, parameters = row.groups()
        assert float(size) == pytest.approx(step["bytes"] / 1e6, rel=0.1)
        assert float(parameters) == pytest.approx(step["parameters"] / 1e6, rel=0.1)
    assert "Answer" not in text


def test_exits_are_told_by_tier_with_what_was_sent(run, here, monkeypatch):
    document = run("--operator", "early", "--placement", "mobile-edge", "--requests", "40")
    (case,) = document["cases"]
    first, end = case["exits"]
    assert (first["exit"], first["tier"], end["exit"], end["tier"]) == (0, "mobile", None, "edge")
    assert 0 < first["rate"] < 1
    assert first["rate"] == case["exit_rates"]["0"]
    assert first["rate"] + end["rate"] == pytest.approx(1)
    assert first["requests"] + end["requests"] == case["samples"]
    sent, whole = case["bytes_sent"]["mobile"], case["bytes_out"]["mobile"]
    assert sent == pytest.approx(whole * end["rate"])
    monkeypatch.setenv("COLUMNS", "100")
    for words in (("--operators",), ()):
        text = flowing(here("report", *words).out)
        assert "exits of toy:small early on mobile-edge with toy-numpy" in text
        assert "exit 0 (stage 0) mobile" in text
        said = "chosen, early: threshold 0.70, at the middle"
        assert (said in text) == (words == ("--operators",))
        assert "kB a request on average" in text


def test_exits_within_one_graph_are_told_by_their_shares_alone(run, here, conforms):
    document = conforms(run("--operator", "within", "--requests", "40"), "run")
    (case,) = document["cases"]
    first, end = case["exits"]
    assert 0 < first["rate"] == case["exit_rates"]["0"] < 1
    assert {one["requests"] for one in (first, end)} == {None}
    text = here("report", "--operators").out
    for name in (r"exit 0 \(stage 0\)", "the end"):
        assert re.search(rf"^{name} +mobile +[\d.]+ +[\d.]+ +- +-$", text, re.MULTILINE), text


def test_an_exit_that_never_fires_is_told_with_its_evidence(run, here):
    document = run("--operator", "never", "--placement", "mobile-edge")
    (case,) = document["cases"]
    told = [one for one in document["surprises"] if "exit 0" in one["text"]]
    assert [one["case"] for one in told] == [case["id"]]
    assert told[0]["text"] == "exit 0 on mobile lets out 0.0% of 60 scored samples"
    text = flowing(here("report").out)
    assert "What surprises, and why it may be never on mobile-edge" in text
    assert "may be: its threshold lies over nearly all" in text


def test_a_run_of_an_older_edgebench_is_reported_without_its_steps(run, here, tmp_path, conforms):
    run("--operator", "toy-round", "--operator", "identity")
    new = ("steps", "contribution", "exit_rates", "remarks")
    with closing(sqlite3.connect(tmp_path / "edgebench.db")) as db, db:
        for case_id, facts in db.execute("SELECT id, facts FROM cases").fetchall():
            old = {name: held for name, held in json.loads(facts).items() if name not in new}
            for stage in old["stages"]:
                del stage["assignment"]
            db.execute("UPDATE cases SET facts = ? WHERE id = ?", (json.dumps(old), case_id))
    assert conforms(here("report", "--json").json, "run")["operators"] == []
    assert "Answer" in here("report").out
    assert "no case of this run has steps on record" in here("report", "--operators").out


def test_a_users_own_graph_is_quantized_and_cut_with_its_nodes_counted(
    cli, here, tmp_path, conforms, monkeypatch
):
    foreign.scaled(tmp_path / "net.onnx")
    random = np.random.default_rng(0)
    inputs = {"x": (40, 3, 8, 8), "scale": (40, 3)}
    arrays = {name: random.standard_normal(shape).astype("f4") for name, shape in inputs.items()}
    np.savez(tmp_path / "own.npz", **arrays, labels=random.integers(0, 5, 40))
    said = cli(
        *("run", "--json", "--model", "net.onnx(metric=top1)", "--input-data", "own.npz"),
        *("--operator", "identity", "--operator", "sptq", "--operator", "sptq+partition"),
        *("--placement", "mobile", "--placement", "mobile-edge", "--backend", "onnxruntime"),
        *("--blocks", "1", "--requests", "5"),
    )
    assert said.status == 0, said.err
    document = conforms(said.json, "run")
    built, quantized, cut = entries(document)["sptq+partition"]["steps"]
    changed = {one["type"]: (one["before"], one["after"]) for one in quantized["changed_nodes"]}
    assert changed["QuantizeLinear"][0] == changed["DequantizeLinear"][0] == 0
    assert changed["QuantizeLinear"][1] > 0
    assert quantized["nodes"]["Conv"] == built["nodes"]["Conv"] == 1
    # 6 x 6 x 6 values of 27 products each, then 5 of 6.
    assert built["operations"] == quantized["operations"] == cut["operations"] == 5862
    assert cut["after"]["contribution"]["against"] == "sptq"
    whole = next(case for case in document["cases"] if case["chain"] == "sptq+partition"
                 and case["latency_s"])  # fmt: skip
    assert sum(stage["operations"] for stage in whole["stages"]) == 5862
    monkeypatch.setenv("COLUMNS", "120")
    text = flowing(here("report", "--operators").out)
    assert "nodes, sptq: " in text
    assert "QuantizeLinear 0 -> " in text
