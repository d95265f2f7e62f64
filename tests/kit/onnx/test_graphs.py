"""What is done with graphs without their weights gives what is done with them."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench_kit.onnx import graphs

from ... import foreign


@pytest.fixture(params=[64, 10**9], ids=["all weights heavy", "none heavy"])
def threshold(request, monkeypatch):
    monkeypatch.setattr(graphs, "HEAVY", request.param)


@pytest.fixture(params=[foreign.conv, foreign.scaled, foreign.text])
def model(request, tmp_path):
    return onnx.load_model(request.param(tmp_path / "some.onnx"))


def test_shapes_are_inferred_whatever_the_weights_weigh(threshold, model):
    before = model.SerializeToString()
    whole = onnx.shape_inference.infer_shapes(model).graph
    wanted = {one.name: one for one in (*whole.value_info, *whole.input, *whole.output)}
    found = graphs.infer_infos(model)
    assert {n: graphs.describe_tensor(i) for n, i in found.items()} == {
        n: graphs.describe_tensor(i) for n, i in wanted.items()
    }
    assert model.SerializeToString() == before


def test_what_is_wrong_is_found_whatever_the_weights_weigh(threshold, model):
    graphs.check_graph(model)
    model.graph.node[2].input[0] = "nowhere"
    with pytest.raises(onnx.checker.ValidationError, match="nowhere"):
        graphs.check_graph(model)


def test_shapes_that_do_not_fit_are_found(threshold, tmp_path):
    model = onnx.load_model(foreign.conv(tmp_path / "conv.onnx"))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 11
    graphs.check_graph(model, shapes=False)
    with pytest.raises(Exception, match="ShapeInferenceError|Inferred shape"):
        graphs.check_graph(model)


def test_what_is_noted_is_noted_once(model):
    graphs.note_infos(model)
    names = [info.name for info in model.graph.value_info]
    assert len(names) == len(set(names)) == len(model.graph.node) - 1
    again = model.SerializeToString()
    graphs.note_infos(model)
    assert model.SerializeToString() == again


def upsampling(path):
    """A graph with an operator that newer sets no longer have."""
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Upsample", ["c", "times"], ["y"], mode="nearest"),
    ]
    tensors = [
        *foreign._drawn({"w0": (4, 3, 3, 3)}),
        numpy_helper.from_array(np.array([1, 1, 2, 2], "f4"), "times"),
    ]
    ends = [("x", ["N", 3, 8, 8])], [("y", ["N", 4, 16, 16])]
    return foreign._saved(path, nodes, tensors, *ends, opset=9, ir=3)


def outputs(model, feeds):
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)


def test_an_old_graph_is_brought_to_a_newer_operator_set(threshold, tmp_path):
    model = onnx.load_model(upsampling(tmp_path / "old.onnx"))
    brought = graphs.raise_opset(model, 13)
    onnx.checker.check_model(brought, full_check=True)
    assert [one.version for one in brought.opset_import if not one.domain] == [13]
    assert [one.name for one in brought.graph.input] == ["x"]
    x = np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype("f4")
    for one, other in zip(outputs(model, {"x": x}), outputs(brought, {"x": x}), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_new_graph_is_brought_nowhere(threshold, model):
    brought = graphs.raise_opset(model, 13)
    assert brought == model
    assert brought is not model


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (TensorProto.FLOAT, 20),
        (TensorProto.BFLOAT16, 10),
        (TensorProto.INT4, 3),
        (TensorProto.BOOL, 5),
    ],
)
def test_small_numbers_share_bytes(kind, size):
    assert graphs.count_tensor_bytes(TensorProto(data_type=kind, dims=[5])) == size


def of_one(kind, domain="", bodies=()):
    """A graph of one node, or of branches with that node."""
    node = helper.make_node(kind, ["x"], ["y"], domain=domain)
    for number in bodies:
        branch = helper.make_graph([node], f"branch{number}", [], [])
        node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    return helper.make_model(helper.make_graph([node], "g", [], []))


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize(
    ("kind", "domain"),
    [
        ("QuantizeLinear", ""),
        ("DequantizeLinear", ""),
        ("DynamicQuantizeLinear", ""),
        ("MatMulInteger", ""),
        ("ConvInteger", ""),
        ("QLinearConv", ""),
        ("QLinearAdd", "com.microsoft"),
        ("MatMulNBits", "com.microsoft"),
        ("QGemm", "com.microsoft"),
    ],
)
def test_what_is_quantized_is_seen_wherever_it_stands(kind, domain, depth):
    assert graphs.is_quantized(of_one(kind, domain, range(depth)))


@pytest.mark.parametrize("kind", ["MatMul", "Conv", "Cast"])
def test_what_is_not_quantized_is_told_from_it(kind):
    assert not graphs.is_quantized(of_one(kind, bodies=range(1)))


def test_what_a_function_quantizes_is_seen():
    made = of_one("F", "own")
    body = [helper.make_node("MatMulInteger", ["x", "x"], ["y"])]
    made.functions.append(
        helper.make_function("own", "F", ["x"], ["y"], body, [helper.make_opsetid("", 18)])
    )
    assert graphs.is_quantized(made)


@pytest.mark.parametrize("size", [-1, 0, None, ""])
def test_a_dimension_without_a_size_or_a_name_is_called_after_its_tensor(size):
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, size, "word"])
    assert graphs.list_dimensions(info) == [3, "x.1", "word"]
    assert graphs.describe_tensor(info).shape == (3, "x.1", "word")
