"""Two stages to run: a graph of two convolutions, and one with two inputs and two outputs."""

from __future__ import annotations

import attrs
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench import HostFacts, Stage, TensorSpec


@pytest.fixture
def facts():
    return HostFacts(tier="mobile", cpus=2, memory=2**32)


@pytest.fixture
def images():
    return np.random.default_rng(1).standard_normal((5, 3, 12, 12)).astype("f4")


def stage(directory, nodes, inputs, outputs, constants=()):
    kinds = {
        "float32": TensorProto.FLOAT, "int64": TensorProto.INT64,
        "float16": TensorProto.FLOAT16, "bool": TensorProto.BOOL,
    }  # fmt: skip
    ends = [
        [helper.make_tensor_value_info(s.inside, kinds[s.dtype], list(s.shape)) for s in specs]
        for specs in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "toy", *ends, list(constants))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(made, full_check=True)
    onnx.save_model(made, directory / "model.onnx")
    return Stage(
        format="onnx", inputs=inputs, outputs=outputs, directory=directory, files=["model.onnx"]
    )


@pytest.fixture
def convolutions(tmp_path):
    return make_convolutions(tmp_path)


def make_convolutions(directory):
    random = np.random.default_rng(0)
    shapes = {"a": (16, 3, 3, 3), "b": (8, 16, 3, 3)}
    weights = {
        name: numpy_helper.from_array(random.standard_normal(shape).astype("f4") / 5, name)
        for name, shape in shapes.items()
    }
    nodes = [
        helper.make_node("Conv", ["pixels", "a"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Conv", ["r", "b"], ["out"]),
    ]
    inputs = (TensorSpec(name="input", port="pixels", dtype="float32", shape=("batch", 3, 12, 12)),)
    outputs = (TensorSpec(name="map", port="out", dtype="float32", shape=("batch", 8, 8, 8)),)
    return stage(directory, nodes, inputs, outputs, weights.values())


@pytest.fixture
def two_by_two(tmp_path):
    return make_two_by_two(tmp_path / "two")


def make_two_by_two(directory):
    directory.mkdir()
    rows = lambda name: TensorSpec(name=name, dtype="float32", shape=("batch", 4))  # noqa: E731
    nodes = [
        helper.make_node("Sub", ["x", "y"], ["less"]),
        helper.make_node("Add", ["x", "y"], ["more"]),
    ]
    return stage(directory, nodes, (rows("x"), rows("y")), (rows("less"), rows("more")))


@pytest.fixture
def swapped(two_by_two):
    """The same with its specs in the other order than the file has them."""
    return attrs.evolve(
        two_by_two, inputs=two_by_two.inputs[::-1], outputs=two_by_two.outputs[::-1]
    )


@pytest.fixture
def reference(convolutions, images):
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(str(convolutions.file)).run(None, {"pixels": images})[0]
