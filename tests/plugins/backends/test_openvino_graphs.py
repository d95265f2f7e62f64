"""What OpenVINO reads otherwise than it is meant, and what its errors say."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench import CaseFailed, Stage, TensorSpec
from edgebench_plugins.backends import openvino as plugin

(BACKEND,) = plugin.edgebench_backends()
X = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("f4")


@pytest.fixture
def staged(tmp_path):
    """Make a stage of one node, its batch open."""

    def make(node, *constants, opset=18, shape=("N", 3, 4, 5)):
        ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))]
        out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
        weights = [numpy_helper.from_array(one, f"c{at}") for at, one in enumerate(constants)]
        graph = helper.make_graph([node], "g", ends, out, weights)
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
    assert plugin.find_reason(RuntimeError(said)) == reason
