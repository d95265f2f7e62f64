"""What a backend computes is held against another's, and what is none costs one case at most."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest

# Backends that compute something else than they should, each in a way of its own.
ODD = """
    import json, pathlib, sys
    from contextlib import contextmanager
    import attrs
    from edgebench import Backend, Dataset, Metric, Model, Operator, Variant, hookimpl

    def spoil(how, scores):
        import numpy as np
        if how == "nan":
            return np.where(np.arange(scores.shape[1]) == 1, np.float32("nan"), scores)
        return {
            "zeros": lambda: scores * 0, "narrow": lambda: scores[:, :-1],
            "flat": lambda: scores[0], "double": lambda: scores.astype("f8"),
            "list": scores.tolist, "near": lambda: scores * np.float32(1 + 1e-5),
            "far": lambda: scores * np.float32(1.005),
        }[how]()

    @attrs.frozen
    class Session:
        inner: object
        how: str

        def run(self, inputs):
            return {name: spoil(self.how, out) for name, out in self.inner.run(inputs).items()}

    def opening(how):
        @contextmanager
        def open_session(stage, device, threads, options):
            toy = sys.modules["edgebench_file_toy"]
            with toy.open_session(stage, device, threads, options) as inner:
                yield Session(inner, how)
        return open_session

    @hookimpl
    def edgebench_backends():
        for how in ("nan", "zeros", "narrow", "flat", "double", "list", "near", "far"):
            yield Backend(name=f"x-{how}", summary="Odd.", open=opening(how),
                          formats=["toy-matrix"])

    def nothing(counts):
        return float("nan")

    @hookimpl
    def edgebench_datasets():
        toy = sys.modules["edgebench_file_toy"]
        metric = Metric(name="odd", count=lambda scores, answer: [1.0], value=nothing)
        yield Dataset(name="odd-points", summary="Points.", samples=toy.samples,
                      metrics=lambda: [metric])

    @hookimpl
    def edgebench_models():
        toy = sys.modules["edgebench_file_toy"]
        yield Model(name="unmeasured", summary="Odd.", build=toy.build, dataset="odd-points",
                    variants=[Variant(name="small")], format="toy-matrix")
