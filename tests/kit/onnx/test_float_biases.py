from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgebench_kit.onnx import graph_files
from edgebench_kit.onnx.float_biases import write_out_biases


def write(directory, nodes, constants, **options):
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3])]
        for name in ("x", "y")
    ]
    tensors = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    graph = helper.make_graph(nodes, "toy", *ends, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save_model(model, directory / "model.onnx", **options)
    return directory / "model.onnx"


def dequantize(*names, **attributes):
    return helper.make_node("DequantizeLinear", list(names), ["bias"], **attributes)


ADD = helper.make_node("Add", ["x", "bias"], ["y"])
WIDE = {"b": np.array([[100, -200, 2**24 + 1]], "i4")}
SCALE = {"s": np.float32(3e-5)}
EACH = {"s": np.array([1e-3, 2e-3, 3e-5], "f4")}
ZERO = {"z": np.int32(0)}
ZEROS = {"z": np.zeros(3, "i4")}


@pytest.mark.parametrize(
    ("node", "constants"),
    [
        (dequantize("b", "s"), SCALE),
        (dequantize("b", "s", "z"), SCALE | ZERO),
        (dequantize("b", "s", "z"), EACH | ZEROS),
        (dequantize("b", "s", axis=-1), EACH),
    ],
)
def test_what_a_constant_becomes_is_what_the_specification_says(tmp_path, node, constants):
    file = write(tmp_path, [node, ADD], WIDE | constants)
    rewritten = write_out_biases(file)
    assert [one.op_type for one in rewritten.graph.node] == ["Add"]
    x = np.random.default_rng(0).standard_normal((4, 3)).astype("f4")
    got, wanted = (ReferenceEvaluator(one).run(None, {"x": x})[0] for one in (rewritten, str(file)))
    np.testing.assert_array_equal(got, wanted)
    onnx.checker.check_model(rewritten, full_check=True)


def test_weights_in_a_file_beside_the_graph_are_read(tmp_path):
    file = write(
        tmp_path, [dequantize("b", "s"), ADD], WIDE | SCALE,
        save_as_external_data=True, location="w.data", size_threshold=0,
    )  # fmt: skip
    rewritten = write_out_biases(file)
    place = tmp_path / "out"
    place.mkdir()
    x = np.ones((1, 3), "f4")
    written = place / graph_files.write_graph(rewritten, place)[0]
    wanted = ReferenceEvaluator(str(file)).run(None, {"x": x})[0]
    np.testing.assert_array_equal(ReferenceEvaluator(str(written)).run(None, {"x": x})[0], wanted)


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([helper.make_node("Relu", ["x"], ["y"])], {}),
        ([dequantize("b", "s"), ADD], {"b": np.array([[1, 2, 3]], "i1")} | SCALE),
    ],
)
def test_a_graph_without_them_is_left_alone(tmp_path, nodes, constants):
    assert write_out_biases(write(tmp_path, nodes, constants)) is None


def test_an_output_of_the_graph_stays_one(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("DequantizeLinear", ["b", "s"], ["y"]), helper.make_node("Relu", ["x"], ["z"])],
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("y", "z")],
        [numpy_helper.from_array(np.array([7], "i4"), "b"), numpy_helper.from_array(np.float32(2), "s")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save_model(model, tmp_path / "model.onnx")
    rewritten = write_out_biases(tmp_path / "model.onnx")
    got = ReferenceEvaluator(rewritten).run(None, {"x": np.ones(1, "f4")})
    assert [float(one[0]) for one in got] == [14, 1]
