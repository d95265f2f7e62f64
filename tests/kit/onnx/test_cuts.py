"""Every cut of every graph: what is found is all there is, and its parts equal the whole."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgebench_kit.onnx.cut_lists import find_cuts
from edgebench_kit.onnx.cuts import Graph
from edgebench_kit.onnx.splitting import split_graph

from ... import foreign

CHANNELS, SIDE = 4, 6
KINDS = ("Conv", "MatMul", "Relu", "Add", "Shared")
X = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", CHANNELS, SIDE, SIDE])


def model(nodes, constants, outputs=("y",), inputs=(X,), shape=None):
    """Make a checked graph whose outputs have the shape of its input."""
    shape = shape or ["batch", CHANNELS, SIDE, SIDE]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs]
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "toy", list(inputs), ends, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(made, full_check=True)
    return made


def run(one, feeds, level=onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(
        one.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def in_two(graph, crossing, feeds):
    """Run the parts, one after the other, each on what it says it reads."""
    front, tail = split_graph(graph, crossing)
    tensors = dict(feeds)
    for part in (front, tail):
        tensors |= run(part, {one.name: tensors[one.name] for one in part.graph.input})
    return tensors


def separates(made, name):
    """Say by search whether every path from an input to an output passes through a tensor."""
    nodes = made.graph.node
    constants = {one.name for one in made.graph.initializer}
    reached = {one.name for one in made.graph.input} - {name} - constants
    for node in nodes:
        if not reached.isdisjoint(node.input):
            reached.update(set(node.output) - {name})
    return reached.isdisjoint(one.name for one in made.graph.output)


def feeds_for(seed, batch=2):
    random = np.random.default_rng(seed)
    return {"x": random.standard_normal((batch, CHANNELS, SIDE, SIDE)).astype("f4")}


def choose_between(number, source, captured, held=None):
    """Return nodes that double or shift a tensor, by what another holds; bodies read both.

    Each multiplies by what it holds, if that is given; they call it by the same name.
    """
    bodies = {
        branch: make_body(f"{branch}{number}", [op, source, captured], f"held{number}", held)
        for branch, op in (("then_branch", "Add"), ("else_branch", "Sub"))
    }
    return [
        helper.make_node("ReduceMean", [source], [f"mean{number}"], keepdims=0),
        helper.make_node("Greater", [f"mean{number}", "middle"], [f"sure{number}"]),
        helper.make_node("If", [f"sure{number}"], [f"t{number}"], **bodies),
    ]


def make_body(name, chosen, weight, held):
    """Return a body of one node, and of a product with what is held."""
    kind, *inputs = chosen
    nodes, tensors = [helper.make_node(kind, inputs, [name])], []
    if held is not None:
        nodes.append(helper.make_node("MatMul", [name, weight], [f"{name}.out"]))
        tensors = [numpy_helper.from_array(held, weight)]
    end = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    return helper.make_graph(nodes, name, [], [end], tensors)


@st.composite
def graphs(draw, kinds=KINDS):
    """Draw layers of one shape, each reading one or two of those before it; all lead to y."""
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    nodes, constants, unread = [], {}, ["x"]
    names = ["x"]
    for number in range(draw(st.integers(2, 12))):
        # Mostly the newest, so that there are cuts; now and then one further back, a skip.
        source = names[-1 - draw(st.sampled_from([0, 0, 0, 1, 2])) % len(names)]
        kind = draw(st.sampled_from(kinds))
        inputs = [source]
        if kind == "Conv":
            constants[f"w{number}"] = random.standard_normal((4, 4, 3, 3)).astype("f4") / 6
            inputs.append(f"w{number}")
        elif kind in {"MatMul", "Shared"}:
            weight = "shared" if kind == "Shared" else f"w{number}"
            constants[weight] = random.standard_normal((SIDE, SIDE)).astype("f4") / 3
            inputs.append(weight)
        elif kind in {"Add", "If", "Held"}:
            inputs.append(names[draw(st.integers(0, len(names) - 1))])
        pads = {"pads": [1, 1, 1, 1]} if kind == "Conv" else {}
        op = "MatMul" if kind == "Shared" else kind
        if kind in {"If", "Held"}:
            constants["middle"] = np.array(0.01, "f4")
            held = random.standard_normal((SIDE, SIDE)).astype("f4") / 3
            nodes += choose_between(number, *inputs, held if kind == "Held" else None)
        else:
            nodes.append(helper.make_node(op, inputs, [f"t{number}"], **pads))
        unread = [name for name in unread if name not in inputs] + [f"t{number}"]
        names.append(f"t{number}")
    nodes.append(helper.make_node("Sum", unread, ["y"]))
    return model(nodes, constants)


@settings(max_examples=120)
@given(graphs(), st.integers(0, 99))
def test_cuts_of_any_graph_are_all_there_are_and_give_the_whole(made, seed):
    graph = Graph.of(made)
    written = [name for node in made.graph.node for name in node.output if name != "y"]
    found = [cut.names[0] for cut in find_cuts(graph)]
    assert found == [name for name in written if separates(made, name)]
    whole = run(made, feeds_for(seed))["y"]
    bound = 1e-5 * max(1.0, np.abs(whole).max())
    for cut in find_cuts(graph):
        parted = in_two(graph, cut.names, feeds_for(seed))["y"]
        assert np.abs(parted - whole).max() <= bound


@settings(max_examples=120)
@given(graphs())
def test_weights_on_each_side_are_those_of_the_parts(made):
    graph = Graph.of(made)
    for cut in find_cuts(graph):
        sizes = tuple(
            sum(len(one.raw_data) for one in part.graph.initializer)
            for part in split_graph(graph, cut.names)
        )
        assert cut.weights == sizes


@settings(max_examples=60)
@given(graphs())
def test_only_the_cut_tensor_crosses(made):
    graph = Graph.of(made)
    for cut in find_cuts(graph):
        assert graph.find_crossing(graph.find_needed(cut.names)) == list(cut.names)
        assert cut.sent == CHANNELS * SIDE * SIDE * 4
        assert cut.crossing[0].shape == ("batch", CHANNELS, SIDE, SIDE)


def quantized(made, directory):
    from onnxruntime.quantization import QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    onnx.save_model(made, directory / "plain.onnx")
    quant_pre_process(directory / "plain.onnx", directory / "in.onnx", skip_symbolic_shape=True)
    quantize_static(
        directory / "in.onnx",
        directory / "out.onnx",
        foreign.Reader([feeds_for(seed) for seed in range(4)]),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return onnx.load_model(directory / "out.onnx")


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(graphs(), st.integers(100, 199))
def test_quantized_graphs_cut_at_integers_give_the_same_bits(tmp_path_factory, made, seed):
    graph = Graph.of(quantized(made, tmp_path_factory.mktemp("graph")))
    whole = run(graph.model, feeds_for(seed))["y"]
    for cut in (one for one in find_cuts(graph) if one.quantized):
        assert cut.crossing[0].dtype == "uint8"
        parted = in_two(graph, cut.names, feeds_for(seed))["y"]
        np.testing.assert_array_equal(parted, whole)


def conditional():
    """A graph whose branch reads a tensor, and a weight, of the graph round it."""
    branch = lambda name, op: helper.make_graph(  # noqa: E731
        [helper.make_node(op, ["early", "w"], [name])],
        name,
        [],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["early"]),
        helper.make_node("MatMul", ["early", "w"], ["late"]),
        helper.make_node("ReduceMax", ["late"], ["top"], keepdims=0),
        helper.make_node("Greater", ["top", "zero"], ["sure"]),
        helper.make_node(
            "If",
            ["sure"],
            ["chosen"],
            then_branch=branch("yes", "MatMul"),
            else_branch=branch("no", "Add"),
        ),
        helper.make_node("Neg", ["chosen"], ["y"]),
    ]
    return model(
        nodes, {"w": np.eye(SIDE, dtype="f4"), "zero": np.zeros((), "f4")}, shape=["batch", 4, 6, 6]
    )


def test_what_a_branch_reads_crosses_too():
    graph = Graph.of(conditional())
    assert [cut.names for cut in find_cuts(graph)] == [("early",), ("chosen",)]
    assert graph.find_crossing(graph.find_needed(["late"])) == ["early", "late"]
    whole = run(graph.model, feeds_for(3))["y"]
    for cut in find_cuts(graph):
        np.testing.assert_array_equal(in_two(graph, cut.names, feeds_for(3))["y"], whole)


def test_a_weight_that_only_a_branch_reads_goes_with_it():
    front, tail = split_graph(Graph.of(conditional()), ("early",))
    assert [one.name for one in front.graph.initializer] == []
    assert {one.name for one in tail.graph.initializer} == {"w", "zero"}


def test_an_input_that_is_read_late_crosses_with_the_tensor():
    mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch", 1, 1, SIDE])
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Mul", ["a", "mask"], ["b"]),
        helper.make_node("Neg", ["b"], ["y"]),
    ]
    graph = Graph.of(model(nodes, {}, inputs=(X, mask)))
    assert [cut.names for cut in find_cuts(graph)] == [("b",)]
    assert graph.find_crossing(graph.find_needed(["a"])) == ["mask", "a"]


def test_an_earlier_output_forbids_the_cuts_after_it():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Neg", ["a"], ["early"]),
        helper.make_node("Abs", ["a"], ["b"]),
        helper.make_node("Neg", ["b"], ["y"]),
    ]
    graph = Graph.of(model(nodes, {}, outputs=("early", "y")))
    assert [cut.names for cut in find_cuts(graph)] == [("a",)]


def test_an_output_that_is_read_on_may_be_what_crosses():
    nodes = [helper.make_node("Relu", ["x"], ["early"]), helper.make_node("Neg", ["early"], ["y"])]
    graph = Graph.of(model(nodes, {}, outputs=("early", "y")))
    assert [cut.names for cut in find_cuts(graph)] == [("early",)]
    got = in_two(graph, ("early",), feeds_for(1))
    np.testing.assert_array_equal(got["y"], run(graph.model, feeds_for(1))["y"])


def test_nodes_that_lead_nowhere_are_no_hindrance():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Exp", ["x"], ["unused"]),
        helper.make_node("Neg", ["a"], ["y"]),
    ]
    graph = Graph.of(model(nodes, {}))
    assert [cut.names for cut in find_cuts(graph)] == [("a",)]
    front, tail = split_graph(graph, ("a",))
    assert [node.op_type for part in (front, tail) for node in part.graph.node] == ["Relu", "Neg"]


def test_an_output_of_a_node_that_nobody_reads_does_not_cross():
    nodes = [
        helper.make_node("Split", ["x"], ["a", "unread"], axis=3, num_outputs=2),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Concat", ["b", "b"], ["y"], axis=3),
    ]
    assert [cut.names for cut in find_cuts(Graph.of(model(nodes, {})))] == [("a",), ("b",)]


def test_constants_are_no_tensors_that_cross():
    two = numpy_helper.from_array(np.full(1, 2, "f4"))
    nodes = [
        helper.make_node("Constant", [], ["two"], value=two),
        helper.make_node("Neg", ["two"], ["minus"]),
        helper.make_node("Mul", ["x", "minus"], ["a"]),
        helper.make_node("Mul", ["a", "minus"], ["y"]),
    ]
    graph = Graph.of(model(nodes, {}))
    (cut,) = find_cuts(graph)
    assert (cut.names, cut.weights) == (("a",), (4, 4))
    front, tail = split_graph(graph, ("a",))
    assert [node.op_type for node in front.graph.node] == ["Constant", "Neg", "Mul"]
    assert [node.op_type for node in tail.graph.node] == ["Constant", "Neg", "Mul"]


def test_shape_arithmetic_that_reads_the_input_forbids_a_cut():
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("Reshape", ["a", "size"], ["y"]),
    ]
    assert find_cuts(Graph.of(model(nodes, {}))) == []


@pytest.mark.parametrize("level", ["ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_ALL"])
def test_bits_are_kept_whatever_the_runtime_optimises(tmp_path, level):
    random = np.random.default_rng(0)
    nodes, constants = [], {}
    for number in range(4):
        before = "x" if number == 0 else f"r{number - 1}"
        constants[f"w{number}"] = random.standard_normal((4, 4, 3, 3)).astype("f4") / 6
        nodes.append(
            helper.make_node("Conv", [before, f"w{number}"], [f"c{number}"], pads=[1, 1, 1, 1])
        )
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"]))
    nodes.append(helper.make_node("Neg", ["r3"], ["y"]))
    graph = Graph.of(quantized(model(nodes, constants), tmp_path))
    whole = run(graph.model, feeds_for(5), getattr(onnxruntime.GraphOptimizationLevel, level))
    cuts = [cut for cut in find_cuts(graph) if cut.quantized]
    assert len(cuts) == 5
    for cut in cuts:
        np.testing.assert_array_equal(in_two(graph, cut.names, feeds_for(5))["y"], whole["y"])


ANCHORS = np.arange(40, dtype="f4").reshape(10, 4)
GIVEN = {
    "initializer": ([], {"anchors": ANCHORS}),
    "constant": (
        [helper.make_node("Constant", [], ["anchors"], value=numpy_helper.from_array(ANCHORS))],
        {},
    ),
    "computed": ([helper.make_node("Neg", ["minus"], ["anchors"])], {"minus": -ANCHORS}),
}


@pytest.mark.parametrize(("nodes", "constants"), GIVEN.values(), ids=GIVEN)
def test_an_output_that_depends_on_no_input_hinders_no_cut(nodes, constants):
    layers = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w"], ["y"]),
    ]
    weight = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype("f4")
    for order in ([*layers, *nodes], [*nodes, *layers]):
        made = model(order, {"w": weight, **constants})
        made.graph.output.append(
            helper.make_tensor_value_info("anchors", TensorProto.FLOAT, ANCHORS.shape)
        )
        graph = Graph.of(made)
        assert [cut.names for cut in find_cuts(graph)] == [("a",), ("b",)]
        for cut in find_cuts(graph):
            parted = in_two(graph, cut.names, feeds_for(0))
            np.testing.assert_array_equal(parted["anchors"], ANCHORS)
            np.testing.assert_array_equal(parted["y"], run(made, feeds_for(0))["y"])


def test_bodies_take_what_they_capture_to_their_part():
    """A conditional whose branches read what crosses, a weight outside, and one of their own."""

    def branch(name, *nodes):
        out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
        own = numpy_helper.from_array(np.full(1, 3, "f4"), "own")
        return helper.make_graph(list(nodes), name, [], [out], [own])

    inner = branch("inner", helper.make_node("Mul", ["b", "w"], ["out"]))
    nested = helper.make_node("If", ["yes"], ["out"], then_branch=inner, else_branch=inner)
    other = branch("other", helper.make_node("Add", ["b", "own"], ["out"]))
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Mul", ["a", "w"], ["b"]),
        helper.make_node("ReduceSum", ["b"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["yes"]),
        helper.make_node(
            "If", ["yes"], ["y"], then_branch=branch("deep", nested), else_branch=other
        ),
    ]
    made = model(nodes, {"w": np.full(1, 2, "f4"), "zero": np.array(0, "f4")})
    graph = Graph.of(made)
    assert [cut.names for cut in find_cuts(graph)] == [("a",), ("b",)]
    for cut in find_cuts(graph):
        front, tail = split_graph(graph, cut.names)
        assert [one.name for one in tail.graph.initializer] == ["w", "zero"]
        assert len(front.graph.initializer) == (cut.names == ("b",))
        for sign in (1, -1):
            feeds = {"x": sign * np.abs(feeds_for(0)["x"])}
            parted = in_two(graph, cut.names, feeds)
            np.testing.assert_array_equal(parted["y"], run(made, feeds)["y"])
