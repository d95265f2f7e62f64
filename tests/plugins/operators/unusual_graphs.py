"""More of them: ends, kinds of nodes and numbers, old operator sets; and the list of all."""

from __future__ import annotations

import attrs
import numpy as np
from onnx import helper

from .unusual_constants import (
    DOUBLE,
    FLOAT,
    HALF,
    INT,
    Made,
    added,
    behind_nodes,
    bias_elsewhere,
    branches,
    drawn,
    flat,
    fused,
    grouped,
    info,
    loop,
    named_as_made,
    node,
    odd_names,
    pictures,
    shared_bias,
    shared_filter,
    stacked,
    tied,
)  # fmt: skip

# --- ends -----------------------------------------------------------------------------------------


def passed():
    """An input and a weight that are outputs too."""
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Relu", ["a"], ["r"]),
        node("MatMul", ["r", "w"], ["y"]),
    ]
    made = flat(nodes, drawn(w=(8, 8)), outputs=8)
    more = [info("x", FLOAT, "N", 8), info("w", FLOAT, 8, 8), info("r", FLOAT, "N", 8)]
    return attrs.evolve(made, outputs=[*made.outputs, *more])


def left_out():
    """Inputs that are left out, by an empty name."""
    nodes = [
        node("Conv", ["x", "w", ""], ["c"]),
        node("Clip", ["c", "", "six"], ["k"]),
        node("Resize", ["k", "", "sizes"], ["s"], mode="nearest"),
        node("Conv", ["s", "v"], ["y"]),
    ]
    weights = drawn(w=(4, 4, 3, 3), v=(5, 4, 1, 1)) | {
        "six": np.array(6, "f4"),
        "sizes": np.array([1, 1, 2, 2], "f4"),
    }
    return pictures(nodes, weights, outputs=(5, 12, 12))


# --- kinds of nodes and numbers -------------------------------------------------------------------


def recurrent():
    """An LSTM, that stays in floats, and a layer behind it."""
    nodes = [
        node("LSTM", ["x", "W", "R", "", "", "", "", ""], ["s", "", ""], hidden_size=6, layout=0),
        node("Reshape", ["s", "rows"], ["flat"]),
        node("MatMul", ["flat", "v"], ["y"]),
    ]
    weights = drawn(W=(1, 24, 8), R=(1, 24, 6), v=(6, 4)) | {"rows": np.array([-1, 6])}
    return Made(
        nodes=nodes,
        weights=weights,
        inputs=[info("x", FLOAT, 1, "N", 8)],
        outputs=[info("y", FLOAT, "N", 4)],
    )


def joined():
    """What is quantized beside what is not, and integers that are large."""
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Exp", ["x"], ["e"]),
        node("Mod", ["big", "prime"], ["rest"]),
        node("Cast", ["rest"], ["number"], to=FLOAT),
        node("Concat", ["a", "e", "number"], ["j"], axis=1),
        node("MatMul", ["j", "v"], ["y"]),
    ]
    weights = drawn(w=(8, 8), v=(17, 4)) | {"prime": np.array(7)}
    made = flat(nodes, weights)
    return attrs.evolve(made, inputs=[*made.inputs, info("big", INT, "N", 1)])


def halves(*, ends, middle="InsertedPrecisionFreeCast_x"):
    """A net of 16-bit floats, its ends too or of 32 bits, with a name that a runtime makes up."""
    first, last = ("x", "y") if ends else ("xh", "yh")
    nodes = [
        node("Conv", [first, "w", "b"], [middle], pads=[1] * 4),
        node("Relu", [middle], ["q"]),
        node("Conv", ["q", "v"], [last]),
    ]
    if not ends:
        nodes = [
            node("Cast", ["x"], ["xh"], to=HALF),
            *nodes,
            node("Cast", ["yh"], ["y"], to=FLOAT),
        ]
    weights = {k: a.astype("f2") for k, a in drawn(w=(6, 4, 3, 3), b=(6,), v=(2, 6, 1, 1)).items()}
    return pictures(nodes, weights, outputs=(2, 8, 8), kind=HALF if ends else FLOAT)


def mixed():
    """Halves, doubles and 32 bits in one graph."""
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Cast", ["a"], ["h"], to=HALF),
        node("Mul", ["h", "two"], ["hh"]),
        node("Cast", ["hh"], ["d"], to=DOUBLE),
        node("MatMul", ["d", "m"], ["dd"]),
        node("Cast", ["dd"], ["f"], to=FLOAT),
        node("MatMul", ["f", "v"], ["y"]),
    ]
    weights = drawn(w=(8, 8), v=(8, 4)) | {
        "two": np.array(2, "f2"),
        "m": np.random.default_rng(2).standard_normal((8, 8)),
    }
    return flat(nodes, weights)


