"""What OpenVINO reads otherwise than it is meant, and what its errors say."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench import CaseFailed, Stage, TensorSpec
from edgebench_kit.onnx.openvino_errors import find_reason
from edgebench_plugins.backends import openvino as plugin

(BACKEND,) = plugin.edgebench_backends()
X = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("f4")


@pytest.fixture
def staged(tmp_path):
    """Make a stage of a node or some, its batch open."""

    def make(node, *constants, opset=18, shape=("N", 3, 4, 5)):
        ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))]
        out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
        weights = [numpy_helper.from_array(one, f"c{at}") for at, one in enumerate(constants)]
        nodes = node if isinstance(node, list) else [node]
        graph = helper.make_graph(nodes, "g", ends, out, weights)
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
        )
        onnx.save_model(made, tmp_path / "model.onnx")
        specs = [TensorSpec(name=name, dtype="float32", shape=list("abcd")) for name in "xy"]
        return Stage(format="onnx", inputs=specs[:1], outputs=specs[1:], directory=tmp_path,
                     files=["model.onnx"])  # fmt: skip

    return make


def run(stage, x):
    with BACKEND.open(stage, "cpu", 1, BACKEND.options()) as session:
        return session.run({"x": x})["y"]


def run_elsewhere(stage, x):
    session = onnxruntime.InferenceSession(stage.file, providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": x})[0]


@pytest.mark.parametrize("opset", [9, 11, 12, 13])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, 3])
def test_softmax_of_any_operator_set_is_that_of_its_own(staged, opset, axis):
    options = {} if axis is None else {"axis": axis}
    stage = staged(helper.make_node("Softmax", ["x"], ["y"], **options), opset=opset)
    np.testing.assert_allclose(run(stage, X), run_elsewhere(stage, X), atol=1e-6)


SCALES = np.array([1, 1, 0.6, 0.6], "f4")
SIZES = np.array([7, 7], "i8")
KERNEL = np.ones((3, 2, 3, 3), "f4")
UNEVEN = np.array([1, 1, 1.3, 2.6], "f4")
COUNTED = {"ceil_mode": 1, "count_include_pad": 1, "pads": [1, 1, 1, 1]}


def test_what_is_quantized_within_a_conditional_is_refused(staged):
    def branch(*nodes):
        written = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
        return helper.make_graph(list(nodes), "branch", [], [written])

    given = ["x", "c1", "c2"]
    quantized = branch(
        helper.make_node("QuantizeLinear", given, ["q"]),
        helper.make_node("DequantizeLinear", ["q", *given[1:]], ["b"]),
    )
    plain = branch(helper.make_node("Identity", ["x"], ["b"]))
    node = helper.make_node("If", ["c0"], ["y"], then_branch=plain, else_branch=quantized)
    stage = staged(node, np.array([True]), np.array(0.1, "f4"), np.array(128, "u1"))
    with pytest.raises(CaseFailed, match="quantized within the If that writes 'y'"):
        run(stage, X)


@pytest.mark.parametrize(
    ("node", "constants", "said"),
    [
        (("Resize", ["x", "", "c0"], {"mode": "linear", "antialias": 1}), [SCALES],
         "it ignores antialias=1 of the Resize that writes 'y'"),
        (("Resize", ["x", "", "c0"], {"mode": "cubic", "exclude_outside": 1}), [SCALES],
         "exclude_outside=1"),
        (("Resize", ["x", "", "", "c0"], {"axes": [2, 3], "mode": "linear",
                                          "keep_aspect_ratio_policy": "not_larger"}), [SIZES],
         "keep_aspect_ratio_policy=not_larger"),
        (("ReduceLogSum", ["x"], {"noop_with_empty_axes": 1}), [], "noop_with_empty_axes=1"),
        (("ConvTranspose", ["x", "c0"], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}), [KERNEL],
         "auto_pad, where a dimension is open, of the ConvTranspose"),
        (("ConvTranspose", ["x", "c0"], {"output_shape": [8, 10], "strides": [2, 2]}), [KERNEL],
         "output_shape, where a dimension is open,"),
        (("AveragePool", ["x"], {"kernel_shape": [3, 3], "strides": [3, 3], **COUNTED}), [],
         "count_include_pad=1, with ceil_mode=1, of the AveragePool that writes 'y'"),
    ],
)  # fmt: skip
def test_what_it_would_leave_out_is_refused(staged, node, constants, said):
    kind, inputs, options = node
    stage = staged(helper.make_node(kind, inputs, ["y"], **options), *constants)
    with pytest.raises(CaseFailed, match="openvino would compute another model") as refused:
        run(stage, X)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("node", "constants", "shape"),
    [
        (("Resize", ["x", "", "c0"], {"mode": "linear", "antialias": 0}), [SCALES], "open"),
        (("Resize", ["x", "", "c0"], {"mode": "nearest", "exclude_outside": 0}), [SCALES], "open"),
        (("ReduceLogSumExp", ["x"], {}), [], "open"),
        (("ConvTranspose", ["x", "c0"], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}), [KERNEL],
         "fixed"),
        (("ConvTranspose", ["x", "c0"], {"output_shape": [8, 10], "strides": [2, 2]}), [KERNEL],
         "fixed"),
    ],
)  # fmt: skip
def test_what_it_does_is_taken(staged, node, constants, shape):
    kind, inputs, options = node
    sizes = X.shape if shape == "fixed" else ("N", *X.shape[1:])
    stage = staged(helper.make_node(kind, inputs, ["y"], **options), *constants, shape=sizes)
    wanted = run_elsewhere(stage, X)
    np.testing.assert_allclose(run(stage, X), wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("opset", [10, 11, 19])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_shape": [3, 3], "strides": [2, 2], **COUNTED},
        {"kernel_shape": [4, 2], "strides": [3, 1], **COUNTED, "pads": [0, 1, 1, 0]},
        {"kernel_shape": [3, 3], "strides": [2, 2], **COUNTED, "count_include_pad": 0},
    ],
)
def test_what_lies_beyond_the_padding_is_not_counted(staged, opset, options):
    stage = staged(helper.make_node("AveragePool", ["x"], ["y"], **options), opset=opset)
    np.testing.assert_allclose(run(stage, X), run_elsewhere(stage, X), atol=1e-6)


@pytest.mark.parametrize("scale", [2, 1.5, 2.5])
def test_an_even_upsampling_is_taken(staged, scale):
    scales = np.array([1, 1, scale, 3], "f4")
    stage = staged(helper.make_node("Upsample", ["x", "c0"], ["y"]), scales, opset=9)
    np.testing.assert_array_equal(run(stage, X), run_elsewhere(stage, X))


def test_an_uneven_upsampling_is_refused_where_it_takes_the_nearest(staged):
    node = helper.make_node("Upsample", ["x", "c0"], ["y"], mode="linear")
    stage = staged(node, UNEVEN, opset=9)
    np.testing.assert_allclose(run(stage, X), run_elsewhere(stage, X), atol=1e-6)
    stage = staged(helper.make_node("Upsample", ["x", "c0"], ["y"]), UNEVEN, opset=9)
    with pytest.raises(CaseFailed, match="rounds to other places at a scale of the Upsample"):
        run(stage, X)


SQUARE = np.random.default_rng(1).normal(size=(5, 5)).astype("f4")
FILTERS = np.random.default_rng(2).normal(size=(3, 3, 3, 3)).astype("f4")
PADS = {"pads": [1, 1, 1, 1]}


@pytest.mark.parametrize(
    ("weights", "nodes"),
    [
        (SQUARE, [("MatMul", ["x", "c0"], "p"), ("Transpose", ["c0"], "t"),
                  ("MatMul", ["p", "t"], "y")]),
        (SQUARE.astype("f2"), [("Cast", ["c0"], "w", {"to": 1}), ("MatMul", ["x", "w"], "p"),
                               ("Transpose", ["w"], "t"), ("MatMul", ["p", "t"], "y")]),
        (SQUARE, [("Mul", ["c0", "c0"], "w"), ("MatMul", ["x", "w"], "p"),
                  ("Transpose", ["w"], "t"), ("MatMul", ["x", "t"], "q"), ("Add", ["p", "q"], "y")]),
        (FILTERS, [("Conv", ["x", "c0"], "p", PADS), ("ConvTranspose", ["p", "c0"], "y", PADS)]),
    ],
)  # fmt: skip
def test_weights_that_are_read_in_two_ways_are_not_mixed_up(staged, weights, nodes):
    made = [
        helper.make_node(kind, read, [written], **(options[0] if options else {}))
        for kind, read, written, *options in nodes
    ]
    stage = staged(made, weights)
    wanted = run_elsewhere(stage, X)
    np.testing.assert_allclose(run(stage, X), wanted, atol=1e-5 * np.abs(wanted).max())


def convolve_and_listen(between):
    """Return nodes: a quantized convolution, and the rows that it writes read one by one."""
    steps = ["c0", "c1"]
    return [
        helper.make_node("QuantizeLinear", ["x", *steps], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", *steps], ["xd"]),
        helper.make_node("DequantizeLinear", ["c2", "c0"], ["w"]),
        helper.make_node("Conv", ["xd", "w", "c3"], ["c"], **PADS),
        helper.make_node(between, ["c"], ["b"]),
        helper.make_node("QuantizeLinear", ["b", *steps], ["bq"]),
        helper.make_node("DequantizeLinear", ["bq", *steps], ["bd"]),
        helper.make_node("ReduceMax", ["bd"], ["m"], axes=[2], keepdims=0),
        helper.make_node("Transpose", ["m"], ["t"], perm=[2, 0, 1]),
        helper.make_node("LSTM", ["t", "c4", "c5"], ["y"], hidden_size=4),
    ]


def draw_heard():
    random = np.random.default_rng(3)
    return (
        np.float32(0.03), np.uint8(120), random.integers(-99, 99, (8, 3, 3, 3)).astype("i1"),
        random.normal(size=8).astype("f4"), random.normal(size=(1, 16, 8)).astype("f4"),
        random.normal(size=(1, 16, 4)).astype("f4"),
    )  # fmt: skip


def test_a_quantized_convolution_beside_a_recurrent_node_is_refused(staged):
    stage = staged(convolve_and_listen("Identity"), *draw_heard(), opset=17)
    with pytest.raises(CaseFailed, match="the quantized Conv that writes 'c' where there is LSTM"):
        run(stage, X)


@pytest.mark.parametrize(
    ("between", "shape"), [("Relu", ("N", 3, 4, 5)), ("Identity", (2, 3, 4, 5))]
)
def test_it_is_taken_where_it_is_right(staged, between, shape):
    stage = staged(convolve_and_listen(between), *draw_heard(), opset=17, shape=shape)
    np.testing.assert_allclose(run(stage, X), run_elsewhere(stage, X), atol=0.02)


def test_its_reason_is_the_line_that_says_it(staged):
    node = helper.make_node("Resize", ["x", "", "c0"], ["y"], mode="linear",
                            coordinate_transformation_mode="half_pixel_symmetric")  # fmt: skip
    with pytest.raises(CaseFailed) as refused:
        run(staged(node, SCALES, opset=19), X)
    said = str(refused.value)
    assert said.startswith("Resize-19: half_pixel_symmetric - this type of coordinate")
    assert "\n" not in said


def test_an_operator_that_it_does_not_have_is_named(staged):
    with pytest.raises(CaseFailed, match="^No conversion rule found for operations: Det"):
        run(staged(helper.make_node("Det", ["x"], ["y"])), X)


SAID = """Exception from src/inference/src/cpp/infer_request.cpp:224:
Exception from src/plugins/intel_cpu/src/node.cpp:794:
[CPU] Reshape node with name 'y' Check 'a == b' failed at src/custom/reshape.cpp:77:
[cpu]reshape: the shape of input data (2.5) conflicts with the reshape pattern (3.7)


