"""Predictions that a run measures: the toys, cut at places that an operator lists."""

from __future__ import annotations

import pytest

from ..conftest import TOY

SPLIT = '''
"""Cuts the toy wherever it is told to; how much each side computes is only announced."""
import attrs
import numpy as np

from edgebench import Cut, Cuts, Operator, TensorSpec, hookimpl

WORK = 1000


@attrs.frozen(kw_only=True)
class Options:
    share: float = 0.5
    """The share of the operations before the cut."""


def split(pipeline, context):
    (stage,) = pipeline.stages
    left, sizes, right = np.linalg.svd(stage.live, full_matrices=False)
    middle = TensorSpec(name="middle", dtype="float32", shape=("batch", 3))
    share = context.options.share
    front = stage.changed((left * sizes).astype(np.float32), operations=round(WORK * share))
    back = stage.changed(right.astype(np.float32), operations=round(WORK * (1 - share)))
    return pipeline.replaced(
        [attrs.evolve(front, outputs=[middle]), attrs.evolve(back, inputs=[middle])], cuts=[1]
    )


def list_cuts(pipeline, context):
    middle = TensorSpec(name="middle", dtype="float32", shape=("batch", 3))
    cuts = [
        Cut(
            crossing=[middle],
            bytes=12,
            parameters=[share, 1 - share],
            operations=[share, 1 - share],
            exact=True,
            written=f"toy-split(share={share})",
        )
        for share in (0.2, 0.5, 0.8)
    ]
    return Cuts(cuts=cuts, total=3, more=False)


@hookimpl
def edgebench_operators():
    yield Operator(name="toy-split", summary="Cut in two, somewhere.", apply=split,
                   options=Options, reads=["toy-matrix"], cuts=lambda options: 1,
                   list_cuts=list_cuts)
'''
HOW = ("--plugin", TOY, "--plugin", "split.py", "--model", "toy", "--backend", "toy-numpy",
       "--blocks", 2, "--requests", 3, "--link", "mobile-edge=10mbit", "--quiet")  # fmt: skip


@pytest.fixture
def split(cli, tmp_path, shared_store):
    """Run the toys with an operator beside them that lists its cuts."""
    (tmp_path / "split.py").write_text(SPLIT)

    def run(*words):
        return cli(*words, EDGEBENCH_STORE=str(shared_store))

    return run


def test_a_run_measures_the_best_cuts_that_it_predicts(split, conforms):
    words = ("--operator", "identity", "--operator", "toy-split", "--placement", "mobile-edge")
    said = split("run", *HOW, *words, "--placement", "mobile", "--verify-predictions", 1, "--json")
    assert said.status == 0, said.err
    cases = conforms(said.json, "run")["cases"]
    verified = [one for one in cases if one["prediction"]]
    (one,) = verified
    assert one is cases[-1]
    assert one["chain"] in ("toy-split(share=0.2)", "toy-split(share=0.8)")
    assert (one["status"], one["blocks"]) == ("ok", 2)
    found = one["prediction"]
    assert found["kind"] == "cut"
    base = next(case for case in cases if case["chain"] == "toy-split")
    assert found["base"] == base["id"]
    assert found["error"] == pytest.approx(found["median_s"] / one["latency_s"]["median"] - 1)
    # The rounds of what was verified are none that the others were measured in.
    report = split("report", "--plugin", TOY)
    assert "predicted" in report.out
    again = split("predict", "--plugin", TOY, "--plugin", "split.py", "--json")
    left = {cut["chain"] for cut in conforms(again.json, "predict")["cuts"]}
    assert left == {"toy-split(share=0.2)", "toy-split(share=0.8)"} - {one["chain"]}


def test_a_run_measures_strategies_under_the_link_that_is_predicted(split):
    words = ("--operator", "toy-split", "--placement", "mobile-edge", "--json")
    said = split("run", *HOW, *words, "--verify-predictions", 9, "--predict-link",
                 "mobile-edge=1mbit,5ms")  # fmt: skip
    assert said.status == 0, said.err
    first, *verified = said.json["cases"]
    assert first["prediction"] is None
    kinds = [(one["chain"], one["prediction"]["kind"]) for one in verified]
    assert sorted(kinds) == [
        ("toy-split", "links"),
        ("toy-split(share=0.2)", "cut"),
        ("toy-split(share=0.8)", "cut"),
    ]
    assert {one["network"][0]["rate_bit_s"] for one in verified} == {1e6}
    # 10 ms of delay and some bytes are known to the microsecond; the rest is what varies.
    links = next(one for one in verified if one["chain"] == "toy-split")
    assert abs(links["prediction"]["error"]) < 0.5


def test_a_link_to_predict_needs_a_number_to_verify(split):
    said = split("run", *HOW, "--operator", "toy-split", "--placement", "mobile-edge",
                 "--predict-link", "mobile-edge=1mbit")  # fmt: skip
    assert said.status == 2
    assert "add --verify-predictions N" in said.err


def test_cuts_are_predicted_of_a_run_that_only_cut(cli, tmp_path):
    """The model as the cut was given it is in the store, whatever else was made of it."""
    (tmp_path / "split.py").write_text(SPLIT)
    alone = {"EDGEBENCH_STORE": str(tmp_path / "store")}
    said = cli("run", *HOW, "--operator", "toy-split", "--placement", "mobile-edge", **alone)
    assert said.status == 0, said.err
    plugins = ("--plugin", TOY, "--plugin", "split.py")
    found = cli("predict", *plugins, "--json", **alone).json
    assert len(found["cuts"]) == 2, found["not_predicted"]
    # Other code made what lies there, so that what it would make now is not known.
    (tmp_path / "toy.py").write_text(f"{TOY.read_text()}\nOTHER = 1\n")
    other = ("--plugin", "toy.py", "--plugin", "split.py")
    why = cli("predict", *other, "--json", **alone).json["not_predicted"][0]["reason"]
    assert "the code of its plugins" in why
    assert "`edgebench run` with toy-split makes it" in why
