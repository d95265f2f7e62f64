"""Conducting: order, events, reasons, shared scores; each through the command line."""

from __future__ import annotations

import json
import re
from textwrap import dedent

import pytest

from edgebench.store.artifacts import Store

from .worlds import COMPILING, blocks

NOTING = """
    import json, pathlib
    import attrs
    from edgebench import (Backend, DataError, Dataset, Metric, Model, Operator, Variant, hookimpl)

    HERE = pathlib.Path(__file__).parent

    def note(*words):
        with (HERE / "events").open("a") as events:
            events.write(json.dumps(words) + "\\n")

    @hookimpl
    def edgebench_case_started(case):
        note("started", case.model, case.chain)

    @hookimpl
    def edgebench_block_finished(case, block):
        note("block", case.model, case.chain, block.number, block.status)

    @hookimpl
    def edgebench_case_finished(case, result):
        note("finished", case.model, case.chain, result.status, len(result.blocks))

    def fail(pipeline, context):
        print("half way")
        raise ValueError("no such\\nluck")

    def refuse(pipeline, context):
        print("half way")
        raise DataError("no such data")

    @hookimpl
    def edgebench_operators():
        yield Operator(name="fail", summary="Fails.", apply=fail)
        yield Operator(name="refuse", summary="Refuses.", apply=refuse)
        yield Operator(name="choosy", summary="Refuses.", apply=fail,
                       accepts=lambda pipeline: "its matrix is too small")
        yield Operator(name="far", summary="Cuts.", apply=fail, cuts=lambda options: 1)

    def broken(counts):
        raise ArithmeticError("cannot be told")

    @hookimpl
    def edgebench_datasets():
        import sys
        toy = sys.modules["edgebench_file_toy"]
        metric = Metric(name="odd", count=lambda scores, answer: [1.0], value=broken)
        yield Dataset(name="odd-points", summary="Points.", samples=toy.samples,
                      metrics=lambda: [metric])

    @hookimpl
    def edgebench_models():
        import sys
        toy = sys.modules["edgebench_file_toy"]
        yield Model(name="odd", summary="Odd.", build=toy.build, dataset="odd-points",
                    variants=[Variant(name="small")], format="toy-matrix")
"""


@pytest.fixture
def run(cli, toy, tmp_path):
    """Run with a stranger's file beside the toy, over a store of its own."""

    def start(plugin, *words, store="store"):
        file = tmp_path / "stranger.py"
        file.write_text(dedent(plugin))
        plugins = ("--plugin", toy, "--plugin", file)
        return cli("run", *plugins, *words, "--json", EDGEBENCH_STORE=str(tmp_path / store))

    return start


def rows(said):
    return {
        (case["model"], case["chain"]): (case["status"], case["reason"])
        for case in said.json["cases"]
    }


def operators(*chains):
    return [word for chain in chains for word in ("--operator", chain)]


def test_every_case_is_a_row_with_its_reason_and_plugins_are_told_of_each(run, tmp_path):
    chains = ("identity", "toy-round", "fail", "choosy", "far")
    said = run(
        NOTING, "--model", "toy", "--model", "odd", *operators(*chains), "--backend", "toy-numpy",
        "--blocks", "2", "--requests", "3",
    )  # fmt: skip
    assert said.status == 1
    found = rows(said)
    assert found["toy", "identity"] == ("ok", "")
    assert found["toy", "toy-round"] == ("ok", "")
    status, reason = found["toy", "fail"]
    assert status == "failed"
    assert re.fullmatch(r"operator fail \(.*\): ValueError: no such", reason)
    assert found["toy", "choosy"] == (
        "skipped", "choosy cannot be applied to toy: its matrix is too small",
    )  # fmt: skip
    assert found["toy", "far"] == ("skipped", "mobile needs 1 piece, far gives 2")
    assert found["odd", "identity"] == ("failed", "ArithmeticError: cannot be told")

    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    finished = [tuple(event[1:3]) for event in events if event[0] == "finished"]
    assert sorted(finished) == sorted(found)
    of = [event for event in events if event[1:3] == ["toy", "identity"]]
    assert [event[0] for event in of] == ["started", "block", "block", "finished"]
    assert of[-1][3:] == ["ok", 2]
    assert [e for e in events if e[1:3] == ["toy", "fail"]] == [
        ["started", "toy", "fail"], ["finished", "toy", "fail", "failed", 0],
    ]  # fmt: skip
    assert [e[0] for e in events if e[1:3] == ["toy", "far"]] == ["finished"]

    kept = blocks(tmp_path / "edgebench.db")
    rounds = [number for _, _, number, *_ in kept]
    assert rounds == [0, 0, 1, 1]
    orders = [order for *_, order in kept]
    assert orders == sorted(set(orders))


