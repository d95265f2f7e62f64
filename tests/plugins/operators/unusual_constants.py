"""Small graphs of kinds that people report quantizers and runtimes to take for something else."""

from __future__ import annotations

import attrs
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from edgebench import Pipeline, Stage, TensorSpec

FLOAT, HALF, DOUBLE, INT = (
    TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT64,
)  # fmt: skip
node = helper.make_node


def drawn(**shapes):
    random = np.random.default_rng(0)
    return {
        name: (random.standard_normal(shape) / max(1, np.prod(shape[1:])) ** 0.5).astype("f4")
        for name, shape in shapes.items()
    }


def constants(arrays):
    return [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]


def info(name, kind, *shape):
    return helper.make_tensor_value_info(name, kind, shape)


@attrs.frozen(kw_only=True)
class Made:
    """A graph, whose inputs and outputs are described by what it says of them."""

    nodes: list
    weights: dict
    inputs: list
    outputs: list
    opset: int = 17
    ir: int = 9
    weights_too: bool = False
    functions: list = attrs.field(factory=list)

    def model(self):
        tensors = constants(self.weights)
        also = [info(one.name, one.data_type, *one.dims) for one in tensors]
        inputs = self.inputs + (also if self.weights_too else [])
        graph = helper.make_graph(self.nodes, "g", inputs, self.outputs, tensors)
        opsets = [helper.make_opsetid("", self.opset)]
        if self.functions:
            opsets.append(helper.make_opsetid("own", 1))
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=self.ir, functions=self.functions
        )

    def pipeline(self):
        def describe(one):
            kind = one.type.tensor_type
            dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type).name
            shape = [dim.dim_param or dim.dim_value for dim in kind.shape.dim]
            return TensorSpec(name=one.name, dtype=dtype, shape=shape)

        stage = Stage(
            format="onnx",
            live=self.model(),
            inputs=[describe(one) for one in self.inputs],
            outputs=[describe(one) for one in self.outputs],
        )
        outputs = [one.name for one in self.outputs]
        return Pipeline(model="made", variant="", stages=[stage], outputs=outputs)

    def draw(self, count):
        random = np.random.default_rng(1)
        (stage,) = self.pipeline().stages

        def one(spec):
            shape = [1 if isinstance(size, str) else size for size in spec.shape]
            if np.dtype(spec.dtype).kind == "i":
                return random.integers(0, 6, shape).astype(spec.dtype)
            return random.standard_normal(shape).astype(spec.dtype)

        return [{spec.name: one(spec) for spec in stage.inputs} for _ in range(count)]


def flat(nodes, weights, *, inputs=8, outputs=4, kind=FLOAT, **rest):
    """A graph from a row of numbers to another."""
    return Made(
        nodes=nodes,
        weights=weights,
        inputs=[info("x", kind, "N", inputs)],
        outputs=[info("y", kind, "N", outputs)],
        **rest,
    )


def pictures(nodes, weights, *, outputs, kind=FLOAT, **rest):
    """A graph from pictures to what has a row for each of them."""
    return Made(
        nodes=nodes,
        weights=weights,
        inputs=[info("x", kind, "N", 4, 8, 8)],
        outputs=[info("y", kind, "N", *outputs)],
        **rest,
    )


# --- names ----------------------------------------------------------------------------------------


def shared_bias(middle):
    """Two layers that share a bias, beside a tensor with a name of the modeller's choice."""
    nodes = [
        node("Gemm", ["x", "w", "b"], [middle]),
        node("Gemm", ["x", "v", "b"], ["g"]),
        node("Add", [middle, "g"], ["y"]),
    ]
    return flat(nodes, drawn(w=(8, 4), v=(8, 4), b=(4,)))


def named_as_made():
    """Tensors, a weight and an input that have the names which the quantizer makes of others."""
    nodes = [
        node("Gemm", ["x", "w", "w_quantized"], ["x_QuantizeLinear_Output"]),
        node("Relu", ["x_QuantizeLinear_Output"], ["w_scale"]),
        node("MatMul", ["w_scale", "w_zero_point"], ["y_QuantizeLinear_Input"]),
        node("Add", ["y_QuantizeLinear_Input", "x_scale"], ["y"], name="x_QuantizeLinear"),
    ]
    made = flat(nodes, drawn(w=(8, 8), w_quantized=(8,), w_zero_point=(8, 4)))
    return attrs.evolve(made, inputs=[*made.inputs, info("x_scale", FLOAT, "N", 4)])


def odd_names(second="same"):
    """Names with slashes, spaces and colons; nodes of equal names, and of none."""
    nodes = [
        node("MatMul", ["x", "a weight/of:0"], ["/layer 1/out"], name="same"),
        node("Relu", ["/layer 1/out"], ["r elu;"], name=second),
        node("MatMul", ["r elu;", "é"], ["y"]),
    ]
    return flat(nodes, drawn(**{"a weight/of:0": (8, 8), "é": (8, 4)}))


