"""Networks that nobody here ships, lowered for phones."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import nn

from edgebench import CaseFailed, Quantization, Stage, TensorSpec
from edgebench_kit.torch.executorch_programs import list_parts, open_method, run_method
from edgebench_plugins.converters import executorch as plugin

from .programs import exported, quantized, run_program

pytestmark = pytest.mark.skipif(not find_spec("executorch"), reason="executorch is not installed")

(CONVERTER,) = plugin.edgebench_converters()
TARGET = Quantization(activation="int8", weight="int8", per_channel=True)


def test_a_network_in_floats_goes_to_xnnpack_and_agrees(stage, pictures):
    made = CONVERTER.convert(stage, pictures)
    assert (made.format, made.precision, made.inputs) == ("executorch", "f32", stage.inputs)
    method = open_method(made.live)
    for count in (1, 3, 64):
        some = np.concatenate([pictures["input"]] * 16)[:count]
        (got,) = run_method(method, [some])
        np.testing.assert_allclose(got, run_program(stage, some), atol=1e-5)
    assert list_parts(made.live)["XnnpackBackend"]


def test_integers_stay_integers(stage, pictures):
    floats = len(CONVERTER.convert(stage, pictures).live)
    whole = quantized(stage, pictures, TARGET)
    made = CONVERTER.convert(whole, pictures)
    assert made.precision == whole.precision == "int8"
    assert len(made.live) < 0.4 * floats
    # What is stored of the largest layer is its integers, and no float of it.
    (weights,) = (one for one in whole.live.buffers() if one.shape == (128, 64, 3, 3))
    assert weights.dtype == torch.int8
    assert weights[0].numpy().size < len(made.live) < 2 * weights.numel()
    (got,) = run_method(open_method(made.live), [pictures["input"]])
    wanted = run_program(whole, pictures["input"])
    assert np.linalg.norm(got - wanted) < 0.02 * np.linalg.norm(wanted)
    # Nothing is left to kernels in floats: the last layer, which gives floats, is not.
    assert list(list_parts(made.live)) == ["XnnpackBackend"]


def test_a_convolution_that_gives_floats_computes_in_integers_too(pictures):
    def make():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 7, 1)).eval()

    stage = exported(
        make(), torch.from_numpy(pictures["input"]),
        [TensorSpec(name="input", dtype="float32", shape=("batch", 3, 16, 16))],
        [TensorSpec(name="map", dtype="float32", shape=("batch", 7, 16, 16))],
    )  # fmt: skip
    whole = quantized(stage, pictures, TARGET, make())
    made = CONVERTER.convert(whole, pictures)
    assert list(list_parts(made.live)) == ["XnnpackBackend"]
    (got,) = run_method(open_method(made.live), [pictures["input"]])
    wanted = run_program(whole, pictures["input"])
    assert np.linalg.norm(got - wanted) < 0.02 * np.linalg.norm(wanted)


def test_words_are_read_by_numbers_of_64_bits_and_any_length_up_to_twice_the_examples():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.table, self.head = nn.Embedding(50, 16), nn.Linear(16, 3)

        def forward(self, ids):
            return {"scores": self.head(self.table(ids).mean(1))}

    ids = torch.arange(24).reshape(4, 6)
    stage = exported(
        Words(), ids, [TensorSpec(name="ids", dtype="int64", shape=("batch", "length"))],
        [TensorSpec(name="scores", dtype="float32", shape=("batch", 3))],
    )  # fmt: skip
    made = CONVERTER.convert(stage, {"ids": ids.numpy()})
    method = open_method(made.live)
    for size in ((1, 3), (2, 12)):
        given = np.arange(np.prod(size), dtype=np.int64).reshape(size)
        (got,) = run_method(method, [given])
        np.testing.assert_allclose(got, run_program(stage, given)["scores"], atol=1e-5)
    with pytest.raises(CaseFailed, match=r"memory for an input of \(64, 12\) at most"):
        run_method(method, [np.zeros((64, 13), np.int64)])


def test_an_input_may_be_a_scalar():
    class Scaled(nn.Module):
        def forward(self, x, by):
            return x * by

    given = {"x": np.arange(24, dtype="f4").reshape(3, 8), "by": np.array(2, "f4")}
    stage = Stage(
        format="torch-program", model="toy", variant="small",
        inputs=[
            TensorSpec(name="x", dtype="float32", shape=("batch", 8)),
            TensorSpec(name="by", dtype="float32", shape=()),
        ],
        outputs=[TensorSpec(name="y", dtype="float32", shape=("batch", 8))],
        live=torch.export.export(
            Scaled(), tuple(map(torch.tensor, given.values())),
            dynamic_shapes=({0: torch.export.Dim("batch")}, {}),
        ),
    )  # fmt: skip
    made = CONVERTER.convert(stage, given)
    assert [spec.shape for spec in made.inputs] == [("batch", 8), ()]
    (got,) = run_method(open_method(made.live), [*given.values()])
    np.testing.assert_allclose(got, given["x"] * 2)


def test_what_gives_another_answer_is_refused(stage, pictures, monkeypatch):
    def run(method, arrays):
        return [array + 1 for array in run_method(method, arrays)]

    monkeypatch.setattr(plugin, "run_method", run)
    with pytest.raises(CaseFailed, match="ExecuTorch makes of toy:small gives another answer"):
        CONVERTER.convert(stage, pictures)


def test_what_cannot_be_lowered_is_refused_in_one_line():
    class Strange(nn.Module):
        def forward(self, x):
            return torch.linalg.eigvalsh(x)

    given = torch.eye(4).repeat(3, 1, 1)
    stage = exported(
        Strange(), given, [TensorSpec(name="x", dtype="float32", shape=("batch", 4, 4))],
        [TensorSpec(name="y", dtype="float32", shape=("batch", 4))],
    )  # fmt: skip
    with pytest.raises(CaseFailed, match="ExecuTorch cannot lower toy:small: ") as said:
        CONVERTER.convert(stage, {"x": given.numpy()})
    assert "\n" not in str(said.value)


def test_the_stage_that_was_given_stays_as_it_was(stage, pictures):
    before = run_program(stage, pictures["input"])
    CONVERTER.convert(stage, pictures)
    assert stage.format == "torch-program"
    np.testing.assert_array_equal(run_program(stage, pictures["input"]), before)
