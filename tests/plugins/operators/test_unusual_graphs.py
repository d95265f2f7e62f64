"""Graphs of kinds that the quantizer takes for something else: same answers, or a true reason."""

from __future__ import annotations

import attrs
import numpy as np
import onnx
import pytest
from onnx import TensorProto

from edgebench import CaseFailed, ChainError, Quantization
from edgebench_plugins.backends import onnxruntime, openvino
from edgebench_plugins.operators import sptq
from edgebench_plugins.operators.sptq import SptqOptions

from .unusual_constants import DOUBLE, Made, drawn, flat, info, node, shared_bias
from .unusual_graphs import KINDS, UNTROUBLED

BACKENDS = {
    "onnxruntime": (onnxruntime, onnxruntime.OnnxruntimeOptions()),
    "openvino": (openvino, openvino.OpenvinoOptions()),
}
TARGETS = {
    "uint8": Quantization(activation="uint8"),
    "int8": Quantization(activation="int8", symmetric_activation=True),
}


def check(wanted, got):
    """See that all is the same but for rounding to 8 bits."""
    for name in wanted[0]:
        right, other = (np.concatenate([one[name].ravel() for one in of]) for of in (wanted, got))
        assert other.dtype == right.dtype, name
        difference = np.linalg.norm((other - right).astype("f8"))
        assert difference <= 0.1 * np.linalg.norm(right.astype("f8")), name


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_quantized_with_the_same_answers(kind, target, context):
    made = KINDS[kind]()
    pipeline, samples = made.pipeline(), made.draw(12)
    onnx.checker.check_model(pipeline.stages[0].live, full_check=True)
    here = context(SptqOptions(), calibration=samples, target=target)
    done = sptq.apply(pipeline, here)
    assert here.doubts == []
    (stage,) = done.stages
    onnx.checker.check_model(stage.live, full_check=True)
    assert stage.precision.startswith("int8")
    right = UNTROUBLED.get(kind, KINDS[kind])().pipeline()
    samples = samples[:4]
    wanted = [here.run(right, sample) for sample in samples]
    for module, options in BACKENDS.values():
        there = context(backend=module, runtime=options)
        check(wanted, [there.run(done, sample) for sample in samples])


def applied(made, context, count=12, target=TARGETS["uint8"]):
    here = context(SptqOptions(), calibration=made.draw(count), target=target)
    return sptq.apply(made.pipeline(), here), here.doubts


def doubles():
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("Relu", ["a"], ["y"])]
    weights = {"w": np.random.default_rng(0).standard_normal((8, 4))}
    return flat(nodes, weights, kind=DOUBLE)


def elementwise():
    nodes = [node("Exp", ["x"], ["e"]), node("Sin", ["e"], ["y"])]
    return flat(nodes, {}, outputs=8)


@pytest.mark.parametrize(("made", "nodes"), [(doubles, "MatMul, Relu"), (elementwise, "Exp, Sin")])
def test_what_holds_nothing_for_int8_is_refused_with_its_nodes(made, nodes, context):
    with pytest.raises(ChainError, match=rf"nothing in it can be quantized: .* \({nodes}\)"):
        applied(made(), context)


def test_an_operator_that_the_runtime_lacks_is_named(context):
    with pytest.raises(CaseFailed, match="does not open the graph: .*Strange"):
        applied(flat([node("Strange", ["x"], ["y"], domain="far")], {}, opset=17), context)


def test_the_part_that_is_int8_is_told(context):
    """Most of it is an LSTM, which stays in floats."""
    done, _ = applied(KINDS["an LSTM"](), context)
    assert done.stages[0].precision == "int8 (7%)"
    done, _ = applied(KINDS["tied embeddings"](), context)
    assert done.stages[0].precision == "int8"
    # Its body reads a copy of the outer weight, 64 of 160 numbers.
    done, _ = applied(KINDS["a loop"](), context)
    assert done.stages[0].precision == "int8 (60%)"