"""


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (SAID, "[CPU] Reshape node with name 'y': " + SAID.splitlines()[3]),
        ("Exception from src/a.cpp:1:\nno such device\n", "no such device"),
        ("Exception from src/a.cpp:1:\n\n", "Exception from src/a.cpp:1:"),
        ("", "RuntimeError"),
    ],
)  # fmt: skip
def test_where_it_arose_in_its_own_code_is_left_out(said, reason):
    assert find_reason(RuntimeError(said)) == reason


@pytest.mark.parametrize("rows", [1, 3, 8, 16])
@pytest.mark.parametrize("size", [8, 12])
def test_products_of_integers_are_right_however_few_rows_are_fixed(staged, rows, size):
    """One thread has all rows here. Between the products a number may be rounded to the next."""
    random = np.random.default_rng(5)
    weights = random.integers(-127, 127, (size, size)).astype("i1")
    nodes = []
    for read, written in (("x", "m"), ("m", "y")):
        nodes += [
            helper.make_node("QuantizeLinear", [read, "c0", "c1"], [f"{read}q"]),
            helper.make_node("DequantizeLinear", [f"{read}q", "c0", "c1"], [f"{read}d"]),
            helper.make_node("DequantizeLinear", ["c2", "c3"], [f"{read}w"]),
            helper.make_node("MatMul", [f"{read}d", f"{read}w"], [written]),
        ]
    steps = (np.float32(0.03), np.uint8(120), weights, np.float32(0.01))
    stage = staged(nodes, *steps, opset=17, shape=(rows, size))
    x = random.normal(size=(rows, size)).astype("f4")
    wanted = run_elsewhere(stage, x)
    np.testing.assert_allclose(run(stage, x), wanted, atol=0.02 * np.abs(wanted).max())
