from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn

from edgebench import CaseFailed, Stage, TensorSpec
from edgebench_kit.torch import onnx_export
from edgebench_plugins.converters import onnx as converter

(RECORD,) = converter.edgebench_converters()


def spec(name, *shape, dtype="float32", port=""):
    return TensorSpec(name=name, dtype=dtype, shape=shape, port=port)


def staged(module, inputs=None, outputs=None):
    return Stage(
        format="torch-module",
        live=module,
        inputs=inputs or [spec("input", "batch", 3, 8, 8)],
        outputs=outputs or [spec("logits", "batch", 4)],
        model="toy",
        parameters=7,
    )


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(288, 4),
    )


@pytest.fixture
def examples():
    return {"input": np.random.default_rng(0).standard_normal((3, 3, 8, 8)).astype("f4")}


def answer(model, inputs):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)


def test_the_graph_computes_what_the_module_does(net, examples):
    done = RECORD.convert(staged(net), examples)
    with torch.no_grad():
        wanted = net.eval()(torch.from_numpy(examples["input"])).numpy()
    np.testing.assert_allclose(answer(done.live, examples)[0], wanted, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_any_batch_goes_through(net, examples, batch):
    done = RECORD.convert(staged(net), examples)
    inputs = {"input": np.zeros((batch, 3, 8, 8), "f4")}
    assert answer(done.live, inputs)[0].shape == (batch, 4)


def test_the_stage_says_what_it_said_but_for_its_format(net, examples):
    before = staged(net)
    done = RECORD.convert(before, examples)
    assert done.format == RECORD.target == "onnx"
    for field in ("inputs", "outputs", "parameters", "precision", "model", "variant", "edits"):
        assert getattr(done, field) == getattr(before, field)


def test_names_inside_are_the_ports(net, examples):
    before = staged(
        net,
        [spec("input", "batch", 3, 8, 8, port="pixels")],
        [spec("logits", "batch", 4, port="out.0")],
    )
    graph = RECORD.convert(before, examples).live.graph
    assert [one.name for one in (*graph.input, *graph.output)] == ["pixels", "out.0"]


def test_every_tensor_has_a_shape_and_norms_are_folded(net, examples):
    graph = RECORD.convert(staged(net), examples).live.graph
    known = {one.name for one in (*graph.value_info, *graph.output)}
    assert {name for node in graph.node for name in node.output} <= known
    assert "BatchNormalization" not in {node.op_type for node in graph.node}
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_the_same_module_is_the_same_bytes_and_names_no_path(net, examples):
    one, other = (RECORD.convert(staged(net), examples).live.SerializeToString() for _ in range(2))
    assert one == other
    assert b".py" not in one


def test_the_opset_is_recent(net, examples):
    (entry,) = RECORD.convert(staged(net), examples).live.opset_import
    assert (entry.domain, entry.version >= 18) == ("", True)


def test_training_goes_on_where_it_was(net, examples):
    net.train()
    net[1].eval()
    RECORD.convert(staged(net), examples)
    assert [part.training for part in net] == [True, False, True, True, True, True]


def test_it_says_nothing(net, examples, capfd):
    RECORD.convert(staged(net), examples)
    assert capfd.readouterr() == ("", "")


class TwoInTwoOut(nn.Module):
    def __init__(self, by_name):
        super().__init__()
        self.by_name = by_name

    def forward(self, tokens, mask):
        kept = tokens.float() * mask
        total, most = kept.sum(1, keepdim=True), kept.amax(1, keepdim=True)
        return {"most": most, "total": total} if self.by_name else (total, most)


@pytest.mark.parametrize("by_name", [True, False])
def test_several_inputs_and_outputs_keep_their_names(by_name):
    stage = staged(
        TwoInTwoOut(by_name),
        [spec("tokens", "batch", "length", dtype="int64"), spec("mask", "batch", "length")],
        [spec("total", "batch", 1), spec("most", "batch", 1)],
    )
    given = {"tokens": np.array([[1, 2, 3], [4, 5, 6]]), "mask": np.ones((2, 3), "f4")}
    model = RECORD.convert(stage, given).live
    longer = {"tokens": np.array([[1, 9, 3, 4]]), "mask": np.ones((1, 4), "f4")}
    got = dict(zip([one.name for one in model.graph.output], answer(model, longer), strict=True))
    assert (got["total"].item(), got["most"].item()) == (17, 9)


def test_a_graph_that_differs_is_refused_with_the_figure(net, examples, monkeypatch):
    right = onnx_export._clean

    def wrong(model):
        bias = next(one for one in model.graph.initializer if list(one.dims) == [4])
        array = onnx.numpy_helper.to_array(bias) + np.float32(0.01)
        bias.CopyFrom(onnx.numpy_helper.from_array(array, bias.name))
        return right(model)

    monkeypatch.setattr(onnx_export, "_clean", wrong)
    with pytest.raises(CaseFailed, match=r"'logits' differs by 0\.01; 0\.0001 is allowed"):
        RECORD.convert(staged(net), examples)


def test_a_nan_is_no_agreement(examples):
    class Nan(nn.Module):
        def forward(self, x):
            return torch.log(x.flatten(1)[:, :4] * 0 - 1)

    with pytest.raises(CaseFailed, match="'logits' differs by nan"):
        RECORD.convert(staged(Nan()), examples)


def test_a_module_that_cannot_be_exported_is_refused_in_one_line(examples):
    class Branches(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :4] if x.sum() > 0 else -x.flatten(1)[:, :4]

    with pytest.raises(CaseFailed, match="the module of toy has no ONNX: ") as caught:
        RECORD.convert(staged(Branches()), examples)
    assert "\n" not in str(caught.value)


def test_too_many_outputs_are_refused(examples):
    class Three(nn.Module):
        def forward(self, x):
            return x, x, x

    with pytest.raises(CaseFailed, match="the module gives 3 outputs, not logits"):
        RECORD.convert(staged(Three()), examples)


def test_without_the_fast_evaluator_the_reference_checks(net, examples, monkeypatch):
    used = []

    class Noted(ReferenceEvaluator):
        def run(self, *arguments):
            used.append(True)
            return super().run(*arguments)

    monkeypatch.setattr("edgebench_kit.onnx.examples.find_spec", lambda _: None)
    monkeypatch.setattr("onnx.reference.ReferenceEvaluator", Noted)
    RECORD.convert(staged(net), examples)
    assert len(used) == 2


def test_what_lies_in_the_working_directory_does_not_matter(net, examples, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "model.onnx").touch()
    wide = nn.Sequential(net, nn.Linear(4, 400), nn.Linear(400, 4))  # beyond what is kept inside
    done = RECORD.convert(staged(wide), examples)
    (got,) = answer(done.live, examples)
    with torch.no_grad():
        wanted = wide.eval()(torch.from_numpy(examples["input"])).numpy()
    np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["model.onnx", "weights"]
