"""Cuts at which several tensors cross: listed, weighed, and equal to the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgebench_kit.onnx.cut_lists import CutFinder, find_cuts
from edgebench_kit.onnx.cuts import Graph
from edgebench_kit.onnx.graphs import count_parameters, walk_bodies
from edgebench_kit.onnx.splitting import split_graph

from .test_cuts import (
    CHANNELS,
    KINDS,
    SIDE,
    conditional,
    feeds_for,
    graphs,
    in_two,
    model,
    quantized,
    run,
)

MOST = 4


def check_equal(graph, feeds, cuts):
    whole = run(graph.model, feeds)["y"]
    bound = 1e-5 * max(1.0, np.abs(whole).max())
    for cut in cuts:
        parted = in_two(graph, cut.names, feeds)["y"]
        assert np.abs(parted - whole).max() <= (0 if cut.quantized else bound), cut.names


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(), st.integers(0, 99))
def test_every_cut_of_any_graph_gives_the_whole(made, seed):
    graph = Graph.of(made)
    cuts = find_cuts(graph, MOST)
    assert len(cuts) == CutFinder(graph=graph).count()[0]
    check_equal(graph, feeds_for(seed), cuts[:: max(1, len(cuts) // 20)])


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(kinds=(*KINDS, "If", "If")), st.integers(0, 99))
def test_every_cut_of_any_graph_with_bodies_gives_the_whole(made, seed):
    """What a body reads of the graph around it crosses, on whichever side the condition is."""
    graph = Graph.of(made)
    cuts = find_cuts(graph, MOST)
    assert len(cuts) == CutFinder(graph=graph).count()[0]
    check_equal(graph, feeds_for(seed), cuts[:: max(1, len(cuts) // 20)])


@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(graphs(), st.integers(100, 199))
def test_integers_that_cross_give_the_same_bits(tmp_path_factory, made, seed):
    graph = Graph.of(quantized(made, tmp_path_factory.mktemp("graph")))
    cuts = [cut for cut in find_cuts(graph, MOST) if cut.quantized]
    for cut in cuts:
        assert {spec.dtype for spec in cut.crossing} <= {"uint8", "float32"}
    check_equal(graph, feeds_for(seed), cuts[:: max(1, len(cuts) // 10)])


@settings(max_examples=60)
@given(graphs(kinds=(*KINDS, "If", "Held")))
def test_what_each_side_weighs_is_what_its_part_holds(made):
    """Weights and nodes within bodies lie on the side of their conditional."""
    graph = Graph.of(made)
    finder = CutFinder(graph=graph)
    assert finder.parameters == count_parameters(made)
    for cut in find_cuts(graph, MOST)[:20]:
        parts = split_graph(graph, cut.names)
        weights = tuple(sum(map(weigh, walk_bodies(part.graph))) for part in parts)
        assert cut.weights == weights
        assert cut.parameters == tuple(size // 4 for size in weights)
        assert cut.sent == len(cut.names) * CHANNELS * SIDE * SIDE * 4
        assert list(cut.operations) == [count_by_hand(part.graph) for part in parts]


def weigh(graph):
    return sum(len(one.raw_data) for one in graph.initializer)


def count_by_hand(graph):
    pixels = CHANNELS * SIDE * SIDE
    own = {"Conv": pixels * CHANNELS * 9, "MatMul": pixels * SIDE}
    return sum(
        max(count_by_hand(one.g) for one in node.attribute)
        if node.op_type == "If"
        else own.get(node.op_type, 0)
        for node in graph.node
    )


def test_what_a_branch_captures_crosses_where_it_is_wanted():
    graph = Graph.of(conditional())
    cuts = find_cuts(graph, MOST)
    assert ("early", "late") in {cut.names for cut in cuts}
    for seed in (3, 4):
        check_equal(graph, feeds_for(seed), cuts)


def test_integers_cross_where_floats_made_of_them_are_read_on_both_sides(tmp_path):
    """A sum reads what a layer reads too, through one DequantizeLinear."""
    random = np.random.default_rng(0)
    weights = {f"w{n}": random.standard_normal((4, 4, 3, 3)).astype("f4") / 6 for n in range(2)}
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w1"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c", "b"], ["d"]),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    graph = Graph.of(quantized(model(nodes, weights), tmp_path))
    both = [cut for cut in find_cuts(graph, MOST) if cut.quantized and len(cut.names) == 2]
    assert both
    for cut in both:
        assert {spec.dtype for spec in cut.crossing} == {"uint8"}
    check_equal(graph, feeds_for(5), both)
    inexact = [cut for cut in find_cuts(graph, MOST) if not cut.quantized]
    ranked = CutFinder(graph=graph).rank(lambda _: []).cuts
    assert inexact
    assert [cut.quantized for cut in ranked] == sorted((c.quantized for c in ranked), reverse=True)


def upscaling():
    """Halve a picture of any size, and bring it back to the size that it had."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2, "height", "width"])
        for name in ("x", "y")
    ]
    constants = {
        "w": np.random.default_rng(0).standard_normal((2, 2, 3, 3)).astype("f4"),
        "from": np.array([2]),
        "to": np.array([4]),
        "channels": np.array([2]),
        "first": np.array([0]),
        "one": np.array([1]),
    }
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "from", "to"], ["size"]),
        helper.make_node("Slice", ["shape", "first", "one"], ["rows"]),
        helper.make_node("Concat", ["rows", "channels", "size"], ["wanted"], axis=0),
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Resize", ["b", "", "", "wanted"], ["y"], mode="linear"),
    ]
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "upscaling", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_sizes_cross_with_a_row_for_each_sample():
    graph = Graph.of(upscaling())
    cuts = {cut.names: cut for cut in find_cuts(graph, 3)}
    assert cuts["wanted", "b"].crossing[0].shape == ("batch", 4)
    assert cuts["size", "rows", "b"].crossing[0].dtype == "int64"
    random = np.random.default_rng(1)
    for shape in ((1, 2, 9, 14), (3, 2, 32, 20)):
        feeds = {"x": random.standard_normal(shape).astype("f4")}
        whole = run(graph.model, feeds)["y"]
        for names, cut in cuts.items():
            parted = in_two(graph, names, feeds)
            np.testing.assert_allclose(parted["y"], whole, atol=1e-5)
            for spec in cut.crossing:
                assert len(parted[spec.name]) == shape[0]


def test_three_parts_give_the_whole_and_pass_on_what_a_later_one_reads():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Abs", ["b"], ["c"]),
        helper.make_node("Add", ["c", "a"], ["y"]),
    ]
    made = model(nodes, {})
    parts = split_graph(Graph.of(made), ("a",), ("a", "c"))
    assert [[one.name for one in part.graph.output] for part in parts] == [["a"], ["c"], ["y"]]
    tensors = feeds_for(2)
    for part in parts:
        tensors |= run(part, {one.name: tensors[one.name] for one in part.graph.input})
    np.testing.assert_array_equal(tensors["y"], run(made, feeds_for(2))["y"])


@pytest.mark.parametrize("most", [1, 2])
def test_only_the_best_are_described(most):
    graph = Graph.of(conditional())
    finder = CutFinder(graph=graph)
    every = finder.rank(lambda weighed: [weighed.sent]).cuts
    assert finder.rank(lambda weighed: [weighed.sent], most).cuts == every[:most]
