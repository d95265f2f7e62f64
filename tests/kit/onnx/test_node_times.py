from __future__ import annotations

import pytest
from onnx import helper

from edgebench_kit.onnx.node_times import Origins, add_up, find_medians, name_nodes


def graph(*nodes):
    made = [
        helper.make_node("Relu", ["x"], outputs, name=name)
        for name, outputs in ((name, outputs.split()) for name, outputs in nodes)
    ]
    return helper.make_graph(made, "g", [], [])


def test_nodes_are_called_by_their_names_and_else_by_what_they_write():
    nodes = graph(("conv", "a"), ("", "b"), ("conv", "c"), ("", "d e"))
    assert name_nodes(nodes) == ["conv", "b", "c", "d"]


@pytest.mark.parametrize(
    ("called", "node"),
    [
        (["node_relu_1"], "node_relu_1"),
        # What ONNX Runtime makes of names.
        (["relu_1_nchwc"], "node_relu_1"),
        (["relu_nchwc"], "node_relu"),
        (["fused node_linear"], "node_linear"),
        (["node_matmul/MatMulScaleFusion/"], "node_matmul"),
        (["fused fused node_linear"], "node_linear"),
        (["ReorderOutput"], ""),
        (["SkipLayerNormalization_token_0"], ""),
        # What OpenVINO makes of them, and where it keeps what they were.
        (["node_conv/WithoutBiases", "node_conv/WithoutBiases", "node_conv"], "node_conv"),
        (["logits"], "node_linear"),
        (["node_relu_acdb_abcd_node_linear"], "node_relu"),
        (["Multiply_33", "Multiply_33", "node_relu_1"], "node_relu_1"),
        # No name begins in the middle of a word.
        (["node_relu_12"], "node_relu"),
        (["node_relux"], ""),
        ([], ""),
    ],
)
def test_what_a_runtime_runs_leads_back_to_the_file(called, node):
    known = Origins.of(
        graph(
            ("node_conv", "conv"),
            ("node_relu", "relu"),
            ("node_relu_1", "relu_1"),
            ("node_matmul", "matmul"),
            ("node_linear", "logits"),
        )
    )
    assert known.find(*called) == node


def test_what_a_node_is_called_comes_before_what_another_writes():
    assert Origins.of(graph(("a", "b"), ("b", "c"))).find("b") == "b"


def test_what_has_no_name_counts_with_the_node_before_it():
    taken = [("", 1.0), ("a", 2.0), ("", 4.0), ("b", 8.0), ("a", 16.0), ("", 32.0)]
    assert add_up(taken) == {"a": 1 + 2 + 4 + 16 + 32, "b": 8}
    assert add_up([]) == {}
    assert add_up([("", 1.0)]) == {}


def test_a_run_that_leaves_a_node_out_counts_as_none():
    runs = [{"a": 1.0, "b": 5.0}, {"a": 3.0}, {"a": 2.0}]
    assert find_medians(runs) == {"a": 2.0, "b": 0.0}