def test_what_a_failed_case_printed_is_kept(run, cli):
    said = run(NOTING, "--model", "toy", *operators("fail"), "--backend", "toy-numpy")
    (case,) = said.json["cases"]
    shown = cli("logs", case["id"])
    assert shown.status == 0
    assert "half way" in shown.out
    assert "ValueError: no such" in shown.out


def test_what_was_printed_before_data_were_refused_is_kept_too(run, cli):
    said = run(NOTING, "--model", "toy", *operators("refuse"), "--backend", "toy-numpy")
    assert rows(said)["toy", "refuse"] == ("failed", "no such data")
    assert "half way" in cli("logs", said.json["cases"][0]["id"]).out


FAILING_ONCE = """
    import pathlib, sys
    from edgebench import Backend, hookimpl

    HERE = pathlib.Path(__file__).parent

    @hookimpl
    def edgebench_block_finished(case, block):
        (HERE / "first").touch()

    def open_once_not(stage, device, threads, options):
        if (HERE / "first").exists() and not (HERE / "second").exists():
            (HERE / "second").touch()
            raise RuntimeError("not now")
        return sys.modules["edgebench_file_toy"].open_session(stage, device, threads, options)

    @hookimpl
    def edgebench_backends():
        yield Backend(name="moody", summary="Fails once.", open=open_once_not,
                      formats=["toy-matrix"])
"""


def test_requests_of_a_block_that_failed_are_not_put_down_to_the_time(run):
    said = run(FAILING_ONCE, "--model", "toy", "--backend", "moody", "--blocks", "3")
    (case,) = said.json["cases"]
    assert (case["status"], case["samples"]) == ("partial", 200)
    assert case["stopped"] == "3 blocks planned"


RAISING = """
    from edgebench import hookimpl

    @hookimpl
    def edgebench_case_started(case):
        if case.chain == "toy-round":
            raise OSError("not at the start")

    @hookimpl
    def edgebench_block_finished(case, block):
        if case.chain == "toy-round(digits=1)":
            raise OSError("not in between")

    @hookimpl
    def edgebench_case_finished(case, result):
        if case.chain == "toy-round(digits=3)":
            raise OSError("not at the end")
"""


def test_a_plugin_that_raises_when_told_costs_its_case_at_most(run, tmp_path):
    chains = [f"toy-round(digits={digits})" for digits in (1, 2, 3, 4)]
    said = run(
        RAISING, "--model", "toy", *operators(*chains), "--backend", "toy-numpy",
        "--blocks", "2", "--requests", "3",
    )  # fmt: skip
    assert said.status == 1
    cases = {case["chain"]: case for case in said.json["cases"]}
    started, between = cases["toy-round"], cases["toy-round(digits=1)"]
    assert started["status"] == "failed"
    assert started["reason"].endswith("fails in edgebench_case_started: OSError: not at the start")
    assert between["status"] == "failed"
    assert between["reason"].endswith("edgebench_block_finished: OSError: not in between")
    ended, whole = cases["toy-round(digits=3)"], cases["toy-round(digits=4)"]
    assert ended["status"] == whole["status"] == "ok"
    assert any("OSError: not at the end" in doubt for doubt in ended["doubts"])
    assert ended["accuracy"] is not None
    # The block that was measured before the plugin raised is kept, and no other of that case.
    of = [case for _, case, *_ in blocks(tmp_path / "edgebench.db")]
    assert [of.count(case["id"]) for case in (started, between, ended, whole)] == [0, 1, 2, 2]


