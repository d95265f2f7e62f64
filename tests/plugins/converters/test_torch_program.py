"""What is exported is what was there, for every batch, and is compared before it is believed."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
import torch
from torch import nn

from edgebench import CaseFailed, Stage, TensorSpec, Weights
from edgebench_plugins.converters import torch_program
from edgebench_plugins.converters.torch_program import convert
from edgebench_plugins.models import resnet, vgg


def spec(name, *shape):
    return TensorSpec(name=name, dtype="float32", shape=shape)


X, Y = (spec("x", "batch", 4),), (spec("y", "batch", 4),)


def stage_of(module, inputs=X, outputs=Y):
    return Stage(
        format="torch-module",
        inputs=inputs,
        outputs=outputs,
        live=module,
        model="toy",
        variant="a",
    )


def random(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_the_record_names_its_way():
    (converter,) = torch_program.edgebench_converters()
    assert converter.name == "torch-module-to-torch-program"
    assert (converter.source, converter.target) == ("torch-module", "torch-program")


@pytest.mark.parametrize("model", [resnet, vgg], ids=["resnet", "vgg"])
def test_the_models_run_on_any_batch(model):
    stage = model.MODEL.build("small", Weights(kind="random")).stages[0]
    done = convert(stage, {"input": random(4, 3, 32, 32)})
    assert done == attrs.evolve(stage, format="torch-program")
    module, run = stage.live.eval(), done.live.module()
    for batch in (1, 2, 8):
        x = torch.from_numpy(random(batch, 3, 32, 32))
        with torch.no_grad():
            torch.testing.assert_close(run(x), module(x), rtol=0, atol=1e-4)


class Wasteful(nn.Module):
    """A layer, and a product that nobody reads."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        torch.relu(x.new_zeros(x.shape) @ x.new_ones(4, 4))
        return self.layer(x)


def test_what_nothing_reads_is_not_computed():
    done = convert(stage_of(Wasteful()), {"x": random(3, 4)})
    called = [str(node.target) for node in done.live.graph.nodes if node.op == "call_function"]
    assert called == ["aten.linear.default"]


def test_one_example_is_enough():
    done = convert(stage_of(nn.Linear(4, 4)), {"x": random(1, 4)})
    assert [done.live.module()(torch.ones(n, 4)).shape[0] for n in (1, 8)] == [1, 8]


def test_examples_that_may_not_be_written_are_taken():
    examples = random(2, 4)
    examples.flags.writeable = False
    assert convert(stage_of(nn.Linear(4, 4)), {"x": examples}).format == "torch-program"


def test_a_module_in_training_is_exported_as_it_runs_and_stays_in_training():
    module = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.9)).train()
    done = convert(stage_of(module), {"x": random(2, 4)})
    assert module.training
    x = torch.ones(5, 4)
    torch.testing.assert_close(done.live.module()(x), module[0](x), rtol=0, atol=1e-6)


class Both(nn.Module):
    def forward(self, first, second):
        return first - second, first.sum(1)


def test_inputs_go_by_the_order_of_the_stage_and_outputs_come_in_it():
    stage = stage_of(
        Both(),
        inputs=[spec("b", "batch", "tokens"), spec("a", "batch", "tokens")],
        outputs=[spec("difference", "batch", "tokens"), spec("sum", "batch")],
    )
    done = convert(stage, {"a": random(3, 5), "b": 2 * random(3, 5)})
    difference, total = done.live.module()(torch.full((2, 7), 3.0), torch.ones(2, 7))
    assert torch.equal(difference, torch.full((2, 7), 2.0))
    assert torch.equal(total, torch.full((2,), 21.0))


class Segmenter(nn.Module):
    """Strides that a picture of few pixels would not survive, and back to the picture's size."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(*(nn.Conv2d(1, 1, 3, 2, 1) for _ in range(3)))

    def forward(self, x):
        scores = self.trunk(x)
        return nn.functional.interpolate(scores, size=x.shape[-2:], mode="bilinear")


def test_pictures_of_any_size_are_taken_where_the_module_takes_them():
    pixels = ("batch", 1, "height", "width")
    stage = stage_of(Segmenter(), inputs=[spec("x", *pixels)], outputs=[spec("y", *pixels)])
    run = convert(stage, {"x": random(1, 1, 48, 40)}).live.module()
    for size in ((1, 1, 40, 56), (3, 1, 33, 71)):
        x = torch.from_numpy(random(*size))
        with torch.no_grad():
            torch.testing.assert_close(run(x), stage.live.eval()(x), rtol=0, atol=1e-5)


class Moody(nn.Module):
    def forward(self, x):
        return x + torch.rand(4)


def test_a_program_that_computes_something_else_is_refused():
    with pytest.raises(CaseFailed, match=r"toy:a gives another answer .*: 'y' differs by 0\.\d"):
        convert(stage_of(Moody()), {"x": random(2, 4)})


class Picking(nn.Module):
    """One value of each row, found by what it is; torch then takes there to be two or more."""

    def forward(self, x):
        found = x[x.argsort(1) == 0]
        torch._check(found.shape[0] // x.shape[0] >= 1)
        return x + found.view(x.shape[0], -1)[:, -1:]


def test_a_program_that_does_not_take_one_sample_is_refused_by_that():
    said = r"toy:a does not run for a batch of 1, as the module does: .* failed for .* >= 2"
    with pytest.raises(CaseFailed, match=said):
        convert(stage_of(Picking()), {"x": random(3, 4)})


def test_large_outputs_may_differ_in_proportion():
    class Large(nn.Module):
        def forward(self, x):
            return x * 1e6 + 10 * torch.rand(4)

    # 10 of 4 million is within the tolerance, and 1000 is not.
    x = np.full((2, 4), 4, np.float32)
    assert convert(stage_of(Large()), {"x": x}).format == "torch-program"
    with pytest.raises(CaseFailed):
        convert(stage_of(Large()), {"x": x * 1e-6})


class ByName(nn.Module):
    def forward(self, x):
        return {"other": 0 * x, "y": 2 * x}


def test_outputs_may_come_by_name():
    done = convert(stage_of(ByName()), {"x": random(3, 4)})
    assert torch.equal(done.live.module()(torch.ones(2, 4))["y"], torch.full((2, 4), 2.0))


def test_a_missing_output_is_not_overlooked():
    stage = stage_of(Both(), inputs=[spec("a", "batch", 4), spec("b", "batch", 4)])
    with pytest.raises(CaseFailed, match="the module gives 2 outputs, not y"):
        convert(stage, {"a": random(2, 4), "b": random(2, 4)})
