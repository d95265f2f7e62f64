"""Names: which there are, which are free, and what is asked of them on large graphs."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench_kit.onnx.fixed_inputs import fix_inputs
from edgebench_kit.onnx.scopes import Labels, find_free_name, list_names


def value(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


@pytest.fixture
def branching():
    """A graph whose conditional's bodies have names of their own."""
    bodies = [
        helper.make_graph(
            [helper.make_node(kind, ["x"], [f"{kind}.inner"])], kind, [], [value(f"{kind}.inner")]
        )
        for kind in ("Neg", "Abs")
    ]
    node = helper.make_node("If", ["c"], ["y"], then_branch=bodies[0], else_branch=bodies[1])
    switch = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    weights = [numpy_helper.from_array(np.zeros(1, "f4"), "unread")]
    return helper.make_graph([node], "g", [value("x", 1), switch], [value("y", 1)], weights)


def test_the_names_of_a_graph_are_those_of_its_bodies_too(branching):
    assert list_names(branching) == {"x", "c", "y", "unread", "Neg.inner", "Abs.inner"}


def test_the_ends_of_a_function_are_names_too():
    node = helper.make_node("Neg", ["a"], ["b"])
    function = helper.make_function(
        "d", "F", ["a", "unread"], ["b"], [node], [helper.make_opsetid("", 17)]
    )
    assert list_names(function) == {"a", "b", "unread"}


@pytest.mark.parametrize(
    ("taken", "free"), [((), "x"), (("y",), "x"), (("x",), "x.1"), (("x", "x.1", "x.2"), "x.3")]
)
def test_a_free_name_is_the_first_that_is_not_taken(taken, free):
    assert find_free_name("x", set(taken)) == free


def test_a_label_for_something_new_has_a_name_of_its_own():
    labels = Labels()
    first = labels.give("x")
    made = [labels.add(first) for _ in range(3)]
    assert [labels.meanings[label] for label in made] == ["x.1", "x.2", "x.3"]
    assert labels.meanings[labels.add(made[0])] == "x.1.1"


def test_what_repeats_a_fixed_row_takes_no_name_that_is_there(tmp_path):
    """Names as such a row's own constants would have stand in the graph already."""
    nodes = [
        helper.make_node("Add", ["x", "k.samples.first"], ["k.first"]),
        helper.make_node("Mul", ["k.first", "k.rows.rest"], ["k.rest"]),
        helper.make_node("Add", ["k.rest", "k"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(np.full(3, number, "f4"), name)
        for name, number in (("k.samples.first", 2), ("k.rows.rest", 10))
    ]
    graph = helper.make_graph(
        nodes, "g", [value("x", "N", 3), value("k", "N", 3)], [value("y", "N", 3)], weights
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert fix_inputs(model, tmp_path, {"k": [5.0]})
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (got,) = session.run(None, {"x": np.ones((2, 3), "f4")})
    np.testing.assert_array_equal(got, np.full((2, 3), 35, "f4"))
