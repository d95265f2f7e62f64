"""Graphs to be written by tests, with the stages that they are."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgebench import Stage, TensorSpec


def graph_stage(directory, nodes, inputs, outputs, constants=()):
    """Write a graph as it is given, ends by name with what they are made of, and describe it."""
    kinds = {
        "float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "bool": TensorProto.BOOL,
        "float64": TensorProto.DOUBLE, "int64": TensorProto.INT64,
    }  # fmt: skip
    ends = [
        [helper.make_tensor_value_info(s.inside, kinds[s.dtype], list(s.shape)) for s in specs]
        for specs in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "toy", *ends, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    directory.mkdir(exist_ok=True)
    onnx.save_model(model, directory / "model.onnx")
    return Stage(
        format="onnx", inputs=inputs, outputs=outputs, directory=directory, files=["model.onnx"]
    )


def spec(name, *shape, dtype="float32", port=""):
    return TensorSpec(name=name, dtype=dtype, shape=shape, port=port)


def quantized(directory, kind):
    """A product quantized as quantizers write it: its bias as integers of 32 bits."""
    random = np.random.default_rng(3)
    weights = random.integers(-127, 128, (4, 3)).astype("i1")
    constants = {
        "scale": np.float32(0.02), "zero": kind(0), "w": weights,
        "w_scales": np.array([0.01, 0.02, 0.03], "f4"), "w_zeros": np.zeros(3, "i1"),
        "b": np.array([100, -200, 300], "i4"),
        "b_scales": np.array([2e-4, 4e-4, 6e-4], "f4"), "b_zeros": np.zeros(3, "i4"),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["xq"], name="narrow"),
        helper.make_node("DequantizeLinear", ["xq", "scale", "zero"], ["xf"]),
        helper.make_node("DequantizeLinear", ["w", "w_scales", "w_zeros"], ["wf"], axis=1),
        helper.make_node("DequantizeLinear", ["b", "b_scales", "b_zeros"], ["bf"], axis=0),
        helper.make_node("Gemm", ["xf", "wf", "bf"], ["y"]),
    ]
    tensors = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    ends = [spec("x", "batch", 4)], [spec("y", "batch", 3)]
    return graph_stage(directory, nodes, *ends, tensors)
