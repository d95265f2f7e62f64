"""A stranger's model that does not take the whole of a request has that said of its results."""

from __future__ import annotations

from textwrap import dedent

MODEL = """
    import attrs

    from edgebench import Model, Pipeline, Stage, TensorSpec, hookimpl

    def build(variant, weights):
        import numpy as np

        matrix = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
        stage = Stage(format="toy-matrix", live=matrix,
                      inputs=[TensorSpec(name="input", dtype="float32", shape=("batch", 8))],
                      outputs=[TensorSpec(name="scores", dtype="float32", shape=("batch", 3))])
        return Pipeline(model="cutter", variant=variant, stages=[stage], outputs=["scores"],
                        resources={"takes.txt": b"7" if variant == "short" else b"8"})

    def bind(model, variant, resources):
        takes = int(resources["takes.txt"])
        return attrs.evolve(model, shortens=lambda row, variant: len(row) > takes)

    @hookimpl
    def edgebench_models():
        from edgebench import Variant
        yield Model(name="cutter", summary="One matrix.", build=build, format="toy-matrix",
                    variants=[Variant(name="short"), Variant(name="long")], dataset="toy-points",
                    bind=bind, shortens=lambda row, variant: False)
"""


def test_results_say_of_how_many_samples_something_was_left_out(cli, toy, tmp_path):
    file = tmp_path / "cutter.py"
    file.write_text(dedent(MODEL))
    said = cli("run", "--plugin", toy, "--plugin", file, "--model", "cutter:short", "--model",
               "cutter:long", "--backend", "toy-numpy", "--blocks", "1", "--requests", "4",
               "--json")  # fmt: skip
    assert said.status == 0, said.err
    doubts = {
        case["variant"]: [doubt for doubt in case["doubts"] if "samples are longer" in doubt]
        for case in said.json["cases"]
    }
    (doubt,) = doubts["short"]
    assert doubt.endswith("samples are longer than cutter:short takes and were shortened")
    count, _, of, *_ = doubt.split()
    assert int(count) == int(of) > 0
    assert doubts["long"] == []