def branches(*, shared):
    """An If whose branches capture tensors and a weight, and name theirs as the quantizer would."""

    def branch(name, scale):
        body = [
            node("MatMul", ["c", "w2"], ["c_scale"], name="mm"),
            node("Add", ["c_scale", "x"] if shared else ["c_scale", "c_quantized"], [f"{name}y"]),
        ]
        inner = constants({"c_quantized": np.full(8, scale, "f4")})
        return helper.make_graph(body, name, [], [info(f"{name}y", FLOAT, "N", 8)], inner)

    nodes = [
        node("MatMul", ["x", "w1"], ["a"]),
        node("Relu", ["a"], ["c"]),
        node("ReduceSum", ["x"], ["sum"], keepdims=0),
        node("Greater", ["sum", "zero"], ["yes"]),
        node("If", ["yes"], ["u"], then_branch=branch("t", 1), else_branch=branch("e", -1)),
        node("MatMul", ["u", "w2"], ["v"]),
        node("MatMul", ["v", "w3"], ["y"]),
    ]
    weights = drawn(w1=(8, 8), w2=(8, 8), w3=(8, 4)) | {"zero": np.array(0, "f4")}
    return flat(nodes, weights)


def loop():
    """A Loop whose body captures a weight and what a Relu writes."""
    body = helper.make_graph(
        [
            node("MatMul", ["state", "w"], ["next"]),
            node("Add", ["next", "r"], ["after"]),
            node("Identity", ["go"], ["on"]),
        ],
        "body",
        [info("i", INT), info("go", TensorProto.BOOL), info("state", FLOAT, "N", 8)],
        [info("on", TensorProto.BOOL), info("after", FLOAT, "N", 8)],
    )
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Relu", ["a"], ["r"]),
        node("Loop", ["three", "", "r"], ["l"], body=body),
        node("MatMul", ["l", "v"], ["y"]),
    ]
    return flat(nodes, drawn(w=(8, 8), v=(8, 4)) | {"three": np.array(3)})


# --- constants and biases -------------------------------------------------------------------------


def added(bias, **attributes):
    nodes = [
        node("Gemm", ["x", "w", "b"], ["a"], **attributes),
        node("Relu", ["a"], ["r"]),
        node("MatMul", ["r", "v"], ["y"]),
    ]
    shape = (8, 8)
    return flat(nodes, drawn(w=shape, v=(8, 4)) | {"b": np.asarray(bias, "f4")})


def fused(bias):
    nodes = [
        node("MatMul", ["x", "w"], ["m"]),
        node("Add", ["m", "b"], ["a"]),
        node("Relu", ["a"], ["r"]),
        node("MatMul", ["r", "v"], ["y"]),
    ]
    return flat(nodes, drawn(w=(8, 8), v=(8, 4)) | {"b": np.asarray(bias, "f4")})


def tied():
    """An embedding that is the last weight too, and is added to what it gives."""
    nodes = [
        node("Gather", ["table", "ids"], ["words"]),
        node("MatMul", ["words", "w"], ["h"]),
        node("Tanh", ["h"], ["t"]),
        node("Gemm", ["t", "table"], ["y"], transB=1),
    ]
    return Made(
        nodes=nodes,
        weights=drawn(table=(12, 8), w=(8, 8)),
        inputs=[info("ids", INT, "N")],
        outputs=[info("y", FLOAT, "N", 12)],
    )


def bias_elsewhere():
    """A bias that is reshaped and multiplied beside, and one weight for two axes."""
    nodes = [
        node("Gemm", ["x", "w", "b"], ["g"]),
        node("Gemm", ["g", "w", "b"], ["h"], transB=1),
        node("Reshape", ["b", "row"], ["turned"]),
        node("Mul", ["h", "turned"], ["y"]),
    ]
    return flat(nodes, drawn(w=(8, 8), b=(8,)) | {"row": np.array([1, 8])}, outputs=8)


def shared_filter():
    """One filter for a Conv and, along another axis, for what turns it round."""
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1] * 4),
        node("Relu", ["c"], ["r"]),
        node("ConvTranspose", ["r", "w", "b"], ["d"], pads=[1] * 4),
        node("Conv", ["d", "w", "b"], ["y"], pads=[1] * 4),
    ]
    return pictures(nodes, drawn(w=(4, 4, 3, 3), b=(4,)), outputs=(4, 8, 8))


def grouped(bias=True):
    read = ["x", "w", "b"] if bias else ["x", "w"]
    nodes = [
        node("ConvTranspose", read, ["c"], group=2),
        node("Relu", ["c"], ["r"]),
        node("Conv", ["r", "v"], ["y"]),
    ]
    return pictures(nodes, drawn(w=(4, 3, 3, 3), b=(6,), v=(5, 6, 1, 1)), outputs=(5, 10, 10))


def behind_nodes():
    """Weights behind a Constant, an Identity and a Transpose."""
    values = drawn(w=(8, 8), v=(8, 8), u=(4, 8))
    nodes = [
        node("Constant", [], ["w"], value=constants({"w": values["w"]})[0]),
        node("MatMul", ["x", "w"], ["a"]),
        node("Identity", ["v"], ["v1"]),
        node("Gemm", ["a", "v1"], ["b"]),
        node("Transpose", ["u"], ["u1"], perm=[1, 0]),
        node("MatMul", ["b", "u1"], ["y"]),
    ]
    return flat(nodes, {name: values[name] for name in ("v", "u")})


def stacked():
    """Products with constants of three dimensions, at the left, and with a vector."""
    nodes = [
        node("MatMul", ["x", "w3"], ["a"]),
        node("MatMul", ["w4", "a"], ["b"]),
        node("MatMul", ["b", "v"], ["y"]),
    ]
    weights = drawn(w3=(3, 8, 8), w4=(5, 2), v=(8,))
    return Made(
        nodes=nodes,
        weights=weights,
        inputs=[info("x", FLOAT, "N", 3, 2, 8)],
        outputs=[info("y", FLOAT, "N", 3, 5)],
    )
