"""OpenVINO's own tool quantizes, gives layers back that cost too much, and says which."""

from __future__ import annotations

from collections import Counter

import attrs
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench import CaseFailed, ChainError, Pipeline, Stage, TensorSpec
from edgebench_plugins.backends import onnxruntime, openvino
from edgebench_plugins.operators import nncf as plugin
from edgebench_plugins.operators.nncf import NncfOptions

from .conftest import LocalContext, Samples

pytest.importorskip("nncf", reason="nncf is an extra of its own: pip install 'edgebench[nncf]'")

(OPERATOR,) = plugin.edgebench_operators()
RUNTIMES = [
    (onnxruntime, onnxruntime.OnnxruntimeOptions()),
    (openvino, openvino.OpenvinoOptions()),
]


@attrs.define
class Scored(LocalContext):
    """A context whose validation inputs have the answers that the graph in floats gives."""

    answers: list = attrs.field(factory=list)
    validation: list = attrs.field(factory=list)
    scored: int = 0

    def inputs(self, split):
        self.asked.append(split)
        return Samples({"calibration": self.calibration, "validation": self.validation}[split])

    def score(self, pipeline, split):
        assert split == "validation"
        self.scored += 1
        if not self.answers:
            return {}
        got = [self.run(pipeline, one)["logits"].argmax() for one in self.validation]
        return {"top1": float(np.mean(np.array(got) == self.answers)), "other": 0.0}


@pytest.fixture
def scored(tmp_path, draw):
    def make(pipeline, labelled=True, **options):
        feeds = [{"x": one["input"]} for one in draw(32)]
        here = Scored(
            NncfOptions(**options), tmp_path, calibration=feeds[:16], validation=feeds[16:]
        )
        wanted = [here.run(pipeline, one)["logits"].argmax() for one in here.validation]
        here.answers = wanted if labelled else []
        return here

    return make


def network(*, spoilt=False):
    """A small net of pictures; one spoilt has a layer that 8 bits cannot hold."""
    random = np.random.default_rng(1)
    constants = {
        "v": random.standard_normal((8, 3, 3, 3)).astype("f4") / 5,
        "w": random.standard_normal((8, 8, 3, 3)).astype("f4") / 8,
        "u": random.standard_normal((8, 10)).astype("f4"),
    }
    if spoilt:
        # What decides lies between values that are a million times larger, and cancel out.
        constants["v"][1] = 1e4 * constants["v"][0]
        constants["v"][2] = -constants["v"][1]
        constants["w"][:, 1] = constants["w"][:, 2]
    nodes = [
        helper.make_node("Conv", ["x", "v"], ["a"], pads=[1, 1, 1, 1], name="first"),
        helper.make_node("Conv", ["a", "w"], ["c"], pads=[1, 1, 1, 1], name="second"),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("MatMul", ["f", "u"], ["logits"], name="last"),
    ]
    return make(nodes, constants)


def make(nodes, constants, *, kind=TensorProto.FLOAT):
    shapes = {"x": ["batch", 3, 16, 16], "logits": ["batch", 10]}
    ends = [helper.make_tensor_value_info(name, kind, shape) for name, shape in shapes.items()]
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    live = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    dtype = helper.tensor_dtype_to_np_dtype(kind).name
    inputs, outputs = (TensorSpec(name=n, dtype=dtype, shape=s) for n, s in shapes.items())
    stage = Stage(format="onnx", live=live, inputs=(inputs,), outputs=(outputs,))
    return Pipeline(model="toy", variant="small", stages=(stage,), outputs=("logits",))


def kinds(pipeline):
    return Counter(node.op_type for node in pipeline.stages[0].live.graph.node)


def test_both_runtimes_read_what_it_makes(scored, capfd):
    pipeline = network()
    here = scored(pipeline, max_drop=20)
    done = OPERATOR.apply(pipeline, here)
    assert kinds(done)["QuantizeLinear"] >= 2
    assert kinds(done)["DequantizeLinear"] >= 5
    assert done.stages[0].precision == "int8"
    assert here.doubts == []
    onnx.checker.check_model(done.stages[0].live, full_check=True)
    assert {one.name for one in done.stages[0].live.graph.node} >= {"first", "second", "last"}
    feed = here.validation[0]
    wanted = here.run(pipeline, feed)["logits"]
    for backend, options in RUNTIMES:
        there = Scored(here.options, here.scratch, backend=backend, runtime=options)
        got = there.run(done, feed)["logits"]
        assert 0 < np.linalg.norm(got - wanted) / np.linalg.norm(wanted) < 0.1
    assert capfd.readouterr() == ("", "")
    assert OPERATOR.accepts(done) == "it is in reduced precision already"


def test_what_costs_too_much_is_given_back_and_named(scored):
    pipeline = network(spoilt=True)
    lossy = scored(pipeline, max_drop=100)
    bad = OPERATOR.apply(pipeline, lossy)
    assert lossy.score(bad, "validation")["top1"] < 0.9
    here = scored(pipeline, max_drop=0)
    done = OPERATOR.apply(pipeline, here)
    assert here.score(done, "validation")["top1"] == 1
    said = next(doubt for doubt in here.doubts if "given back to floats" in doubt)
    assert "over 0 points: " in said
    named = set(said.rpartition("points: ")[2].split(", "))
    assert named <= {"first", "second", "last"}
    assert kinds(done)["DequantizeLinear"] < kinds(bad)["DequantizeLinear"]
    assert done.stages[0].precision.startswith("int8")


def test_without_labels_it_quantizes_outright_and_says_so(scored):
    pipeline = network(spoilt=True)
    here = scored(pipeline, labelled=False, max_drop=0)
    done = OPERATOR.apply(pipeline, here)
    assert kinds(done)["QuantizeLinear"] >= 2
    assert any("quantized without control of accuracy" in doubt for doubt in here.doubts)


def test_nothing_to_quantize_is_said(scored):
    nodes = [
        helper.make_node("GlobalMaxPool", ["x"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Concat", ["f", "f", "f", "one"], ["logits"], axis=1),
    ]
    nodes[2].input.pop()
    nodes[2].input[:] = ["f", "f", "f"]
    pipeline = make(nodes, {})
    with pytest.raises(ChainError, match="nothing in it can be quantized: nncf knows none"):
        OPERATOR.apply(pipeline, scored(pipeline))


def test_it_asks_for_no_split_but_those_it_needs(scored):
    pipeline = network()
    here = scored(pipeline, max_drop=20)
    OPERATOR.apply(pipeline, here)
    assert set(here.asked) == {"calibration", "validation"} == set(OPERATOR.needs)


def test_a_drop_that_cannot_be_is_refused():
    for points in (-1, 101):
        with pytest.raises(ValueError, match="max_drop"):
            NncfOptions(max_drop=points)


def test_a_graph_that_it_spoils_is_told_and_not_handed_on(scored):
    """It gives doubles steps of 32-bit floats, and no runtime opens that."""
    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"]),
        helper.make_node("MatMul", ["f", "u"], ["logits"]),
    ]
    pipeline = make(nodes, {"u": random.standard_normal((768, 10))}, kind=TensorProto.DOUBLE)
    here = scored(network())
    for feeds in (here.calibration, here.validation):
        feeds[:] = [{"x": one["x"].astype("f8")} for one in feeds]
    with pytest.raises(CaseFailed, match="nncf does not quantize the graph"):
        OPERATOR.apply(pipeline, here)
