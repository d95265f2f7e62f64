"""What every operator promises, and what this one does."""

import numpy as np
import onnx
from edgebench.testing import OperatorContract
from onnx import TensorProto, helper, numpy_helper

import edgebench_new_name


class TestNewName(OperatorContract):
    plugins = [edgebench_new_name]
    name = "new-name"
    options = ["share=0.9"]


def test_the_smallest_weights_are_zero_and_the_others_as_they_were():
    weights = np.arange(1, 13, dtype="f4").reshape(4, 3)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "one-layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    changed = edgebench_new_name.zero_smallest(model, 0.25)
    made = numpy_helper.to_array(changed.graph.initializer[0])
    assert isinstance(changed, onnx.ModelProto)
    assert made.tolist() == np.where(weights > 3, weights, 0).tolist()
