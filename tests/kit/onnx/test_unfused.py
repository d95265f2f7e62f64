"""What a runtime left in floats is read from the graph that it runs, not from the one it was given."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper, parser

from edgebench import Stage, TensorSpec
from edgebench_kit.onnx.unfused import describe_unfused
from edgebench_plugins.backends.onnxruntime import edgebench_backends

QUANTIZED = """<ir_version: 8, opset_import: ["" : 17]>
agraph (float[N,3,8,8] x) => (float[N,6,8,8] y) {
    q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z)
    w = DequantizeLinear(k, s, k0)
    c = Conv<pads=[1,1,1,1]>(d, w)
    p = QuantizeLinear(c, s, z) y = DequantizeLinear(p, s, z)
}"""
# The convolution's result goes on in floats: nothing can be made integers of it.
UNFUSED = QUANTIZED.replace("p = QuantizeLinear(c, s, z) y = DequantizeLinear(p, s, z)",
                            "y = Erf(c)")  # fmt: skip


def write(path, text, zero):
    made = parser.parse_model(text)
    made.graph.initializer.extend(
        [
            numpy_helper.from_array(np.float32(0.1), "s"),
            numpy_helper.from_array(zero, "z"),
            numpy_helper.from_array(np.int8(0), "k0"),
            numpy_helper.from_array(np.ones((6, 3, 3, 3), np.int8), "k"),
        ]
    )
    onnx.save(made, path)
    return path


@pytest.fixture
def explain(tmp_path):
    """Open a graph with the shipped backend, and return what it says of it."""

    def ask(text, precision="int8"):
        write(tmp_path / "graph.onnx", text, np.uint8(3))
        spec = TensorSpec(name="x", dtype="float32", shape=("N", 3, 8, 8))
        stage = Stage(format="onnx", inputs=[spec], outputs=[TensorSpec(
            name="y", dtype="float32", shape=("N", 6, 8, 8))], precision=precision,
            directory=tmp_path, files=["graph.onnx"])  # fmt: skip
        (backend,) = edgebench_backends()
        with backend.open(stage, "cpu", 1, backend.options()) as session:
            return list(session.explain())

    return ask


def test_a_graph_that_is_fused_whole_gives_no_remark(explain):
    assert explain(QUANTIZED) == []


def test_a_product_left_in_floats_is_named_with_what_is_before_it(explain):
    first, *_ = explain(UNFUSED)
    assert first.startswith(
        "1 of 1 convolutions and products run in floats, 1 of them behind a DequantizeLinear that "
        "was not fused: "
    )
    assert "Conv" in first


def test_signed_activations_that_are_left_are_told(tmp_path):
    found = describe_unfused(write(tmp_path / "given.onnx", UNFUSED, np.int8(0)))
    assert "1 of 1 QuantizeLinear give int8, where its kernels prefer uint8" in found


def test_a_graph_in_floats_is_not_opened_again(explain, monkeypatch):
    opened = []
    original = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda *a, **k: opened.append(a) or original(*a, **k),
    )
    assert explain(UNFUSED, precision="f32") == []
    assert len(opened) == 1


def test_the_file_is_what_is_read(tmp_path):
    found = describe_unfused(write(tmp_path / "given.onnx", QUANTIZED, np.uint8(3)))
    assert found[0].startswith("1 of 1 convolutions and products run in floats")
    assert "2 QuantizeLinear and 3 DequantizeLinear are left among 6 nodes" in found[1]


@pytest.mark.parametrize(("level", "floats"), [(4, 0), (1, 1)])
def test_a_product_with_weights_alone_in_integers_is_one_of_floats(tmp_path, level, floats):
    made = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]> '
        "agraph (float[N,32] x, uint8[8,1,32] w, float[8] s) => (float[N,8] y) { "
        f"y = com.microsoft.MatMulNBits<K=32, N=8, bits=8, accuracy_level={level}>(x, w, s) }}"
    )
    onnx.save(made, tmp_path / "graph.onnx")
    said = list(describe_unfused(tmp_path / "graph.onnx"))
    assert [one[:58] for one in said] == [
        "1 of 1 convolutions and products run in floats, 0 of them "
    ] * floats