NOTHING = "from edgebench import hookimpl\n\n@hookimpl\ndef edgebench_models():\n    return []\n"


def scores(tmp_path):
    return [e.what for e in Store(tmp_path / "store").entries() if e.what.startswith("score")]


def test_scores_are_shared_by_placements_and_by_runs(run, tmp_path):
    words = ("--model", "toy", *operators("identity"), "--backend", "toy-numpy", "--blocks", "1",
             "--requests", "3", "--placement", "mobile", "--placement", "edge")  # fmt: skip
    first = run(NOTHING, *words)
    assert first.status == 0, first.err
    # The untransformed model to compare with has come to the same bytes: one score for all.
    (only,) = scores(tmp_path)
    second = run(NOTHING, *words, "--requests", "4")
    assert scores(tmp_path) == [only]
    accuracies = [case["accuracy"] for said in (first, second) for case in said.json["cases"]]
    assert len(accuracies) == 4
    assert all(accuracy == accuracies[0] for accuracy in accuracies)


BROKEN_REFERENCE = """
    from contextlib import contextmanager
    import attrs
    import numpy as np
    from edgebench import Backend, Converter, Format, Model, Pipeline, Stage, TensorSpec, hookimpl

    def build(variant, weights):
        specs = [TensorSpec(name=name, dtype="float32", shape=("batch", 3)) for name in "xy"]
        stage = Stage(format="own", inputs=specs[:1], outputs=specs[1:],
                      live=np.eye(3, dtype="float32"))
        return Pipeline(model="own", variant="one", stages=[stage], outputs=["y"])

    def save(stage, directory):
        np.save(directory / "own.npy", stage.live)
        return ["own.npy"]

    @contextmanager
    def refuse(stage, device, threads, options):
        raise RuntimeError("out of order")
        yield

    @hookimpl
    def edgebench_models():
        yield Model(name="own", summary="Gives back its input.", build=build, format="own")

    @hookimpl
    def edgebench_formats():
        yield Format(name="own", summary="An array.", save=save,
                     load=lambda stage, rebuild: np.load(stage.file))

    @hookimpl
    def edgebench_converters():
        yield Converter(name="own-toy", summary="Renames.", source="own", target="toy-matrix",
                        convert=lambda stage, _: stage.changed(stage.live, format="toy-matrix"))

    @hookimpl
    def edgebench_backends():
        yield Backend(name="broken", summary="Comes with it.", open=refuse, formats=["own"])
"""


def test_a_reference_that_fails_is_a_doubt(run):
    said = run(BROKEN_REFERENCE, "--model", "own", *operators("identity"), "--backend",
               "toy-numpy", "--blocks", "1", "--requests", "3")  # fmt: skip
    assert said.status == 0, said.out
    (case,) = said.json["cases"]
    assert case["agreement"] is None
    (doubt,) = [d for d in case["doubts"] if d.startswith("not compared")]
    assert doubt.startswith("not compared with the untransformed model: scoring: ")
    assert "RuntimeError: out of order" in doubt


def test_a_shared_score_does_not_spare_the_compiling(run, tmp_path):
    words = ("--model", "toy", *operators("identity"), "--backend", "compiling", "--blocks", "1",
             "--requests", "3")  # fmt: skip
    first = run(COMPILING, *words, "--threads", "1")
    second = run(COMPILING, *words, "--threads", "2")
    assert [case["status"] for said in (first, second) for case in said.json["cases"]] == (
        ["ok", "ok"]
    )
    kept = (tmp_path / "store" / "compiled").rglob("threads")
    assert sorted(file.read_text() for file in kept) == ["1", "2"]


def test_scoring_and_measuring_a_case_share_one_compiling(run, tmp_path):
    words = ("--backend", "compiling", "--blocks", "1", "--requests", "3")
    said = run(COMPILING, "--model", "toy", *operators("toy-round"), *words)
    assert [case["status"] for case in said.json["cases"]] == ["ok"], said.err
    # One for the case, and one for its model untransformed, with which it is compared.
    assert (tmp_path / "notes").read_text().splitlines() == ["compiled", "compiled"]
