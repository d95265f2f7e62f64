"""Networks that nobody here ships, converted for LiteRT."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import nn

from edgebench import CaseFailed, Quantization, TensorSpec
from edgebench_kit.torch import tflite_graphs
from edgebench_kit.torch.lowered import Differs
from edgebench_kit.torch.tflite_runs import open_runner
from edgebench_plugins.converters import litert as plugin

from .programs import exported, quantized, run_program

pytestmark = pytest.mark.skipif(
    not find_spec("litert_torch"),
    reason="litert-torch is not installed: it wants an environment of its own",
)

(CONVERTER,) = plugin.edgebench_converters()
TARGET = Quantization(activation="int8", weight="int8", per_channel=True)


def run(made, array):
    (name,) = (spec.inside for spec in made.inputs)
    return open_runner(made.live, 1).run({name: array}, [one.inside for one in made.outputs])[0]


def test_a_network_in_floats_keeps_its_names_its_layout_and_its_open_batch(stage, pictures):
    made = CONVERTER.convert(stage, pictures)
    assert (made.format, made.inputs, made.outputs) == ("tflite", stage.inputs, stage.outputs)
    ends = tflite_graphs.list_signature(tflite_graphs.read_graph(made.live))
    assert ends == {"inputs": ["input"], "outputs": ["logits"]}
    for count in (1, 3, 4):
        some = pictures["input"][:count]
        np.testing.assert_allclose(run(made, some), run_program(stage, some), atol=1e-5)


def test_integers_stay_integers_between_ends_in_floats(stage, pictures):
    floats = len(CONVERTER.convert(stage, pictures).live)
    whole = quantized(stage, pictures, TARGET)
    made = CONVERTER.convert(whole, pictures)
    assert len(made.live) < 0.4 * floats
    graph = tflite_graphs.read_graph(made.live)
    found = tflite_graphs.name_operators(graph)
    assert (found[0], found[-1]) == ("QUANTIZE", "FULLY_CONNECTED")
    from ai_edge_litert.schema_py_generated import TensorType

    tensors, operators = graph.subgraphs[0].tensors, graph.subgraphs[0].operators
    inner = {tensors[place].type for one in operators[:-2] for place in one.outputs}
    assert inner == {TensorType.INT8}
    # The last layer gives floats, and the converter has it compute in floats.
    assert tensors[operators[-1].inputs[1]].type == TensorType.FLOAT32
    assert {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"} <= set(found)
    got, wanted = run(made, pictures["input"]), run_program(whole, pictures["input"])
    assert got.dtype == np.float32
    assert np.linalg.norm(got - wanted) < 0.1 * np.linalg.norm(wanted)


def test_parts_of_other_steps_are_joined():
    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 1)
            self.last = nn.Conv2d(16, 4, 1)

        def forward(self, x):
            return self.last(torch.cat([self.one(x), 9 * torch.relu(self.two(x))], 1)).mean((2, 3))

    given = {"input": np.random.default_rng(2).standard_normal((4, 3, 8, 8)).astype("f4")}
    stage = exported(
        Joined(), torch.from_numpy(given["input"]),
        [TensorSpec(name="input", dtype="float32", shape=("batch", 3, 8, 8))],
        [TensorSpec(name="scores", dtype="float32", shape=("batch", 4))],
    )  # fmt: skip
    whole = quantized(stage, given, TARGET, Joined())
    got = run(CONVERTER.convert(whole, given), given["input"])
    wanted = run_program(whole, given["input"])
    assert np.linalg.norm(got - wanted) < 0.1 * np.linalg.norm(wanted)


def test_several_tensors_go_by_name_and_numbers_of_64_bits_stay_such():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.table, self.head = nn.Embedding(50, 16), nn.Linear(16, 3)

        def forward(self, ids):
            scores = self.head(self.table(ids).mean(1))
            return {"scores": scores, "longest": ids.amax(1)}

    ids = torch.arange(24).reshape(4, 6)
    stage = exported(
        Words(), ids, [TensorSpec(name="ids", dtype="int64", shape=("batch", 6))],
        [
            TensorSpec(name="longest", dtype="int64", shape=("batch",)),
            TensorSpec(name="out", port="scores", dtype="float32", shape=("batch", 3)),
        ],
    )  # fmt: skip
    made = CONVERTER.convert(stage, {"ids": ids.numpy()})
    first = made.inputs[0].shape[0]
    runner = open_runner(made.live, 1)
    some = ids.numpy() if first == "batch" else ids.numpy()[:1]
    longest, scores = runner.run({"ids": some}, ["longest", "scores"])
    wanted = run_program(stage, some)
    np.testing.assert_array_equal(longest, wanted["longest"])
    assert longest.dtype == np.int64
    np.testing.assert_allclose(scores, wanted["scores"], atol=1e-5)


def test_where_the_batch_cannot_be_opened_it_says_that_it_takes_one_sample(
    stage, pictures, monkeypatch
):
    monkeypatch.setattr(tflite_graphs, "open_batch", lambda model: None)
    monkeypatch.setattr(plugin, "_compare", refuse_batches(plugin._compare))
    made = CONVERTER.convert(stage, pictures)
    assert [spec.shape[0] for spec in (*made.inputs, *made.outputs)] == [1, 1]
    some = pictures["input"][:1]
    np.testing.assert_allclose(run(made, some), run_program(stage, some), atol=1e-5)


def test_another_answer_for_several_is_not_put_off_with_one_sample(stage, pictures, monkeypatch):
    compare = plugin._compare

    def differ(stage, examples, graph, *, batches):
        if batches:
            raise Differs("another answer")
        compare(stage, examples, graph, batches=False)

    monkeypatch.setattr(plugin, "_compare", differ)
    with pytest.raises(CaseFailed, match="another answer"):
        CONVERTER.convert(stage, pictures)


def refuse_batches(compare):
    def refuse(stage, examples, graph, *, batches):
        if batches:
            raise CaseFailed("no")
        compare(stage, examples, graph, batches=False)

    return refuse


def test_what_gives_another_answer_is_refused(stage, pictures, monkeypatch):
    class Wrong:
        def run(self, given, outputs):
            return [np.zeros((1, 5), "f4")]

    monkeypatch.setattr(plugin, "open_runner", lambda graph, threads: Wrong())
    with pytest.raises(CaseFailed, match="LiteRT makes of toy:small gives another answer"):
        CONVERTER.convert(stage, pictures)


def test_what_cannot_be_converted_is_refused_in_one_line():
    class Strange(nn.Module):
        def forward(self, x):
            return torch.linalg.eigvalsh(x)

    given = torch.eye(4).repeat(3, 1, 1)
    stage = exported(
        Strange(), given, [TensorSpec(name="x", dtype="float32", shape=("batch", 4, 4))],
        [TensorSpec(name="y", dtype="float32", shape=("batch", 4))],
    )  # fmt: skip
    with pytest.raises(CaseFailed, match="litert-torch cannot convert toy:small: ") as said:
        CONVERTER.convert(stage, {"x": given.numpy()})
    assert "\n" not in str(said.value)