"""
QUICK = ("--blocks", "2", "--requests", "3", "--seed", "3")


@pytest.fixture
def run(cli, toy, tmp_path):
    file = tmp_path / "stranger.py"
    file.write_text(dedent(ODD))

    def start(*words, model="toy"):
        return cli(
            "run", "--plugin", toy, "--plugin", file, "--model", model, *words, *QUICK, "--json",
            EDGEBENCH_STORE=str(tmp_path / "store"),
        )  # fmt: skip

    return start


def backends(*names):
    return [word for name in names for word in ("--backend", name)]


def test_values_that_are_no_numbers_are_a_doubt_and_the_other_cases_are_measured(run):
    said = run(*backends("x-nan", "toy-numpy"), "--weights", "random")
    assert said.status == 0, said.err
    cases = {case["backend"]: case for case in said.json["cases"]}
    assert {case["status"] for case in cases.values()} == {"ok"}
    odd, sound = cases["x-nan"], cases["toy-numpy"]
    assert "16 of 48 values of its outputs are NaN or infinite" in odd["doubts"]
    assert (odd["agreement"]["unlike"], odd["agreement"]["values"]) == (16, 48)
    assert any("16 of 48 values are NaN or infinite in one alone" in d for d in odd["doubts"])
    assert odd["refuted"]
    assert not sound["refuted"]
    (decision,) = said.json["decisions"]
    assert decision["fastest"] == sound["id"]
    # A run that goes on gets as far.
    assert run(*backends("x-nan", "toy-numpy"), "--weights", "random", "--resume").status == 0


def test_a_metric_that_gives_no_number_costs_its_case_the_figure(run):
    said = run(*backends("toy-numpy"), model="unmeasured")
    assert said.status == 0, said.err
    (case,) = said.json["cases"]
    assert (case["status"], case["accuracy"]) == ("ok", {})
    assert case["no_accuracy"] == "odd is no number over 60 samples"


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("x-narrow", r"'scores' as float32 of shape (1, 2), not as float32 of shape (batch=1, 3)"),
        ("x-flat", r"'scores' as float32 of shape (3), not as"),
        ("x-double", "'scores' as float64 of shape (1, 3), not as float32"),
        ("x-list", "'scores' as a list, not as an array"),
    ],
)
def test_outputs_that_were_not_announced_are_a_failed_row(run, backend, said):
    found = run(*backends(backend))
    assert found.status == 1
    (case,) = found.json["cases"]
    assert case["status"] == "failed"
    assert said in case["reason"]
    assert case["reason"].count(backend) == 1
    assert re.search(rf"backend {backend} \(.*\): it gave .* on mobile in stage 0$", case["reason"])


def test_what_disagrees_is_doubted_with_its_numbers_and_is_never_the_fastest(run):
    words = (*backends("toy-numpy", "x-near", "x-far", "x-zeros"), "--operator", "identity",
             "--operator", "toy-round")  # fmt: skip
    said = run(*words)
    assert said.status == 0, said.err
    cases = said.cases()
    runtimes = {
        name: cases[f"identity mobile {name}"]["runtimes"][0]["verdict"]
        for name in ("toy-numpy", "x-near", "x-far", "x-zeros")
    }
    assert runtimes == {
        "toy-numpy": "agrees", "x-near": "agrees", "x-far": "differs", "x-zeros": "differs",
    }  # fmt: skip
    far = cases["identity mobile x-far"]
    assert far["agreement"]["relative_difference"] == pytest.approx(0.005, rel=1e-3)
    assert any(
        "'scores' differs by up to 0.005 of its largest value, where 0.001 is rounding" in doubt
        for doubt in far["doubts"]
    )
    # What was made of the model for a backend that computes another one is worth no more.
    rounded = cases["toy-round mobile x-zeros"]
    assert rounded["refuted"]
    assert any("does not agree with toy:small untransformed" in d for d in rounded["doubts"])
    (decision,) = said.json["decisions"]
    good = {case["id"] for case in cases.values() if not case["refuted"]}
    assert len(good) == 4
    assert {decision["fastest"], *decision["equal"], *decision["undecided"]} <= good


def test_with_one_runtime_it_is_said_that_nothing_was_checked(cli, toy):
    words = ("run", "--plugin", toy, "--model", "toy", "--weights", "random", "--backend",
             "toy-numpy", "--without", "openvino", *QUICK)  # fmt: skip
    said = cli(*words, "--json")
    (case,) = said.json["cases"]
    assert case["agreement"] is None
    assert case["no_agreement"] == "not checked against another runtime"
    assert "not checked against another runtime" in cli("report", "--plugin", toy).out


UNKEPT = """
    import sys
    from contextlib import contextmanager
    from edgebench import Backend, Fabric, hookimpl

    class Half(RuntimeError):
        def __str__(self):
            return "half a character: \\ud800"

    @contextmanager
    def fail(stage, device, threads, options):
        raise Half
        yield

    def seldom(scores, seen=[]):
        return scores

    @hookimpl
    def edgebench_backends():
        toy = sys.modules["edgebench_file_toy"]
        yield Backend(name="a-half", summary="Fails.", open=fail, formats=["toy-matrix"])
        yield Backend(name="b-text", summary="Of no number.", open=toy.open_session,
                      formats=["toy-matrix"], versions=lambda: {"toy": float("inf")})
"""


def test_what_no_database_holds_costs_one_case(cli, toy, tmp_path):
    file = tmp_path / "unkept.py"
    file.write_text(dedent(UNKEPT))
    words = ("run", "--plugin", toy, "--plugin", file, "--model", "toy", "--weights", "random",
             *backends("a-half", "b-text", "toy-numpy"), *QUICK)  # fmt: skip
    said = cli(*words, "--json", EDGEBENCH_STORE=str(tmp_path / "store"))
    assert said.status == 1, said.err
    cases = {case["backend"]: case for case in said.json["cases"]}
    assert cases["a-half"]["status"] == "failed"
    assert "half a character" in cases["a-half"]["reason"]
    assert cases["b-text"]["status"] == "failed"
    assert cases["toy-numpy"]["status"] == "ok"
    shown = cli("report", "--plugin", toy, EDGEBENCH_STORE=str(tmp_path / "store"))
    assert shown.status == 0, shown.err
    assert "half a character" in " ".join(shown.out.split())
