"""What the runtimes say that the nodes of a graph take, by the names in its file."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench import Backend, Stage, TensorSpec
from edgebench.catalogue.plugins import Plugins
from edgebench_kit.onnx.node_times import name_nodes

WIDE = 1024
BACKENDS = ("onnxruntime", "openvino")


@pytest.fixture(scope="module", params=BACKENDS)
def backend(registry, request):
    return Plugins.load(registry).get(Backend, request.param)


def weights(name, *shape):
    values = np.random.default_rng(0).standard_normal(shape).astype("f4") / WIDE
    return numpy_helper.from_array(values, name)


def nodes_of(names):
    """A small and a large product, with what is fused to them, called as is said."""
    small, relu, large, add, tanh = names
    return [
        helper.make_node("MatMul", ["x", "narrow"], ["s"], name=small),
        helper.make_node("Relu", ["s"], ["r"], name=relu),
        helper.make_node("MatMul", ["r", "wide"], ["l"], name=large),
        helper.make_node("Add", ["l", "bias"], ["a"], name=add),
        helper.make_node("Tanh", ["a"], ["y"], name=tanh),
    ]


def write(directory, nodes, constants, **options):
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", WIDE])]
        for name in ("x", "y")
    ]
    graph = helper.make_graph(nodes, "toy", *ends, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save_model(model, directory / "model.onnx", **options)
    specs = [TensorSpec(name=name, dtype="float32", shape=("batch", WIDE)) for name in ("x", "y")]
    return Stage(
        format="onnx",
        inputs=specs[:1],
        outputs=specs[1:],
        directory=directory,
        files=["model.onnx"],
    )


def products(directory, names, **options):
    constants = [weights("narrow", WIDE, 8), weights("wide", 8, WIDE), weights("bias", WIDE)]
    nodes = nodes_of(names)
    # The large one is wide on both sides.
    nodes.insert(3, helper.make_node("MatMul", ["l", "square"], ["q"], name=f"{names[2]}-2"))
    nodes[4].input[0] = "q"
    return write(directory, nodes, [*constants, weights("square", WIDE, WIDE)], **options)


def profile(backend, stage, batch=64, runs=9):
    inputs = {"x": np.ones((batch, WIDE), "f4")}
    with backend.open(stage, "cpu", 1, backend.options()) as session:
        return session.profile(inputs, runs)


def called(stage):
    return name_nodes(onnx.load_model(stage.file, load_external_data=False).graph)


@pytest.mark.parametrize(
    "names",
    [
        ("small", "relu", "large", "add", "tanh"),
        ("/m/small", "/m/relu", "/m/large", "/m/add", "/m/tanh"),
        ("", "", "", "", ""),
    ],
)
def test_times_stand_by_the_names_in_the_file(backend, tmp_path, names):
    stage = products(tmp_path, names)
    found = profile(backend, stage)
    known = called(stage)
    assert set(found) <= set(known)
    assert all(seconds >= 0 for seconds in found.values())
    # The square product does 128 times what another does; what is fused with it may give the name.
    assert known.index(max(found, key=found.__getitem__)) in (3, 4, 5)
    assert 0 < sum(found.values()) < 1


def test_weights_in_a_file_beside_the_graph_are_found(backend, tmp_path):
    stage = products(
        tmp_path, [""] * 5, save_as_external_data=True, location="w.data", size_threshold=0
    )
    assert profile(backend, stage)


def test_what_a_branch_takes_is_the_time_of_its_node(backend, tmp_path):
    def branch(name, weight):
        inner = helper.make_node("MatMul", ["x", weight], [f"{name}-y"], name=f"{name}-product")
        out = helper.make_tensor_value_info(f"{name}-y", TensorProto.FLOAT, ["batch", WIDE])
        return helper.make_graph([inner], name, [], [out])

    nodes = [
        helper.make_node("ReduceMax", ["x"], ["most"], name="most", keepdims=0),
        helper.make_node("Greater", ["most", "half"], ["above"], name="above"),
        helper.make_node(
            "If", ["above"], ["picked"], name="choose",
            then_branch=branch("then", "square"), else_branch=branch("else", "square"),
        ),
        helper.make_node("Relu", ["picked"], ["y"], name="relu"),
    ]  # fmt: skip
    half = numpy_helper.from_array(np.float32(0.5), "half")
    stage = write(tmp_path, nodes, [half, weights("square", WIDE, WIDE)])
    found = profile(backend, stage, batch=64)
    assert set(found) <= {"most", "above", "choose", "relu"}
    assert max(found, key=found.__getitem__) == "choose"


def test_a_session_that_was_profiled_answers_as_before(backend, tmp_path):
    stage = products(tmp_path, ("small", "relu", "large", "add", "tanh"))
    inputs = {"x": np.ones((4, WIDE), "f4")}
    with backend.open(stage, "cpu", 1, backend.options()) as session:
        before = session.run(inputs)["y"]
        session.profile(inputs, 2)
        np.testing.assert_array_equal(session.run(inputs)["y"], before)
    # Nothing is written beside the graph.
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
