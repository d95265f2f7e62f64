from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench_kit.onnx.cut_lists import find_cuts
from edgebench_kit.onnx.cuts import Graph
from edgebench_kit.onnx.hindrances import explain_obstacle, explain_uncut


def graph_of(nodes, *, outputs=("y",), given=("x",), weights=(), domain=""):
    ends = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4])
        for name in (*given, *outputs)
    }
    tensors = [numpy_helper.from_array(array, name) for name, array in weights]
    graph = helper.make_graph(
        [helper.make_node(*node[:3], **(node[3] if len(node) > 3 else {})) for node in nodes],
        "g", [ends[name] for name in given], [ends[name] for name in outputs], tensors,
    )  # fmt: skip
    sets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    graph = Graph.of(helper.make_model(graph, opset_imports=sets, ir_version=9))
    assert find_cuts(graph) == []
    return graph


def test_an_unknown_shape_is_the_hindrance_not_that_nothing_separates():
    custom = ("Own", ["x"], ["h"], {"domain": "vendor"})
    graph = graph_of([custom, ("Relu", ["h"], ["y"])], domain="vendor")
    assert explain_uncut(graph) == (
        "'h' alone would cross, but its shape or type is not known, nor can it be inferred behind "
        "Own"
    )
    assert explain_obstacle(graph, "h").startswith("its shape or type is not known, nor can it")


def test_a_tensor_without_rows_is_the_hindrance():
    total = ("ReduceSum", ["x"], ["total"], {"keepdims": 0})
    graph = graph_of([total, ("Expand", ["total", "shape"], ["y"])],
                     weights=[("shape", np.array([2, 4]))])  # fmt: skip
    said = "it has not a row for each sample: its shape is that of a single number"
    assert explain_uncut(graph) == f"'total' alone would cross, but {said}"
    assert explain_obstacle(graph, "total") == said


def test_a_type_that_cannot_be_sent_is_the_hindrance():
    down = ("Cast", ["x"], ["h"], {"to": TensorProto.BFLOAT16})
    graph = graph_of([down, ("Cast", ["h"], ["y"], {"to": TensorProto.FLOAT})])
    said = "numbers of type bfloat16 cannot be sent"
    assert explain_uncut(graph) == f"'h' alone would cross, but {said}"
    assert explain_obstacle(graph, "h") == said


def test_what_would_have_to_cross_at_the_narrowest_place_is_named():
    nodes = [("Relu", ["x"], ["h"]), ("Neg", ["h"], ["i"]), ("Add", ["i", "x"], ["y"])]
    assert explain_uncut(graph_of(nodes)) == (
        "no single tensor separates the graph: at its narrowest place h, x would have to cross"
    )


def test_an_output_that_is_there_early_is_named():
    nodes = [("Relu", ["x"], ["early"]), ("Neg", ["x"], ["h"]), ("Abs", ["h"], ["y"])]
    said = explain_uncut(graph_of(nodes, outputs=("early", "y")))
    assert said.endswith("at its narrowest place early, x would have to cross")


@pytest.mark.parametrize(
    ("name", "why"),
    [("w", "it depends on no input"), ("x", "it is an input, nothing lies before it"),
     ("h", "x would have to cross too"), ("y", "nothing lies behind it")],
)  # fmt: skip
def test_a_named_tensor_is_told_what_hinders_it(name, why):
    nodes = [("Mul", ["x", "w"], ["h"]), ("Add", ["h", "x"], ["y"])]
    graph = graph_of(nodes, weights=[("w", np.ones(4, "f4"))])
    assert explain_obstacle(graph, name) == why