def test_names_stay_and_copies_are_named_after_what_they_copy(context):
    done, _ = applied(shared_bias("b0"), context)
    graph = done.stages[0].live.graph
    assert [one.name for one in (*graph.input, *graph.output)] == ["x", "y"]
    assert {"b0", "g"} <= {name for one in graph.node for name in one.output} | {
        one.input[0] for one in graph.node
    }
    assert {"w_scale", "v_scale", "x_scale"} <= {one.name for one in graph.initializer}


# --- compared with floats -------------------------------------------------------------------------


def far_apart():
    """Eight classes, the sum of a large number that they share and of a small one."""
    nodes = [
        node("MatMul", ["x", "w"], ["small"]),
        node("Add", ["small", "much"], ["y"]),
        node("Sub", ["y", "much"], ["z"]),
    ]
    weights = drawn(w=(8, 8)) | {"much": np.full(8, 1000, "f4")}
    made = flat(nodes, weights, outputs=8)
    return attrs.evolve(made, outputs=[*made.outputs, info("z", TensorProto.FLOAT, "N", 8)])


def test_answers_and_signals_that_are_lost_are_doubted_with_figures(context):
    _, doubts = applied(far_apart(), context, count=40)
    (answers, signal) = doubts
    begin = "against floats, on 32 calibration inputs, "
    assert answers.startswith(f"{begin}'y' gives the same answer in 0.")
    assert answers.endswith(" of 32 places, under 0.9")
    assert signal.startswith(f"{begin}the error of 'z' is ")
    assert signal.endswith(" of its signal, over 0.1")


def test_answers_are_those_along_the_axis_of_classes_that_is_stated(context):
    here = context(SptqOptions(), calibration=far_apart().draw(40))
    sptq.apply(attrs.evolve(far_apart().pipeline(), classes=0), here)
    assert [doubt for doubt in here.doubts if "the same answer" in doubt] == []


def chosen():
    """A class by its number, and a count whose shape depends on what is rounded."""
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Add", ["a", "much"], ["s"]),
        node("ArgMax", ["s"], ["y"], axis=1, keepdims=0),
    ]
    made = flat(nodes, drawn(w=(8, 8)) | {"much": np.full(8, 1000, "f4")})
    return attrs.evolve(made, outputs=[info("y", TensorProto.INT64, "N")])


def test_classes_by_number_are_compared_as_such(context):
    _, doubts = applied(chosen(), context)
    assert [doubt.split(" in ")[0].split(", ")[-1] for doubt in doubts] == [
        "'y' gives the same answer"
    ]


# --- opened before it is kept ---------------------------------------------------------------------


def turned():
    """What convolutions give, multiplied and turned for a softmax, in a new operator set.

    ONNX Runtime moves the turning, and finds steps of two types at one place.
    """
    shapes = {"w0": (3, 4, 1, 1), "w1": (4, 3, 1, 1), "w2": (4, 4, 1, 1), "v": (6, 4)}
    nodes = [
        node("Conv", ["x", "w0"], ["c0"]),
        node("Conv", ["c0", "w1"], ["c1"]),
        node("Conv", ["c1", "w2"], ["c2"]),
        node("MatMul", ["c2", "v"], ["m"], name="product"),
        node("Transpose", ["m"], ["t"], name="turn"),
        node("Softmax", ["t"], ["s"], axis=-1),
        node("Transpose", ["s"], ["y"], name="back"),
    ]
    random = np.random.default_rng(2)
    weights = {name: random.standard_normal(shape).astype("f4") for name, shape in shapes.items()}
    return Made(
        nodes=nodes,
        weights=weights,
        inputs=[info("x", TensorProto.FLOAT, 2, 4, 6, 6)],
        outputs=[info("y", TensorProto.FLOAT, 2, 4, 6, 4)],
        opset=21,
        ir=10,
    )


def test_what_no_runtime_opens_is_mended_by_leaving_its_node_in_floats(context):
    done, doubts = applied(turned(), context, target=TARGETS["int8"])
    (said,) = [doubt for doubt in doubts if doubt.startswith("left in floats")]
    assert said.startswith("left in floats, since no runtime opens the graph otherwise: product")
    graph = done.stages[0].live.graph
    assert "QuantizeLinear" in {one.op_type for one in graph.node}
