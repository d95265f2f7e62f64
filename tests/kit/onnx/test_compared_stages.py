"""What is made of a stage with an exit: whether samples leave where they did in floats."""

from __future__ import annotations

import attrs
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench import Exit, Pipeline, Stage, TensorSpec
from edgebench_kit.onnx.compared_stages import Comparison
from edgebench_kit.onnx.plain_graphs import PlainGraph


def scaled(factor):
    """A graph that gives x and, as `sure`, x times a factor."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1])
        for name in ("x", "y", "sure")
    ]
    nodes = [
        helper.make_node("Identity", ["x"], ["y"]),
        helper.make_node("Mul", ["x", "f"], ["sure"]),
    ]
    weights = [numpy_helper.from_array(np.float32([factor]), "f")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize(("factor", "changed"), [(1.0, 0), (0.98, 0), (0.5, 4)])
def test_samples_that_leave_otherwise_than_in_floats_are_counted_and_doubted(
    tmp_path, factor, changed
):
    spec = [TensorSpec(name=n, dtype="float32", shape=("batch", 1)) for n in ("x", "y", "sure")]
    stage = Stage(
        format="onnx",
        inputs=spec[:1],
        outputs=spec[1:],
        live=scaled(1.0),
        exit=Exit(condition="sure", answer=["y"], threshold=0.55),
    )
    pipeline = Pipeline(model="m", variant="v", stages=[stage], outputs=["y"])
    samples = [{"x": np.float32([[number / 10]])} for number in range(10)]
    comparison = Comparison.begin(pipeline, samples)
    made = attrs.evolve(stage, live=onnx.ModelProto.FromString(scaled(factor).SerializeToString()))
    comparison.add(PlainGraph.make(stage.live, tmp_path), made)
    assert comparison.changed == {"sure": changed}
    doubts = [one for one in comparison.list_doubts() if "leave by" in one]
    assert [one.startswith(f"{changed} of 10 calibration inputs") for one in doubts] == (
        [True] if changed else []
    )
