"""A stranger's own torch model, changed by a stranger's operators with the shipped trainer."""

from __future__ import annotations

import pytest

NET = """
    from edgebench import Budget, Edit, Exit, Model, Operator, Pipeline, Stage, TensorSpec, hookimpl

    def spec(name, *shape):
        return TensorSpec(name=name, dtype="float32", shape=("batch", *shape))

    def net():
        from torch import nn

        return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))

    def build(variant, weights):
        import torch

        torch.manual_seed(weights.seed)
        stage = Stage(format="torch-module", inputs=[spec("input", 8)],
                      outputs=[spec("scores", 3)], live=net())
        return Pipeline(model="net", variant=variant, stages=[stage], outputs=["scores"])

    def loss(outputs, answers):
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs["scores"], answers)

    @hookimpl
    def edgebench_models():
        yield Model(name="net", summary="Two layers.", build=build, dataset="toy-points",
                    format="torch-module", loss=loss)
"""

TUNE = """
    def tune(pipeline, context):
        budget = Budget(epochs=8, batch=16, learning_rate=0.02)
        stages = [context.fit(context.live(stage), budget=budget) for stage in pipeline.stages]
        context.score(pipeline.replaced(stages), "validation")
        return pipeline.replaced(stages)

    @hookimpl
    def edgebench_operators():
        yield Operator(name="tune", summary="Train on.", apply=tune, reads=["torch-module"],
                       needs=["training", "validation"])
"""

EXIT = """
    def module(live, arguments):
        import torch

        class Front(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.body, self.head = live[:2], live[2]

            def forward(self, x):
                hidden = self.body(x)
                early = self.head(hidden)
                return hidden, early, torch.softmax(early, 1).amax(1)

        return Front() if arguments["part"] == "front" else live[2]

    def early(pipeline, context):
        stage = context.live(pipeline.stages[0])
        parts = [Edit(operator="early", arguments='{"part": "%s"}' % p) for p in ("front", "back")]
        front, back = (
            stage.changed(module(stage.live, part.values), edits=[*stage.edits, part]) for part in parts
        )
        import attrs

        leaves = Exit(condition="sure", answer=["early"], threshold=0.9)
        front = attrs.evolve(front, outputs=[spec("hidden", 16), spec("early", 3), spec("sure")], exit=leaves)
        return pipeline.replaced([front, attrs.evolve(back, inputs=[spec("hidden", 16)])])

    @hookimpl
    def edgebench_operators():
        yield Operator(name="early", summary="Leave when sure.", apply=early, reads=["torch-module"],
                       replay=module)
"""


@pytest.fixture
def net(tmp_path, cli, toy):
    """Write the model and an operator as one file each, and measure a chain of them."""
    from textwrap import dedent

    def measured(operators: str, chain: str, backend: str):
        file = tmp_path / "net.py"
        file.write_text(dedent(NET) + dedent(operators))
        return cli(
            "run", "--plugin", toy, "--plugin", file, "--model", "net", "--operator", chain,
            "--backend", backend, "--blocks", "1", "--requests", "6", "--json",
        )  # fmt: skip

    return measured


def test_an_operator_that_fine_tunes_survives_a_save_and_a_load_in_a_fresh_process(net):
    plain = net(TUNE, "identity", "torch")
    assert plain.json["cases"][0]["accuracy"]["accuracy"] < 0.8, (
        "its weights are as they were drawn"
    )
    for chain in ("tune", "tune+tune"):
        # The second chain opens, in a process of its own, what the first left in the store.
        said = net(TUNE, chain, "torch")
        assert said.status == 0, said.err + said.out
        (case,) = said.json["cases"]
        assert case["accuracy"]["accuracy"] > 0.9
        assert case["agreement"]["max_abs_difference"] > 0.01


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_an_operator_that_gives_a_stage_an_exit(net, backend):
    operators = TUNE.replace(
        "@hookimpl\n    def edgebench_operators():", "def tuners():"
    ) + EXIT.replace(
        'yield Operator(name="early"', 'yield from tuners()\n        yield Operator(name="early"'
    )
    done = net(operators, "tune+early", backend)
    assert done.status == 0, done.err + done.out
    (case,) = done.json["cases"]
    assert case["accuracy"]["accuracy"] > 0.9
    assert 0 < case["exit_rates"]["0"] < 1
    assert [stage["tier"] for stage in case["stages"]] == ["mobile", "mobile"]
