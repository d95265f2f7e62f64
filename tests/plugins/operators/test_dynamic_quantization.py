"""Weights become integers and answers stay, on graphs of every make and both runtimes."""

from __future__ import annotations

from collections import Counter

import attrs
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench import CaseFailed, ChainError, Pipeline, Stage, TensorSpec
from edgebench_kit.onnx.graphs import walk_bodies
from edgebench_plugins.backends import onnxruntime, openvino
from edgebench_plugins.operators import dynamic_quantization
from edgebench_plugins.operators.dynamic_quantization import DynamicQuantizationOptions

(OPERATOR,) = dynamic_quantization.edgebench_operators()
RUNTIMES = [
    (onnxruntime, onnxruntime.OnnxruntimeOptions()),
    (openvino, openvino.OpenvinoOptions()),
]
RANDOM = np.random.default_rng(3)


def drawn(*shape):
    return RANDOM.standard_normal(shape).astype("f4")


def make(nodes, constants, x=("batch", 32), y=("batch", 8), *, kind=TensorProto.FLOAT, opset=13):
    """Make a pipeline of one graph from x to y."""
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    ends = [
        helper.make_tensor_value_info(name, kind, shape) for name, shape in (("x", x), ("y", y))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    live = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    dtype = helper.tensor_dtype_to_np_dtype(kind).name
    inputs, outputs = (
        TensorSpec(name=one.name, dtype=dtype, shape=shape)
        for one, shape in zip(ends, (x, y), strict=True)
    )
    stage = Stage(format="onnx", live=live, inputs=(inputs,), outputs=(outputs,))
    return Pipeline(model="toy", variant="small", stages=(stage,), outputs=("y",))


def apply(pipeline, context, feeds, **options):
    here = context(DynamicQuantizationOptions(**options), calibration=feeds)
    return OPERATOR.apply(pipeline, here), here


def count(pipeline):
    graph = pipeline.stages[0].live.graph
    return Counter(node.op_type for body in walk_bodies(graph) for node in body.node)


def noise(context, one, other, feed):
    """Return the relative error of each runtime, and how far the two are apart."""
    wanted = context().run(one, feed)["y"]
    got = [context(backend=b, runtime=o).run(other, feed)["y"] for b, o in RUNTIMES]
    scale = np.linalg.norm(wanted)
    apart = np.linalg.norm(got[0] - got[1]) / scale
    return [np.linalg.norm(wanted - each) / scale for each in got], apart


def batches(*shape, several=4):
    return [{"x": drawn(1, *shape)} for _ in range(several)]


GRAPHS = {
    "a product": lambda: make([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": drawn(32, 8)}),
    "a product whose weights are read transposed, times 2, with half of a bias": lambda: make(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1, alpha=2.0, beta=0.5)],
        {"w": drawn(8, 32), "b": drawn(8)},
    ),
    "a bias that is one row": lambda: make(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])], {"w": drawn(32, 8), "b": drawn(1, 8)}
    ),
    "a product of what is transposed": lambda: make(
        [
            helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
            helper.make_node("Gemm", ["t", "w"], ["y"], transA=1),
        ],
        {"w": drawn(32, 8)},
    ),
    "an old operator set": lambda: make(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": drawn(32, 8)}, opset=9
    ),
    "weights that two products read, of one activation": lambda: make(
        [
            helper.make_node("MatMul", ["x", "w"], ["a"]),
            helper.make_node("Relu", ["x"], ["r"]),
            helper.make_node("MatMul", ["r", "w"], ["b"]),
            helper.make_node("Add", ["a", "b"], ["y"]),
        ],
        {"w": drawn(32, 8)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("made", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("options", [{}, {"per_channel": False}, {"reduce_range": True}])
def test_both_runtimes_compute_what_floats_do_but_for_steps(made, options, context):
    pipeline = made()
    done, here = apply(pipeline, context, batches(32), **options)
    errors, apart = noise(context, pipeline, done, {"x": drawn(5, 32)})
    assert max(errors) < 0.03 + 0.03 * bool(options)
    assert min(errors) > 1e-4  # it is not the graph in floats that ran
    assert apart < 1e-5
    assert count(done)["MatMulInteger"] == count(pipeline)["MatMul"] + count(pipeline)["Gemm"]
    assert here.doubts == []


def test_weights_are_kept_once_and_in_a_byte(context):
    done, _ = apply(
        GRAPHS["weights that two products read, of one activation"](), context, batches(32)
    )
    graph = done.stages[0].live.graph
    matrices = [one for one in graph.initializer if list(one.dims) == [32, 8]]
    assert [one.data_type for one in matrices] == [TensorProto.INT8]
    assert count(done)["DynamicQuantizeLinear"] == 2
    assert done.stages[0].precision == "int8"


def test_seven_bits_are_asked_for(context):
    done, _ = apply(GRAPHS["a product"](), context, batches(32), reduce_range=True)
    (matrix,) = (
        numpy_helper.to_array(one)
        for one in done.stages[0].live.graph.initializer
        if len(one.dims) == 2
    )
    assert np.abs(matrix.astype(int)).max() == 63


def test_words_of_a_table_have_a_step_each(context):
    table = drawn(50, 32) * np.geomspace(0.01, 10, 50, dtype="f4")[:, None]
    nodes = [
        helper.make_node("Cast", ["x"], ["ids"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "ids"], ["words"]),
        helper.make_node("MatMul", ["words", "w"], ["y"]),
    ]
    pipeline = make(nodes, {"table": table, "w": drawn(32, 8)}, ["batch", 3], ["batch", 3, 8])
    feeds = [{"x": np.array([[1, 2, 3]], "f4") + at} for at in range(4)]
    done, _ = apply(pipeline, context, feeds)
    assert {
        one.data_type for one in done.stages[0].live.graph.initializer if one.dims[:1] == [50]
    } == {
        TensorProto.INT8,
        TensorProto.FLOAT,  # the steps
    }
    # The smallest rows alone: with one step for the table they would be nothing.
    errors, apart = noise(context, pipeline, done, {"x": np.array([[0, 1, 2]], "f4")})
    assert max(errors) < 0.03
    assert apart < 1e-5
    whole, _ = apply(pipeline, context, feeds, embeddings=False)
    assert whole.stages[0].precision == "int8 (14%)"


def test_bodies_are_quantized_too(context):
    def branch(name, weights):
        out = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)
        nodes = [helper.make_node("MatMul", ["x", weights], [f"{name}_y"])]
        return helper.make_graph(nodes, name, [], [out], [])

    nodes = [
        helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
        helper.make_node("Greater", ["top", "zero"], ["is"]),
        helper.make_node("If", ["is"], ["y"], then_branch=branch("a", "v"), else_branch=branch("b", "w")),
    ]  # fmt: skip
    constants = {"v": drawn(32, 8), "w": drawn(32, 8), "zero": np.float32(0)}
    pipeline = make(nodes, constants)
    done, _ = apply(pipeline, context, batches(32))
    assert count(done)["MatMulInteger"] == 2
    for sign in (1, -1):
        errors, _ = noise(context, pipeline, done, {"x": sign * np.abs(drawn(2, 32))})
        assert 0 < max(errors) < 0.03


CONVOLUTIONS = {"plain": {}, "strided": {"strides": [2, 2]}, "one channel each": {"group": 4}}


@pytest.mark.parametrize("said", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_convolutions_are_integers_if_asked_for(said, context):
    weights = drawn(8, 4 // said.get("group", 1), 3, 3)
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1], **said)]
    pipeline = make(
        nodes, {"w": weights, "b": drawn(8)}, ["batch", 4, 8, 8], ["batch", 8, "h", "v"]
    )
    with pytest.raises(
        ChainError, match="no Gemm, MatMul .* its nodes are Conv; convolutions=true"
    ):
        apply(pipeline, context, batches(4, 8, 8))
    done, _ = apply(pipeline, context, batches(4, 8, 8), convolutions=True)
    errors, apart = noise(context, pipeline, done, {"x": drawn(3, 4, 8, 8) + 1})
    assert 1e-4 < max(errors) < 0.03
    assert apart < 1e-5


def test_doubles_are_not_quantized(context):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    pipeline = make(nodes, {"w": drawn(32, 8).astype("f8")}, kind=TensorProto.DOUBLE)
    with pytest.raises(ChainError, match="nothing in it can be quantized.*MatMul"):
        apply(pipeline, context, [{"x": drawn(1, 32).astype("f8")}])


def test_halves_are_brought_to_floats_within(context):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    pipeline = make(nodes, {"w": drawn(32, 8).astype("f2")}, kind=TensorProto.FLOAT16)
    feed = {"x": drawn(4, 32).astype("f2")}
    done, _ = apply(pipeline, context, [{"x": feed["x"][:1]}])
    wanted, got = (context().run(one, feed)["y"] for one in (pipeline, done))
    assert got.dtype == np.float16
    assert 0 < np.linalg.norm(got - wanted) / np.linalg.norm(wanted) < 0.03


def test_a_batch_of_none_runs(context):
    done, _ = apply(GRAPHS["a product"](), context, batches(32))
    assert context().run(done, {"x": drawn(0, 32)})["y"].shape == (0, 8)


def test_what_stays_in_floats_is_a_doubt_with_its_share(context):
    nodes = [
        helper.make_node("Conv", ["x", "c"], ["h"]),
        helper.make_node("GlobalAveragePool", ["h"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    pipeline = make(nodes, {"c": drawn(32, 4, 3, 3), "w": drawn(32, 8)}, ["batch", 4, 8, 8])
    _, here = apply(pipeline, context, batches(4, 8, 8))
    (said,) = here.doubts
    assert (
        "of the constants of stage 0 became int8: 1 Conv stay in floats; convolutions=true" in said
    )


def test_an_activation_far_out_is_a_doubt_with_its_figures(context):
    pipeline = GRAPHS["a product"]()
    feeds = batches(32)
    for feed in feeds:
        feed["x"][0, 0] = 3000  # one step for all of them: the others become nothing
    weights = numpy_helper.to_array(pipeline.stages[0].live.graph.initializer[0]).copy()
    weights[0] = 0
    pipeline.stages[0].live.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "w"))
    _, here = apply(pipeline, context, feeds)
    assert any(
        "the error of 'y' is" in doubt and "4 calibration inputs" in doubt for doubt in here.doubts
    )


def test_what_it_was_given_stays_and_is_not_quantized_twice(context):
    pipeline = GRAPHS["a product"]()
    before = pipeline.stages[0].live.SerializeToString()
    done, _ = apply(pipeline, context, batches(32))
    assert pipeline.stages[0].live.SerializeToString() == before
    assert OPERATOR.accepts(pipeline) is True
    assert OPERATOR.accepts(done) == f"it is {OPERATOR.once}"
    onnx.checker.check_model(done.stages[0].live, full_check=True)
    again, _ = apply(pipeline, context, batches(32))
    assert again.stages[0].live.SerializeToString() == done.stages[0].live.SerializeToString()


def test_nothing_to_compare_on_is_said(context):
    with pytest.raises(CaseFailed, match="calibration split is empty"):
        apply(GRAPHS["a product"](), context, [])


def test_each_stage_is_quantized(context):
    one = GRAPHS["a product"]()
    two = make(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"w": drawn(8, 4)},
        ["batch", 8],
        ["batch", 4],
    )
    (first,), (second,) = one.stages, two.stages
    rename = lambda spec, name: attrs.evolve(spec, name=name, port=spec.inside)  # noqa: E731
    first = attrs.evolve(first, outputs=[rename(first.outputs[0], "between")])
    second = attrs.evolve(second, inputs=[rename(second.inputs[0], "between")])
    done, here = apply(one.replaced([first, second]), context, batches(32))
    assert all("MatMulInteger" in str(stage.live) for stage in done.stages)
    assert here.doubts == []
