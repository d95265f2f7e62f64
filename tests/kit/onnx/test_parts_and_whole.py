from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench import Stage, TensorSpec
from edgebench_kit.onnx.cuts import Graph
from edgebench_kit.onnx.parts_and_whole import (
    SIDE,
    TOLERANCE,
    draw_inputs,
    find_difference,
    find_tolerance,
)

HALF = pytest.approx(8 * 2.0**-10)
BRAIN = pytest.approx(8 * 2.0**-7)


def graph_of(*nodes, weights=(), kind=TensorProto.FLOAT, inner=()):
    ends = [helper.make_tensor_value_info(name, kind, ["N", 4]) for name in ("x", "y")]
    tensors = [numpy_helper.from_array(array, name) for name, array in weights]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors, value_info=inner)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return Graph.of(made)


def cast(given, made, kind):
    return helper.make_node("Cast", [given], [made], to=kind)


def through(kind):
    """A graph that is float32 at both ends and computes in something else."""
    return graph_of(
        cast("x", "in", kind), helper.make_node("Relu", ["in"], ["out"]), cast("out", "y", 1)
    )


def test_the_coarsest_numbers_inside_decide_what_is_allowed():
    assert find_tolerance(graph_of(helper.make_node("Relu", ["x"], ["y"]))) == TOLERANCE
    relu = helper.make_node("Relu", ["x"], ["y"])
    assert find_tolerance(graph_of(relu, kind=TensorProto.FLOAT16)) == HALF
    assert find_tolerance(through(TensorProto.FLOAT16)) == HALF
    assert find_tolerance(through(TensorProto.BFLOAT16)) == BRAIN
    assert find_tolerance(through(TensorProto.DOUBLE)) == TOLERANCE


def test_weights_kept_in_half_the_bytes_are_no_coarser_computing():
    kept = ("w", np.ones((4, 4), "f2"))
    nodes = [cast("w", "full", TensorProto.FLOAT), helper.make_node("MatMul", ["x", "full"], ["y"])]
    assert find_tolerance(graph_of(*nodes, weights=[kept])) == TOLERANCE


def test_what_bodies_compute_in_counts():
    inner = helper.make_graph(
        [cast("x", "h", TensorProto.FLOAT16), cast("h", "out", TensorProto.FLOAT)],
        "then",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", 4])],
    )
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["yes"]),
        helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner),
    ]
    graph = graph_of(*nodes, weights=[("zero", np.array(0, "f4"))])
    assert find_tolerance(graph) == HALF


def test_a_precision_that_a_backend_computes_in_counts():
    plain = graph_of(helper.make_node("Relu", ["x"], ["y"]))
    assert find_tolerance(plain, ["f32", "f32"]) == TOLERANCE
    assert find_tolerance(plain, ["f32", "bf16"]) == BRAIN
    assert find_tolerance(plain, ["of a vendor's own"]) == BRAIN


def outputs(*values, dtype="f4"):
    return {"y": np.array(values, dtype)}


def test_the_parts_may_be_as_far_from_the_whole_as_wholes_are_from_each_other():
    wholes = [outputs(1.0, 100.0), outputs(1.0, 100.2)]
    assert find_difference(wholes, outputs(1.0, 100.3), TOLERANCE) is None
    different = find_difference(wholes, outputs(1.0, 101.0), TOLERANCE)
    assert (different.clause, different.slight) == ("'y' differs by 0.8; 0.2 is allowed", False)
    alone = find_difference(wholes[:1], outputs(1.0, 100.3), TOLERANCE)
    assert alone.clause == "'y' differs by 0.3; 0.001 is allowed"


def test_wholes_of_other_shapes_allow_nothing():
    wholes = [outputs(1.0, 2.0), outputs(1.0)]
    assert find_difference(wholes, outputs(1.0, 2.5), TOLERANCE) is not None
    assert find_difference(wholes, outputs(1.0, 2.0), TOLERANCE) is None


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_equals_only_itself(odd):
    whole = [outputs(1.0, odd)]
    assert find_difference(whole, outputs(1.0, odd), TOLERANCE) is None
    assert not find_difference(whole, outputs(1.0, 2.0), TOLERANCE).slight


@pytest.mark.parametrize(("flipped", "slight"), [(1, True), (10, True), (11, False)])
def test_few_whole_numbers_that_differ_may_be_rounding(flipped, slight):
    whole = {"y": np.zeros(100, "i8")}
    got = {"y": np.arange(100) < flipped}
    different = find_difference([whole], {"y": got["y"] * 7}, TOLERANCE)
    assert different.clause == f"'y' differs in {flipped} of 100 whole numbers"
    assert different.slight is slight


def test_made_up_rows_are_never_alike():
    specs = [
        TensorSpec(name="flag", dtype="bool", shape=("batch", 1)),
        TensorSpec(name="kind", dtype="int64", shape=("batch",)),
        TensorSpec(name="level", dtype="uint8", shape=("batch", 2)),
        TensorSpec(name="x", dtype="float16", shape=("batch", "seq")),
    ]
    stage = Stage(format="onnx", inputs=specs, outputs=specs[:1])
    for seed in range(20):
        made = draw_inputs(stage, seed)
        for spec in specs:
            first, second = made[spec.name]
            assert made[spec.name].dtype == spec.dtype
            assert not np.array_equal(first, second)
        assert set(made["level"].flat) <= {0, 1}
    assert made["x"].shape == (2, SIDE)
