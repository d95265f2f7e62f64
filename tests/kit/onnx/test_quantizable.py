"""What is done to a graph before it is quantized changes nothing of what it computes."""

from __future__ import annotations

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgebench_kit.onnx import quantizable, scopes
from edgebench_kit.onnx.plain_graphs import PlainGraph
from edgebench_kit.onnx.sessions import open_session

WIDTH = 4
NAMES = [
    "x", "w", "b", "b0", "b1", "w_scale", "w_quantized", "w_zero_point", "x_scale", "b_quantized",
    "x_QuantizeLinear_Output", "w_quantized_scale", "x_scale_scale", "t0000001t", "x/lowest",
]  # fmt: skip
"""Names of which some are what tools make of others."""
SHAPES = {"vector": (WIDTH,), "row": (1, WIDTH), "one": (1,), "scalar": (), "column": (2, 1)}


@st.composite
def graphs(draw):
    """Draw a graph over rows of numbers: shared constants, any bias, bodies, ends of all kinds."""
    names = draw(st.permutations(NAMES))
    first, weight, bias, *rest = names
    random = np.random.default_rng(draw(st.integers(0, 99)))
    shape = SHAPES[draw(st.sampled_from(list(SHAPES)))]
    constants = {
        weight: random.standard_normal((WIDTH, WIDTH)).astype("f4") / 2,
        bias: random.standard_normal(shape).astype("f4"),
    }
    nodes, written = [], [first]
    for name in rest[: draw(st.integers(1, 5))]:
        kind = draw(st.sampled_from(["Gemm", "MatMul", "Add", "Relu", "If"]))
        before = draw(st.sampled_from(written))
        nodes += _make_nodes(draw, kind, before, name, weight, bias)
        written.append(name)
    outputs = {written[-1], *draw(st.sets(st.sampled_from([*written, weight]), max_size=2))}
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(first, TensorProto.FLOAT, [2, WIDTH])],
        sorted(ends, key=lambda one: one.name),
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9), first


def _make_nodes(draw, kind, before, name, weight, bias):
    if kind == "Gemm":
        factors = {
            "beta": draw(st.sampled_from([1.0, 0.0, 2.5])),
            "transB": draw(st.integers(0, 1)),
        }
        return [helper.make_node(kind, [before, weight, bias], [name], **factors)]
    if kind == "MatMul":
        return [helper.make_node(kind, [before, weight], [name])]
    if kind == "Add":
        return [
            helper.make_node(kind, [before, bias], [name], name=draw(st.sampled_from(["", "n"])))
        ]
    if kind == "Relu":
        return [helper.make_node(kind, [before], [name])]
    return _make_branches(before, name, weight)


def _make_branches(before, name, weight):
    """An If whose branches read the graph around them, and write the same name."""
    bodies = {
        branch: helper.make_graph(
            [
                helper.make_node("MatMul", [before, weight], ["inner_scale"]),
                helper.make_node(kind, ["inner_scale"], [f"{branch}_quantized"]),
            ],
            branch,
            [],
            [helper.make_tensor_value_info(f"{branch}_quantized", TensorProto.FLOAT, None)],
        )
        for branch, kind in (("then_branch", "Tanh"), ("else_branch", "Neg"))
    }
    return [
        helper.make_node("ReduceSum", [before], [f"{name}.sum"], keepdims=0),
        helper.make_node("Cast", [f"{name}.sum"], [f"{name}.yes"], to=TensorProto.BOOL),
        helper.make_node("If", [f"{name}.yes"], [name], **bodies),
    ]


def list_names(graph):
    """The names of a graph and its bodies, each as often as it is given."""
    nested = [body for node in graph.node for body in scopes.walk_node_bodies(node)]
    return scopes.list_owned(graph) + [name for body in nested for name in list_names(body)]


@given(drawn=graphs())
def test_outputs_stay_and_names_are_apart(drawn, tmp_path_factory):
    model, first = drawn
    x = np.random.default_rng(5).standard_normal((2, WIDTH)).astype("f4")
    directory = tmp_path_factory.mktemp("plain")
    before = model.SerializeToString()
    plain = PlainGraph.make(model, directory)
    assert model.SerializeToString() == before
    made = onnx.load_model(plain.path)
    assert len({one.name for one in made.graph.node}) == len(made.graph.node)
    assert all(scopes.LABEL.fullmatch(name) for name in list_names(made.graph))
    wanted = open_session(plain.original).run(
        [plain.names.ends[one.name] for one in model.graph.output], {plain.names.ends[first]: x}
    )
    quantizable.split_constants(made, plain.labels, frozenset())
    names = list_names(made.graph)
    assert len(set(names)) == len(names)
    restored = plain.restore(made)
    assert [one.name for one in restored.graph.output] == [one.name for one in model.graph.output]
    path = directory / "restored.onnx"
    onnx.save_model(restored, path)
    for right, other in zip(wanted, open_session(path).run(None, {first: x}), strict=True):
        np.testing.assert_allclose(other, right, rtol=1e-4, atol=1e-5)
