"""What every operator promises, and what this one does."""

import numpy as np
import onnx
import pytest
from edgebench.testing import OperatorContract
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import edgebench_shrink

DRAW = np.random.default_rng(0)


class TestShrink(OperatorContract):
    plugins = [edgebench_shrink]
    name = "shrink"
    options = ["keep=0.9"]
    model = "vgg:tiny"


def make_layer(matrix):
    """Make a graph of one fully connected layer, as torch writes it."""
    weights = {"w": matrix.T, "b": DRAW.normal(size=matrix.shape[1])}
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], "layer", transB=1)],
        "one-layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", len(matrix)])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", matrix.shape[1]])],
        [numpy_helper.from_array(one.astype("f4"), name) for name, one in weights.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10)


def draw_inputs(count, width):
    return [{"x": DRAW.normal(size=(1, width)).astype("f4")} for _ in range(count)]


def count_values(graph):
    return sum(numpy_helper.to_array(one).size for one in graph.graph.initializer)


def test_a_layer_of_low_rank_computes_the_same_with_fewer_values():
    wide = make_layer(DRAW.normal(size=(40, 3)) @ DRAW.normal(size=(3, 30)))
    thin = edgebench_shrink.shrink_graph(wide, draw_inputs(50, 40), keep=0.999999)
    onnx.checker.check_model(thin, full_check=True)
    assert count_values(wide) == 40 * 30 + 30
    assert count_values(thin) == 40 * 3 + 3 * 30 + 30
    for inputs in draw_inputs(5, 40):
        wanted, got = (ReferenceEvaluator(one).run(["y"], inputs)[0] for one in (wide, thin))
        np.testing.assert_allclose(got, wanted, atol=1e-3)


def test_a_layer_that_would_be_no_smaller_stays():
    square = make_layer(DRAW.normal(size=(8, 8)))
    same = edgebench_shrink.shrink_graph(square, draw_inputs(50, 8), keep=0.99)
    assert same.SerializeToString() == square.SerializeToString()


def test_a_graph_without_a_layer_is_refused():
    graph = make_layer(np.eye(4))
    graph.graph.node[0].op_type = "MatMul"
    with pytest.raises(edgebench_shrink.eb.ChainError, match="no fully connected layer"):
        edgebench_shrink.watch_layers(graph, draw_inputs(1, 4))
