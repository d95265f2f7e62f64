"""Graphs compute in half precision where they may, and what stays in floats is told."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench import CaseFailed, ChainError, Pipeline, Stage, TensorSpec
from edgebench_kit.onnx.graph_contents import count_operations
from edgebench_kit.onnx.graphs import walk_bodies
from edgebench_plugins.backends import onnxruntime, openvino
from edgebench_plugins.operators import fp16
from edgebench_plugins.operators.fp16 import Fp16Options

(OPERATOR,) = fp16.edgebench_operators()
RUNTIMES = [
    (onnxruntime, onnxruntime.OnnxruntimeOptions()),
    (openvino, openvino.OpenvinoOptions()),
]
RANDOM = np.random.default_rng(3)
F = TensorProto.FLOAT


def drawn(*shape):
    return RANDOM.standard_normal(shape).astype("f4")


def make(nodes, constants, x=("batch", 16), y=("batch", 8), *, kinds=(F, F), opset=18):
    tensors = [
        numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()
    ]
    ends = [
        helper.make_tensor_value_info(name, kind, shape)
        for name, shape, kind in zip("xy", (x, y), kinds, strict=True)
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    live = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    inputs, outputs = (
        TensorSpec(name=name, dtype=helper.tensor_dtype_to_np_dtype(kind).name, shape=shape)
        for name, shape, kind in zip("xy", (x, y), kinds, strict=True)
    )
    stage = Stage(format="onnx", live=live, inputs=(inputs,), outputs=(outputs,))
    return Pipeline(model="toy", variant="small", stages=(stage,), outputs=("y",))


def node(kind, read, written, **said):
    return helper.make_node(kind, read.split(), written.split(), **said)


def apply(pipeline, context, feeds, **options):
    here = context(Fp16Options(**options), calibration=feeds)
    return OPERATOR.apply(pipeline, here), here


def infos(pipeline):
    """The element types of what each kind of node reads first, by kind."""
    live = onnx.shape_inference.infer_shapes(pipeline.stages[0].live, strict_mode=True)
    found = {}
    for body in walk_bodies(live.graph):
        kinds = {one.name: one.data_type for one in live.graph.initializer} | {
            one.name: one.type.tensor_type.elem_type
            for one in (*body.value_info, *body.input, *body.output)
        }
        for each in body.node:
            found.setdefault(each.op_type, set()).add(kinds.get(next(iter(each.input), "")))
    return found


def run(context, pipeline, feed):
    return [context(backend=b, runtime=o).run(pipeline, feed)["y"] for b, o in RUNTIMES]


def near(context, one, other, feed, most=5e-3):
    wanted = run(context, one, feed)[0]
    for got in run(context, other, feed):
        assert got.dtype == wanted.dtype
        error = np.linalg.norm(wanted - got) / np.linalg.norm(wanted)
        assert 0 < error < most


def mlp(**rest):
    nodes = [
        node("MatMul", "x v", "h"),
        node("Add", "h b", "i"),
        node("Relu", "i", "r"),
        node("MatMul", "r w", "y"),
    ]
    return make(nodes, {"v": drawn(16, 32), "b": drawn(32), "w": drawn(32, 8)}, **rest)


def rows(*shape, several=4):
    return [{"x": drawn(1, *shape)} for _ in range(several)]


@pytest.mark.parametrize("opset", [9, 13, 18])
def test_it_computes_in_halves_and_its_ends_are_as_they_were(context, opset):
    pipeline = mlp(opset=opset)
    before = pipeline.stages[0].live.SerializeToString()
    done, _here = apply(pipeline, context, rows(16))
    (stage,) = done.stages
    assert {one.data_type for one in stage.live.graph.initializer} == {TensorProto.FLOAT16}
    assert [
        one.type.tensor_type.elem_type
        for one in (*stage.live.graph.input, *stage.live.graph.output)
    ] == [F, F]
    assert stage.precision == "f16"
    assert infos(done)["MatMul"] <= {TensorProto.FLOAT16, None}
    near(context, pipeline, done, {"x": drawn(5, 16)})
    assert pipeline.stages[0].live.SerializeToString() == before
    onnx.checker.check_model(stage.live, full_check=True)


def test_as_much_is_computed_as_in_floats(context):
    nodes = [node("Reshape", "x s", "r"), node("MatMul", "r w", "y")]
    pipeline = make(nodes, {"s": np.array([-1, 16]), "w": drawn(16, 8)}, ("batch", 4, 4))
    noted = helper.make_tensor_value_info("r", F, ["batch", 16])
    pipeline.stages[0].live.graph.value_info.append(noted)  # an exporter's word for `-1`
    done, _ = apply(pipeline, context, rows(4, 4))
    assert done.stages[0].precision == "f16"
    assert [count_operations(one.stages[0].live) for one in (pipeline, done)] == [128, 128]


def test_that_this_processor_adds_casts_is_said_with_their_number(context):
    _, here = apply(mlp(), context, rows(16))
    (said,) = here.doubts
    assert "onnxruntime lacks kernels" in said
    assert any(f"it adds {count} Casts" in said for count in range(1, 20))


def test_it_weighs_half(context):
    pipeline = make([node("MatMul", "x w", "y")], {"w": drawn(16, 8000)}, y=["batch", 8000])
    done, _ = apply(pipeline, context, rows(16))
    here = context()
    before, after = (here.saved(one.stages[0]).size for one in (pipeline, done))
    assert 0.49 < after / before < 0.52


def test_values_beyond_the_range_stay_in_floats_and_are_told(context):
    nodes = [
        node("MatMul", "x v", "h"),
        node("Mul", "h big", "i"),
        node("Div", "i large", "j"),
        node("MatMul", "j w", "y"),
    ]
    constants = {
        "v": drawn(16, 16),
        "w": drawn(16, 8),
        "big": np.float32(3e4),
        "large": np.float32(2e4),
    }
    pipeline = make(nodes, constants)
    done, here = apply(pipeline, context, rows(16))
    near(context, pipeline, done, {"x": drawn(5, 16)})
    said = next(one for one in here.doubts if "values that were seen" in one)
    assert "1 Div, 1 Mul stay in 32-bit floats" in said
    assert done.stages[0].precision == "f16 (50%)"


@pytest.mark.parametrize("size", [1e6, 1e-9, 3.4e38])
def test_constants_that_halves_do_not_hold_stay(context, size):
    nodes = [node("MatMul", "x w", "h"), node("Clip", "h  top", "y")]
    nodes[1].input[:] = ["h", "", "top"]
    pipeline = make(nodes, {"w": drawn(16, 8), "top": np.float32(size)})
    done, here = apply(pipeline, context, rows(16))
    assert any("a constant of it is beyond what 16 bits hold" in one for one in here.doubts)
    assert infos(done)["Clip"] == {F}
    for got in run(context, done, {"x": drawn(5, 16)}):
        assert np.isfinite(got).all()
        assert (got <= size).all()


def test_masked_scores_are_no_numbers_less(context):
    """The lowest float is added where a word is masked: in halves that is minus infinity."""
    nodes = [
        node("MatMul", "x w", "h"),
        node("Less", "x zero", "m"),
        node("Where", "m lowest zero", "mask"),
        node("Add", "h mask", "s"),
        node("Softmax", "s", "p"),
        node("MatMul", "p w", "y"),
    ]
    constants = {
        "w": drawn(16, 16),
        "zero": np.float32(0),
        "lowest": np.float32(np.finfo("f4").min),
    }
    pipeline = make(nodes, constants, y=["batch", 16])
    feeds = rows(16)
    done, _ = apply(pipeline, context, feeds)
    all_masked = {"x": -np.abs(drawn(3, 16))}
    near(context, pipeline, done, {"x": drawn(5, 16)})
    for got in run(context, done, all_masked):
        assert np.isfinite(got).all()


def test_a_normalisation_stays_in_floats(context):
    nodes = [node("LayerNormalization", "x s", "n"), node("MatMul", "n w", "y")]
    pipeline = make(nodes, {"s": np.ones(16, "f4"), "w": drawn(16, 8)})
    # The squares of these are beyond the range; they are not.
    feeds = [{"x": 200 * one["x"]} for one in rows(16)]
    done, here = apply(pipeline, context, feeds)
    assert infos(done)["LayerNormalization"] == {F}
    assert any("1 LayerNormalization stay" in one and "sums up" in one for one in here.doubts)
    near(context, pipeline, done, feeds[0])


def test_sizes_stay_exact(context):
    """A size of 4099 is none that halves have."""
    nodes = [
        node("Conv", "x k", "c"),
        node("Shape", "c", "all", start=3),
        node("Cast", "all", "wide", to=F),
        node("Mul", "wide one", "same"),
        node("Cast", "same", "size", to=TensorProto.INT64),
        node("Concat", "keep size", "to", axis=0),
        node("Reshape", "c to", "y"),
    ]
    constants = {"k": drawn(1, 1, 1, 1), "one": np.float32(1), "keep": np.array([-1], "i8")}
    pipeline = make(nodes, constants, ["batch", 1, 1, 4099], ["batch", 4099])
    feed = {"x": drawn(1, 1, 1, 4099)}
    done, here = apply(pipeline, context, [feed])
    near(context, pipeline, done, feed)
    kept = " ".join(one for one in here.doubts if "stay" in one)
    assert "Conv" not in kept
    assert "Shape" not in kept


def test_scales_that_must_be_floats_are(context):
    nodes = [node("Conv", "x k", "c"), node("Resize", "c  scales", "y", mode="linear")]
    nodes[1].input[:] = ["c", "", "scales"]
    constants = {"k": drawn(2, 1, 3, 3), "scales": np.array([1, 1, 2, 2], "f4")}
    pipeline = make(nodes, constants, ["batch", 1, 6, 6], ["batch", 2, 8, 8])
    done, _ = apply(pipeline, context, rows(1, 6, 6))
    kinds = {tuple(one.dims): one.data_type for one in done.stages[0].live.graph.initializer}
    assert kinds[4,] == F
    assert kinds[2, 1, 3, 3] == TensorProto.FLOAT16
    near(context, pipeline, done, {"x": drawn(2, 1, 6, 6)})


def test_bodies_compute_in_halves_too(context):
    def branch(name, weights):
        out = helper.make_tensor_value_info(f"{name}_y", F, None)
        return helper.make_graph([node("MatMul", f"h {weights}", f"{name}_y")], name, [], [out], [])

    nodes = [
        node("MatMul", "x u", "h"),
        node("ReduceMax", "h", "top", keepdims=0),
        node("Greater", "top zero", "is"),
        helper.make_node("If", ["is"], ["y"], then_branch=branch("a", "v"), else_branch=branch("b", "w")),
    ]  # fmt: skip
    constants = {"u": drawn(16, 16), "v": drawn(16, 8), "w": drawn(16, 8), "zero": np.float32(0)}
    pipeline = make(nodes, constants)
    done, here = apply(pipeline, context, rows(16))
    matrices = [one for one in done.stages[0].live.graph.initializer if len(one.dims) == 2]
    bodies = [*walk_bodies(done.stages[0].live.graph)][1:]
    matrices += [one for body in bodies for one in body.initializer]
    assert {one.data_type for one in matrices} == {TensorProto.FLOAT16}
    assert any("values of 2 MatMul in bodies were not watched" in one for one in here.doubts)
    near(context, pipeline, done, {"x": drawn(1, 16)})
    near(context, pipeline, done, {"x": -drawn(1, 16)})


def test_a_loop_carries_floats_and_computes_in_halves(context):
    body = helper.make_graph(
        [node("MatMul", "s w", "t"), node("Tanh", "t", "u"), node("Identity", "c", "d")],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s", F, ["batch", 16]),
        ],
        [
            helper.make_tensor_value_info("d", TensorProto.BOOL, []),
            helper.make_tensor_value_info("u", F, ["batch", 16]),
        ],
    )
    nodes = [
        helper.make_node("Loop", ["times", "", "x"], ["z"], body=body),
        node("MatMul", "z v", "y"),
    ]
    constants = {"times": np.int64(3), "w": drawn(16, 16), "v": drawn(16, 8)}
    pipeline = make(nodes, constants)
    done, here = apply(pipeline, context, rows(16))
    near(context, pipeline, done, {"x": drawn(3, 16)}, most=2e-2)
    assert any("1 Loop stay" in one for one in here.doubts)


def test_a_constant_in_both_widths_is_kept_in_both(context):
    nodes = [
        node("LayerNormalization", "x w", "n"),
        node("MatMul", "n v", "h"),
        node("Mul", "h w", "y"),
    ]
    pipeline = make(nodes, {"w": drawn(16), "v": drawn(16, 16)}, y=["batch", 16])
    done, _ = apply(pipeline, context, rows(16))
    kinds = Counter(one.data_type for one in done.stages[0].live.graph.initializer)
    assert kinds == {F: 1, TensorProto.FLOAT16: 2}
    near(context, pipeline, done, {"x": drawn(5, 16)})


def test_numbers_that_are_no_floats_are_left(context):
    nodes = [
        node("Gather", "table x", "words"),
        node("ReduceMean", "words", "m", axes=[1], keepdims=0),
        node("MatMul", "m w", "y"),
    ]
    constants = {"table": drawn(100, 16), "w": drawn(16, 8)}
    pipeline = make(nodes, constants, ["batch", 5], kinds=(TensorProto.INT64, F), opset=13)
    feeds = [{"x": RANDOM.integers(0, 100, (1, 5))} for _ in range(4)]
    done, _ = apply(pipeline, context, feeds)
    near(context, pipeline, done, feeds[0])


def test_nothing_to_convert_is_said_with_the_kinds(context):
    nodes = [node("Add", "x x", "y")]
    pipeline = make(nodes, {}, y=["batch", 16], kinds=(TensorProto.DOUBLE,) * 2)
    with pytest.raises(ChainError, match=r"nothing in it can compute in half.*\(Add\)"):
        apply(pipeline, context, [{"x": drawn(1, 16).astype("f8")}])


def test_what_is_in_halves_or_quantized_is_refused(context):
    done, _ = apply(mlp(), context, rows(16))
    assert OPERATOR.accepts(mlp()) is True
    assert OPERATOR.accepts(done) == "it computes in 16-bit floats already"
    quantized = make(
        [node("QuantizeLinear", "x s", "q"), node("DequantizeLinear", "q s", "y")],
        {"s": np.float32(1)},
    )
    assert OPERATOR.accepts(quantized) == "it is in reduced precision already"


def test_nothing_to_watch_is_said(context):
    with pytest.raises(CaseFailed, match="calibration split is empty"):
        apply(mlp(), context, [])


def test_the_same_graph_gives_the_same_bytes(context):
    pipeline, feeds = mlp(), rows(16)
    one, other = (apply(pipeline, context, feeds)[0].stages[0].live for _ in range(2))
    assert one.SerializeToString() == other.SerializeToString()
