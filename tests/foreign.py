"""ONNX files that edgebench did not make: small ones, one of more than 2 GiB, and their feeds."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RANDOM = 11


def conv(path, *, opset=13, ir=7):
    """A convolutional net that takes one picture at a time; old ones list weights as inputs."""
    weights = {"w0": (8, 3, 3, 3), "w1": (8, 8, 3, 3), "w2": (8, 10)}
    nodes = [
        helper.make_node("Conv", ["picture", "w0"], ["c0"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("Conv", ["r0", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("GlobalAveragePool", ["r1"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w2"], ["scores"]),
    ]
    ends = [("picture", [1, 3, 8, 8])], [("scores", [1, 10])]
    return _saved(path, nodes, _drawn(weights), *ends, opset=opset, ir=ir)


def scaled(path):
    """A net of two inputs with an open batch: pictures, and how strong each colour is in each."""
    weights = {"w0": (6, 3, 3, 3), "w1": (6, 5)}
    nodes = [
        helper.make_node("Unsqueeze", ["scale", "axes"], ["wide"]),
        helper.make_node("Mul", ["x", "wide"], ["lit"]),
        helper.make_node("Conv", ["lit", "w0"], ["c0"]),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("GlobalMaxPool", ["r0"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w1"], ["logits"]),
    ]
    constants = [*_drawn(weights), numpy_helper.from_array(np.array([2, 3]), "axes")]
    ends = [("x", ["N", 3, 8, 8]), ("scale", ["N", 3])], [("logits", ["N", 5])]
    return _saved(path, nodes, constants, *ends)


def text(path):
    """A net that reads numbers of words, as many as one likes."""
    weights = {"table": (100, 16), "w0": (16, 24), "w1": (24, 2)}
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["words"]),
        helper.make_node("ReduceMean", ["words"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "w0"], ["wide"]),
        helper.make_node("Tanh", ["wide"], ["bent"]),
        helper.make_node("MatMul", ["bent", "w1"], ["scores"]),
    ]
    ends = [("ids", ["batch", "seq"])], [("scores", ["batch", 2])]
    return _saved(path, nodes, _drawn(weights), *ends, kind=TensorProto.INT64)


def pixels(path, shape, *, kind=TensorProto.FLOAT, last=False, classes=3):
    """A net that weighs the mean colour of a picture, its channels first or *last*."""
    nodes = [
        helper.make_node("Cast", ["photo"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node(
            "ReduceMean", ["floats"], ["mean"], axes=[1, 2] if last else [2, 3], keepdims=0
        ),
        helper.make_node("MatMul", ["mean", "w"], ["scores"]),
    ]
    depth = shape[-1 if last else 1]
    weights = _drawn({"w": (depth if isinstance(depth, int) else 3, classes)})
    ends = [("photo", shape)], [("scores", [shape[0], classes])]
    return _saved(path, nodes, weights, *ends, kind=kind)


def masks(path, size, classes=3):
    """A net that scores each pixel of a picture by its colours."""
    nodes = [helper.make_node("Conv", ["photo", "w"], ["scores"])]
    ends = [("photo", ["N", 3, *size])], [("scores", ["N", classes, *size])]
    return _saved(path, nodes, _drawn({"w": (classes, 3, 1, 1)}), *ends)


def heavy(path, rows=135_168, columns=2048):
    """Two matrices of more than 1 GiB each in a file beside the graph, nearly all of it holes."""
    beside = path.with_name("heavy.weights")
    size = rows * columns * 4
    data = np.memmap(beside, dtype="f4", mode="w+", shape=(2, rows, columns))
    places = np.arange(columns)
    tensors, nodes, before = (
        [numpy_helper.from_array(np.array([1, rows // columns]), "times")],
        [],
        "x",
    )
    for layer in range(2):
        data[layer, places, (7 * places + layer) % columns] = np.cos(places) / 2
        tensors.append(_elsewhere(f"w{layer}", [rows, columns], beside.name, layer * size, size))
        nodes += [
            helper.make_node("Tile", [before, "times"], [f"wide{layer}"]),
            helper.make_node("MatMul", [f"wide{layer}", f"w{layer}"], [f"product{layer}"]),
            helper.make_node("Sigmoid", [f"product{layer}"], [f"bent{layer}"]),
        ]
        before = f"bent{layer}"
    data.flush()
    nodes.append(helper.make_node("Neg", [before], ["y"]))
    return _saved(path, nodes, tensors, [("x", ["batch", columns])], [("y", ["batch", columns])])


class Reader:
    """Gives feeds one by one, as the calibrators of ONNX Runtime want them."""

    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def _elsewhere(name, dims, location, offset, length):
    tensor = TensorProto(
        name=name, dims=dims, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL
    )
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _drawn(shapes):
    random = np.random.default_rng(RANDOM)
    return [
        numpy_helper.from_array((random.standard_normal(shape) / 3).astype("f4"), name)
        for name, shape in shapes.items()
    ]


def _saved(path, nodes, tensors, inputs, outputs, *, opset=13, ir=7, kind=TensorProto.FLOAT):
    """Write a graph without its own shapes noted, as most exporters leave it."""
    given = [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs]
    if ir < 4:
        given += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in tensors]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs
    ]
    graph = helper.make_graph(nodes, "foreign", given, ends, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.SerializeToString())
    onnx.checker.check_model(str(path))
    return path
