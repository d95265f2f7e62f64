"""Attention whose mask is added to the scores: what int8 would lose is left in floats."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench import Pipeline, Quantization, Stage, TensorSpec
from edgebench_plugins.operators import sptq
from edgebench_plugins.operators.sptq import SptqOptions

WORDS, WIDTH = 6, 8
LOWEST = float(np.finfo("f4").min)


def node(kind, read, written, **attributes):
    return helper.make_node(kind, read, [written], name=written, **attributes)


def chosen(low):
    """A mask as transformers' eager attention makes it: one of two numbers, added to the scores."""
    return {"low": low, "nothing": 0.0}, [
        node("Where", ["seen", "nothing", "low"], "hidden"),
        node("Unsqueeze", ["hidden", "axis"], "spread"),
        node("Add", ["scaled", "spread"], "masked"),
    ]


def multiplied(low):
    """A mask as older exports make it: 1 for a place that is hidden, times a low number."""
    return {"low": low, "one": 1.0}, [
        node("Cast", ["mask"], "shown", to=TensorProto.FLOAT),
        node("Sub", ["one", "shown"], "unseen"),
        node("Mul", ["unseen", "low"], "hidden"),
        node("Unsqueeze", ["hidden", "axis"], "spread"),
        node("Add", ["scaled", "spread"], "masked"),
    ]


def filled(low):
    """Scores of hidden places replaced by a low number."""
    return {"low": low}, [
        node("Unsqueeze", ["seen", "axis"], "spread"),
        node("Where", ["spread", "scaled", "low"], "masked"),
    ]


ADDED = {"hidden", "spread", "masked", "weights"}
MASKS = {
    "lowest float": (chosen, LOWEST, ADDED),
    "ten thousand": (chosen, -10_000.0, ADDED),
    "lowest float, multiplied": (multiplied, LOWEST, ADDED | {"unseen"}),
    "ten thousand, multiplied": (multiplied, -10_000.0, ADDED | {"unseen"}),
    "filled with infinity": (filled, -np.inf, {"masked", "weights"}),
    "filled with a billion": (filled, -1e9, {"masked", "weights"}),
}


def attention(mask, low):
    """One head over words of which the mask shows some."""
    random = np.random.default_rng(2)
    numbers, masking = mask(low)
    constants = {name: np.array(number, "f4") for name, number in numbers.items()}
    constants |= {"axis": np.array([1]), "scale": np.array(WIDTH**-0.5, "f4")}
    for name in ("query", "key", "value", "last"):
        constants[f"w_{name}"] = random.standard_normal((WIDTH, WIDTH)).astype("f4") / 2
    nodes = [
        node("Cast", ["mask"], "seen", to=TensorProto.BOOL),
        *(node("MatMul", ["x", f"w_{name}"], name) for name in ("query", "key", "value")),
        node("Transpose", ["key"], "turned", perm=[0, 2, 1]),
        node("MatMul", ["query", "turned"], "products"),
        node("Mul", ["products", "scale"], "scaled"),
        *masking,
        node("Softmax", ["masked"], "weights", axis=-1),
        node("MatMul", ["weights", "value"], "mixed"),
        node("MatMul", ["mixed", "w_last"], "y"),
    ]
    specs = [
        TensorSpec(name="x", dtype="float32", shape=("batch", WORDS, WIDTH)),
        TensorSpec(name="mask", dtype="int64", shape=("batch", WORDS)),
        TensorSpec(name="y", dtype="float32", shape=("batch", WORDS, WIDTH)),
    ]
    kinds = [TensorProto.FLOAT, TensorProto.INT64, TensorProto.FLOAT]
    ends = [
        helper.make_tensor_value_info(spec.name, kind, spec.shape)
        for spec, kind in zip(specs, kinds, strict=True)
    ]
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "attention", ends[:2], ends[2:], tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    stage = Stage(format="onnx", live=made, inputs=specs[:2], outputs=specs[2:])
    return Pipeline(model="attention", variant="", stages=[stage], outputs=["y"])


def sentences(count, hidden):
    """Draw words, the last ones of each sentence hidden."""
    random = np.random.default_rng(count)
    for _ in range(count):
        mask = np.ones((1, WORDS), "i8")
        mask[:, WORDS - hidden :] = 0
        yield {"x": random.standard_normal((1, WORDS, WIDTH)).astype("f4"), "mask": mask}


def in_floats(pipeline):
    """The nodes that read a float which is not made of an integer."""
    graph = pipeline.stages[0].live.graph
    made = {name for one in graph.node if one.op_type == "DequantizeLinear" for name in one.output}
    others = {"QuantizeLinear", "DequantizeLinear", "Cast"}
    return {
        one.name
        for one in graph.node
        if one.op_type not in others and set(one.input) - made - {"mask", "seen", "axis"}
    }


def quantized_tensors(pipeline):
    nodes = pipeline.stages[0].live.graph.node
    return {one.input[0] for one in nodes if one.op_type == "QuantizeLinear"}


@pytest.mark.parametrize("hidden", [2, 0], ids=["seen in samples", "not seen in samples"])
@pytest.mark.parametrize(("mask", "low", "left"), MASKS.values(), ids=MASKS)
def test_masked_scores_are_left_in_floats_and_nothing_else(context, mask, low, left, hidden):
    here = context(SptqOptions(), calibration=list(sentences(16, hidden)))
    done = sptq.apply(attention(mask, low), here)
    assert in_floats(done) == left
    assert quantized_tensors(done).isdisjoint({"hidden", "spread", "masked"})


def test_nodes_without_names_are_told_apart(context):
    """The quantizer leaves nodes out by their names."""
    found = []
    for named in (True, False):
        pipeline = attention(chosen, LOWEST)
        for one in pipeline.stages[0].live.graph.node:
            one.name = one.name if named else ""
        here = context(SptqOptions(), calibration=list(sentences(16, 2)))
        found.append(quantized_tensors(sptq.apply(pipeline, here)))
    assert found[0] == found[1]
    assert len(found[0]) > 5


@pytest.mark.parametrize(("mask", "low", "left"), MASKS.values(), ids=MASKS)
def test_scores_keep_their_steps(context, mask, low, left):
    here = context(SptqOptions(), calibration=list(sentences(16, 2)))
    pipeline = attention(mask, low)
    done = sptq.apply(pipeline, here)
    for sample in sentences(5, 3):
        wanted, got = (here.run(one, sample)["y"] for one in (pipeline, done))
        assert np.mean((got - wanted) ** 2) < 0.01 * np.mean(wanted**2)


@pytest.mark.parametrize("hidden", [2, 0], ids=["seen in samples", "not seen in samples"])
@pytest.mark.parametrize(
    ("calibration", "activation"),
    [("minmax", "uint8"), ("minmax", "int8"), ("entropy", "uint8"), ("percentile", "int8")],
)
@pytest.mark.parametrize(("mask", "low", "left"), MASKS.values(), ids=MASKS)
def test_hidden_words_have_no_say(context, mask, low, left, calibration, activation, hidden):
    target = Quantization(activation=activation, symmetric_activation=activation == "int8")
    options = SptqOptions(calibration=calibration)
    here = context(options, calibration=list(sentences(16, hidden)), target=target)
    done = sptq.apply(attention(mask, low), here)
    sample, other = sentences(2, 3)
    mixed = {**sample, "x": np.concatenate([sample["x"][:, :3], other["x"][:, 3:]], axis=1)}
    one, two = (here.run(done, given)["y"][:, :3] for given in (sample, mixed))
    np.testing.assert_array_equal(one, two)
