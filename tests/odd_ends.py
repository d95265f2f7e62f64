"""ONNX files whose ends are not one row a sample: recognizers, detectors, recommenders, states."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F, INT = TensorProto.FLOAT, TensorProto.INT64


def reader(path, *, batch="N", opaque=False):
    """A recognizer of text in pictures that writes its steps first: (steps, N, classes).

    Where it is opaque, no inference of shapes tells the batch.
    """
    nodes = [
        node("Conv", ["x", "w0"], "c0", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["c0"], "r0"),
        node("ReduceMean", ["r0"], "mean", axes=[2], keepdims=0),  # (N, 6, steps)
        node("Transpose", ["mean"], "steps", perm=[2, 0, 1]),
        node("MatMul", ["steps", "w1"], "logits"),
    ]
    tensors = drawn({"w0": (6, 1, 3, 3), "w1": (6, 11)})
    if opaque:
        nodes += hide("logits", "y")
    else:
        nodes[-1].output[0] = "y"
    steps, first = (None, None) if opaque else (20, batch)
    return save(
        path, nodes, [("x", F, [batch, 1, 16, 40])], [("y", F, [steps, first, 11])], tensors
    )


def hide(read, written):
    """Nodes that hand on a tensor by the number of ones in it, which no inference computes."""
    return [
        node("Shape", [read], "hidden-shape"),
        node("ConstantOfShape", ["hidden-shape"], "hidden-zeros"),
        node("Add", [read, "hidden-zeros"], "hidden-sum"),
        node("NonZero", ["hidden-shape"], "hidden-places"),
        node("Squeeze", ["hidden-places"], "hidden-place", axes=[0]),
        node("Gather", ["hidden-shape", "hidden-place"], "hidden-sizes"),
        node("Reshape", ["hidden-sum", "hidden-sizes"], written),
    ]


def listener(path):
    """A detector of voices: sound, its rate as a scalar, and a state that has the batch second."""
    nodes = [
        node("Cast", ["sr"], "rate", to=F),
        node("Div", ["rate", "khz"], "gain"),
        node("Mul", ["sound", "gain"], "loud"),
        node("MatMul", ["loud", "w0"], "heard"),
        node("ReduceSum", ["state"], "memory", axes=[0], keepdims=0),
        node("Add", ["heard", "memory"], "both"),
        node("Tanh", ["both"], "bent"),
        node("MatMul", ["bent", "w1"], "score"),
        node("Sigmoid", ["score"], "voice"),
        node("Unsqueeze", ["bent"], "one", axes=[0]),
        node("Concat", ["one", "one"], "stateN", axis=0),
    ]
    ins = [("sound", F, ["N", 64]), ("state", F, [2, "N", 8]), ("sr", INT, [])]
    outs = [("voice", F, ["N", 1]), ("stateN", F, [2, "N", 8])]
    tensors = [
        *drawn({"w0": (64, 8), "w1": (8, 1)}),
        numpy_helper.from_array(np.array(16000, "f4"), "khz"),
    ]
    return save(path, nodes, ins, outs, tensors)


def detector(path, *, batch="N"):
    """Boxes, their scores, and the boxes that are chosen: as many as there happen to be."""
    nodes = [
        node("Conv", ["x", "w0"], "c0", strides=[4, 4]),
        node("Relu", ["c0"], "r0"),
        node("Conv", ["r0", "w1"], "places"),  # (N, 4, 8, 8)
        node("Conv", ["r0", "w2"], "marks"),  # (N, 3, 8, 8)
        node("Reshape", ["places", "flat4"], "across"),
        node("Transpose", ["across"], "boxes", perm=[0, 2, 1]),  # (N, 64, 4)
        node("Reshape", ["marks", "flat3"], "scores"),  # (N, 3, 64)
        node("NonMaxSuppression", ["boxes", "scores", "most", "iou", "least"], "chosen"),
    ]
    constants = {
        "flat4": np.array([0, 4, -1]),
        "flat3": np.array([0, 3, -1]),
        "most": np.array([20]),
        "iou": np.array([0.5], "f4"),
        "least": np.array([0.4], "f4"),
    }
    tensors = drawn({"w0": (8, 3, 4, 4), "w1": (4, 8, 1, 1), "w2": (3, 8, 1, 1)})
    tensors += [numpy_helper.from_array(array, name) for name, array in constants.items()]
    outs = [
        ("boxes", F, [batch, 64, 4]),
        ("scores", F, [batch, 3, 64]),
        ("chosen", INT, ["found", 3]),
    ]
    return save(path, nodes, [("x", F, [batch, 3, 32, 32])], outs, tensors)


def recommender(path, users=943, items=40):
    """Two towers, of the number of a user and that of an item."""
    nodes = [
        node("Gather", ["users", "user"], "u"),
        node("Gather", ["items", "item"], "i"),
        node("Mul", ["u", "i"], "both"),
        node("MatMul", ["both", "w"], "score"),
    ]
    tensors = drawn({"users": (users, 16), "items": (items, 16), "w": (16, 1)})
    ins = [(name, INT, ["N"]) for name in ("user", "item")]
    return save(path, nodes, ins, [("score", F, ["N", 1])], tensors)


def words(path):
    """Words, the segment of each and a mask, as many as there are; the class of each word."""
    nodes = [
        node("Gather", ["table", "input_ids"], "w"),
        node("Gather", ["segments", "token_type_ids"], "s"),
        node("Add", ["w", "s"], "both"),
        node("Cast", ["attention_mask"], "mask", to=F),
        node("Unsqueeze", ["mask"], "wide", axes=[2]),
        node("Mul", ["both", "wide"], "seen"),
        node("MatMul", ["seen", "w0"], "tags"),
    ]
    tensors = drawn({"table": (300, 16), "segments": (2, 16), "w0": (16, 9)})
    names = ("input_ids", "token_type_ids", "attention_mask")
    ins = [(name, INT, ["batch", "seq"]) for name in names]
    return save(path, nodes, ins, [("tags", F, ["batch", "seq", 9])], tensors)


def doubles(path):
    """A net of numbers of 64 bits."""
    nodes = [node("MatMul", ["x", "w"], "y")]
    tensors = [numpy_helper.from_array(np.random.default_rng(0).normal(size=(12, 5)), "w")]
    double = TensorProto.DOUBLE
    return save(path, nodes, [("x", double, ["N", 12])], [("y", double, ["N", 5])], tensors)


def anchored(path, *, kind="initializer"):
    """A net that also writes what has no row for each sample."""
    nodes = [
        node("MatMul", ["x", "w0"], "a"),
        node("Relu", ["a"], "r"),
        node("MatMul", ["r", "w1"], "y"),
    ]
    tensors, values = drawn({"w0": (8, 8), "w1": (8, 8)}), np.arange(40, dtype="f4").reshape(10, 4)
    out = ("more", F, [10, 4])
    if kind == "initializer":
        tensors.append(numpy_helper.from_array(values, "more"))
    elif kind == "constant":
        nodes.append(node("Constant", [], "more", value=numpy_helper.from_array(values)))
    elif kind == "mean":
        nodes.append(node("ReduceMean", ["y"], "more", keepdims=0))
        out = ("more", F, [])
    else:
        nodes.append(node("NonZero", ["y"], "more"))
        out = ("more", INT, [2, "K"])
    return save(path, nodes, [("x", F, ["N", 8])], [("y", F, ["N", 8]), out], tensors)


def node(kind, read, written, **attributes):
    return helper.make_node(kind, read, [written], **attributes)


def drawn(shapes):
    random = np.random.default_rng(5)
    return [
        numpy_helper.from_array((random.standard_normal(shape) / 2).astype("f4"), name)
        for name, shape in shapes.items()
    ]


def save(path, nodes, inputs, outputs, tensors=(), *, opset=12):
    """Write a graph, whose ends are given by name, type and shape."""
    ends = [
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in side]
        for side in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "odd", *ends, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save_model(made, path)
    onnx.checker.check_model(str(path))
    return path
