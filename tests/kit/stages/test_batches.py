"""Tensors without a batch, a scalar among them, beside those that have one."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import parser
from torch import nn

from edgebench import CaseFailed, Stage, TensorSpec
from edgebench_kit.onnx.examples import check_examples
from edgebench_kit.stages.batches import fix_batch, take_first
from edgebench_kit.torch import inductor, lowered


class Scaled(nn.Module):
    def forward(self, x, by, row):
        return x * by + row


def spec(name, *shape):
    return TensorSpec(name=name, dtype="float32", shape=shape)


INPUTS = [spec("x", "batch", 4), spec("by"), spec("row", 4)]
GIVEN = {
    "x": np.arange(12, dtype="f4").reshape(3, 4),
    "by": np.array(2, "f4"),
    "row": np.ones(4, "f4"),
}


@pytest.fixture
def stage():
    given = tuple(map(torch.tensor, GIVEN.values()))
    open_batch = ({0: torch.export.Dim("batch")}, {}, {})
    return Stage(
        format="torch-program",
        inputs=INPUTS,
        outputs=[spec("y", "batch", 4)],
        live=torch.export.export(Scaled(), given, dynamic_shapes=open_batch),
    )


def test_one_sample_is_taken_of_what_has_a_batch(stage):
    firsts = take_first(stage.inputs, [*GIVEN.values()])
    assert [one.shape for one in firsts] == [(1, 4), (), (4,)]


def test_a_batch_alone_is_fixed(stage):
    fixed = fix_batch(stage)
    assert [one.shape for one in (*fixed.inputs, *fixed.outputs)] == [(1, 4), (), (4,), (1, 4)]


def test_a_program_is_compiled_for_what_has_no_batch_too(stage):
    made = [[tuple(one.shape) for one in some] for some in inductor.make_examples(stage, "cpu")]
    assert made == [[(1, 4), (), (4,)], [(2, 4), (), (4,)]]


def test_outputs_are_compared_on_what_has_no_batch_too(stage):
    came = []

    def run(arrays):
        came.append([one.shape for one in arrays])
        x, by, row = arrays
        return [x * by + row]

    lowered.compare_outputs(stage, GIVEN, run, "it")
    assert came == [[(3, 4), (), (4,)], [(1, 4), (), (4,)]]
    with pytest.raises(CaseFailed, match="another answer"):
        lowered.compare_outputs(stage, GIVEN, lambda arrays: [arrays[0]], "it")


def test_a_graph_is_held_to_what_it_should_give(stage):
    made = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> '
        "g (float[batch,4] x, float by, float[4] row) => (float[batch,4] y) "
        "{ m = Mul(x, by) y = Add(m, row) }"
    )
    onnx.checker.check_model(made)
    right = GIVEN["x"] * GIVEN["by"] + GIVEN["row"]
    check_examples(stage, made, GIVEN, {"y": right})
    with pytest.raises(CaseFailed, match="'y' differs"):
        check_examples(stage, made, GIVEN, {"y": right + 1})
