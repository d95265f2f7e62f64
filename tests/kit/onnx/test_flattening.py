"""Softmax of old operator sets, written out: the same outputs by every rule."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from edgebench_kit.onnx import flattening


def info(name, kind=TensorProto.FLOAT, shape=("N", 2, 3, 4)):
    return helper.make_tensor_value_info(name, kind, list(shape))


def model(nodes, *, opset, inputs=(), outputs=("y",)):
    graph = helper.make_graph(nodes, "g", [info("x"), *inputs], [info(name) for name in outputs])
    imports = [helper.make_opsetid("com.other", 1), helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=7)


def flattened_softmax(x, axis):
    rows = x.reshape(int(np.prod(x.shape[:axis])), -1)
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).reshape(x.shape)


X = np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype("f4")


@pytest.mark.parametrize("axis", [None, 0, 1, 2, 3, -2])
@pytest.mark.parametrize("opset", [11, 12])
def test_what_flattens_is_written_out(axis, opset):
    options = {} if axis is None else {"axis": axis}
    made = model([helper.make_node("Softmax", ["x"], ["y"], **options)], opset=opset)
    assert flattening.write_out_flattening(made)
    onnx.checker.check_model(made, full_check=True)
    # By the rule of 13 as by that of 11: what is left works along the last axis.
    (got,) = ReferenceEvaluator(made).run(None, {"x": X})
    wanted = flattened_softmax(X, 1 if axis is None else axis % 4)
    np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_what_flattens_nothing_stays():
    last = helper.make_node("Softmax", ["x"], ["y"], axis=-1)
    new = helper.make_node("Softmax", ["x"], ["y"], axis=1)
    for nodes, opset in (([last], 11), ([new], 13)):
        made = model(nodes, opset=opset)
        before = made.SerializeToString()
        assert not flattening.write_out_flattening(made)
        assert made.SerializeToString() == before


def test_bodies_are_written_out_too_and_names_do_not_meet():
    then = helper.make_graph([helper.make_node("Softmax", ["x"], ["a"])], "then", [], [info("a")])
    other = helper.make_node("Neg", ["x"], ["flattened_0"])
    else_ = helper.make_graph([other], "else", [], [info("flattened_0")])
    made = model(
        [helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=else_)],
        opset=11,
        inputs=[info("c", TensorProto.BOOL, ())],
    )
    assert flattening.write_out_flattening(made)
    onnx.checker.check_model(made, full_check=True)
    (got,) = ReferenceEvaluator(made).run(None, {"x": X, "c": np.array(True)})
    np.testing.assert_allclose(got, flattened_softmax(X, 1), atol=1e-6)


@pytest.mark.parametrize("opset", [9, 11, 21])
def test_the_operator_set_is_read_past_the_graph(tmp_path, opset):
    made = model([helper.make_node("Softmax", ["x"], ["y"])], opset=opset)
    made.graph.doc_string = "long" * 100
    onnx.save_model(made, tmp_path / "model.onnx")
    assert flattening.read_operator_set(tmp_path / "model.onnx") == opset
    assert flattening.mentions(tmp_path / "model.onnx", b"Resize", b"Softmax")
    assert not flattening.mentions(tmp_path / "model.onnx", b"Resize")