def old(opset, **rest):
    """Operator sets in which attributes were what inputs are; weights among the inputs."""
    clip = [node("Clip", ["c"], ["k"], min=0.0, max=6.0)] if opset < 11 else [
        node("Clip", ["c", "low", "high"], ["k"])
    ]  # fmt: skip
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1] * 4),
        *clip,
        node("GlobalAveragePool", ["k"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "v", "one"], ["y"]),
    ]
    weights = drawn(w=(6, 4, 3, 3), b=(6,), v=(6, 5)) | {"one": np.array([0.5], "f4")}
    if opset >= 11:
        weights |= {"low": np.array(0, "f4"), "high": np.array(6, "f4")}
    return pictures(nodes, weights, outputs=(5,), opset=opset, **rest)


def normalised():
    """Layers that normalise over two dimensions, and instances."""
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("InstanceNormalization", ["c", "s", "t"], ["i"]),
        node("LayerNormalization", ["i", "s2", "t2"], ["l"], axis=2),
        node("Conv", ["l", "v"], ["y"]),
    ]
    weights = drawn(w=(4, 4, 3, 3), v=(5, 4, 1, 1), t=(4,), t2=(6, 6), s2=(6, 6))
    weights |= {"s": np.ones(4, "f4"), "s2": 1 + weights["s2"]}
    return pictures(nodes, weights, outputs=(5, 6, 6))


def emptied():
    """A tensor that is empty for every input."""
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Slice", ["a", "zero", "zero", "one"], ["none"]),
        node("Concat", ["a", "none"], ["all"], axis=1),
        node("MatMul", ["all", "v"], ["y"]),
    ]
    weights = drawn(w=(8, 8), v=(8, 4)) | {"zero": np.array([0]), "one": np.array([1])}
    return flat(nodes, weights)


def called():
    """A layer that is a function of the file's own, called twice."""
    inner = [node("MatMul", ["a", "b"], ["a_scale"]), node("Tanh", ["a_scale"], ["c"])]
    opsets = [helper.make_opsetid("", 17)]
    layer = helper.make_function("own", "Layer", ["a", "b"], ["c"], inner, opsets)
    nodes = [
        node("Layer", ["x", "w"], ["a"], domain="own"),
        node("Layer", ["a", "v"], ["y"], domain="own"),
    ]
    return flat(nodes, drawn(w=(8, 8), v=(8, 4)), functions=[layer])


def one_dimension():
    """A Transpose of a tensor of one dimension, whose steps are said to lie along the second."""
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Reshape", ["c", "all"], ["flat"]),
        node("Transpose", ["flat"], ["turned"], perm=[0]),
        node("Reshape", ["turned", "back"], ["f"]),
        node("MatMul", ["f", "v"], ["y"]),
    ]
    weights = drawn(w=(4, 4, 3, 3), v=(144, 5)) | {
        "all": np.array([-1]),
        "back": np.array([-1, 144]),
    }
    return pictures(nodes, weights, outputs=(5,))


KINDS = {
    "a name that a copy would have": lambda: shared_bias("b0"),
    "a name that nothing would have": lambda: shared_bias("inter"),
    "names that are made": named_as_made,
    "odd names": odd_names,
    "branches": lambda: branches(shared=False),
    "branches that capture an input": lambda: branches(shared=True),
    "a loop": loop,
    "a bias of a row": lambda: added(np.linspace(-1, 1, 8)[None]),
    "a bias of one": lambda: added([0.5]),
    "a bias that is a scalar": lambda: added(0.5),
    "a bias of a column": lambda: added([[0.7]]),
    "a bias with a factor": lambda: added(np.linspace(-1, 1, 8), beta=3.0, alpha=0.5),
    "a bias without a say": lambda: added(np.full(8, 9.0), beta=0.0),
    "a weight turned, a bias of one": lambda: added([0.5], transB=1),
    "a row that is added": lambda: fused(np.linspace(-1, 1, 8)[None]),
    "a number that is added": lambda: fused(0.5),
    "tied embeddings": tied,
    "a bias used elsewhere": bias_elsewhere,
    "a filter along two axes": shared_filter,
    "groups": grouped,
    "groups without a bias": lambda: grouped(bias=False),
    "weights behind nodes": behind_nodes,
    "stacked matrices": stacked,
    "ends passed through": passed,
    "inputs left out": left_out,
    "an LSTM": recurrent,
    "joined": joined,
    "halves": lambda: halves(ends=True),
    "halves within": lambda: halves(ends=False),
    "mixed": mixed,
    "opset 9, ir 3": lambda: old(9, ir=3, weights_too=True),
    "opset 11": lambda: old(11, ir=6),
    "opset 12, weights too": lambda: old(12, ir=7, weights_too=True),
    "opset 17, weights too": lambda: old(17, weights_too=True),
    "normalised": normalised,
    "emptied": emptied,
    "one dimension": one_dimension,
    "a function": called,
}
UNTROUBLED = {
    "halves": lambda: halves(ends=True, middle="c"),
    "odd names": lambda: odd_names(second="other"),
}
"""The same as those with names that ONNX Runtime itself does not open, with names that it does."""
