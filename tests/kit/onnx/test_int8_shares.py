"""How much of a graph is int8 is told by its constants, however they are read."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench_kit.onnx.int8_shares import find_int8_share, find_integer_nodes, name_precision


def make(nodes, **constants):
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    return helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors))


def test_matrices_and_tables_of_integers_count_and_floats_beside_them():
    nodes = [
        helper.make_node("Gather", ["table", "x"], ["rows"]),
        helper.make_node("MatMulInteger", ["rows", "w"], ["sums"]),
        helper.make_node("Mul", ["sums", "f"], ["y"]),
    ]
    model = make(nodes, table=np.ones((4, 5), "i1"), w=np.ones((5, 2), "i1"), f=np.ones(10, "f4"))
    assert find_int8_share(model) == 30 / 40


@pytest.mark.parametrize(("share", "name"), [(1, "int8"), (0.95, "int8"), (0.5, "int8 (50%)")])
def test_the_share_is_in_the_name_unless_it_is_nearly_all(share, name):
    assert name_precision(share) == name


def test_nodes_that_read_nothing_but_integers_are_found():
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"]),
        helper.make_node("DequantizeLinear", ["x", "s"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["b"], name="integers"),
        helper.make_node("MatMul", ["b", "w"], ["y"], name="half of them"),
    ]
    model = make(nodes, q=np.ones((2, 2), "i1"), s=np.float32(1))
    assert find_integer_nodes(model) == {"integers"}
