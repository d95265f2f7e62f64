"""Stages with exits as one graph: what it gives, and what it leaves undone."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import attrs
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edgebench import Exit, NoOptions, Pipeline, Stage, TensorSpec
from edgebench_kit.onnx.cut_lists import find_cuts
from edgebench_kit.onnx.cuts import Graph
from edgebench_kit.onnx.graphs import count_parameters
from edgebench_kit.onnx.splitting import split_graph
from edgebench_plugins.operators import fuse_exits

(OPERATOR,) = fuse_exits.edgebench_operators()
WIDTH, CLASSES = 6, 3


def spec(name, *sizes):
    return TensorSpec(name=name, dtype="float32", shape=("batch", *sizes))


def info(name, *sizes):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *sizes])


def weight(name, *shape, seed):
    values = np.random.default_rng(seed).standard_normal(shape).astype("f4")
    return onnx.numpy_helper.from_array(values, name)


def graph(nodes, inputs, outputs, constants):
    made = helper.make_graph(nodes, "g", inputs, outputs, initializer=constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def stage(number, last):
    """A layer, and behind it the end or an exit; all stages name their own tensors alike."""
    before = "x" if number == 0 else f"h{number - 1}"
    ends = [spec("logits", CLASSES)]
    nodes = [
        helper.make_node("MatMul", ["in", "w"], ["m"], name="product"),
        helper.make_node("Relu", ["m"], ["h"], name="rectify"),
        helper.make_node("MatMul", ["h", "v"], ["scores"], name="head"),
    ]
    outputs = [info("scores", CLASSES)]
    given = {"w": weight("w", WIDTH, WIDTH, seed=number), "v": weight("v", WIDTH, CLASSES, seed=9)}
    if not last:
        nodes += [
            helper.make_node("Softmax", ["scores"], ["p"], axis=1),
            helper.make_node("ReduceMax", ["p", "axes"], ["sure"], keepdims=0),
        ]
        given["axes"] = onnx.numpy_helper.from_array(np.array([1]), "axes")
        outputs += [info("sure"), info("h", WIDTH)]
        ends = [spec(f"early{number}", CLASSES), spec(f"sure{number}"), spec(f"h{number}", WIDTH)]
    ports = ["scores", "sure", "h"]
    return Stage(
        format="onnx",
        inputs=[attrs.evolve(spec(before, WIDTH), port="in")],
        outputs=[attrs.evolve(one, port=port) for one, port in zip(ends, ports, strict=False)],
        live=graph(nodes, [info("in", WIDTH)], outputs, list(given.values())),
        exit=None
        if last
        else Exit(condition=f"sure{number}", answer=[f"early{number}"], threshold=0.9),
        parameters=WIDTH * (WIDTH + CLASSES),
    )


def pipeline(exits):
    stages = [stage(number, number == exits) for number in range(exits + 1)]
    return Pipeline(model="m", variant="v", stages=stages, outputs=["logits"])


def fuse(whole):
    doubts = []
    context = SimpleNamespace(options=NoOptions(), seed=3, doubt=doubts.append)
    (fused,) = OPERATOR.apply(whole, context).stages
    assert not doubts
    return fused


def by_host(whole, x):
    """What a host gives that lets samples leave one by one, and where each left."""
    answers, left = [], []
    for sample in x:
        tensors = {"x": sample[None]}
        for one in whole.stages:
            session = onnxruntime.InferenceSession(one.live.SerializeToString())
            given = {i.inside: tensors[i.name] for i in one.inputs}
            written = session.run([o.inside for o in one.outputs], given)
            tensors.update(zip([o.name for o in one.outputs], written, strict=True))
            if one.exit and tensors[one.exit.condition][0] >= one.exit.threshold:
                break
        answers.append(tensors[one.exit.answer[0] if one.exit else "logits"][0])
        left.append(whole.stages.index(one))
    return np.stack(answers), np.array(left)


def opened(fused, **options):
    chosen = onnxruntime.SessionOptions()
    for name, value in options.items():
        setattr(chosen, name, value)
    return onnxruntime.InferenceSession(fused.live.SerializeToString(), chosen)


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal((40, WIDTH)).astype("f4")


@pytest.mark.parametrize("exits", [1, 2, 3])
def test_one_graph_answers_as_the_stages_do_alone_and_in_a_batch(exits, x):
    whole = pipeline(exits)
    answers, left = by_host(whole, x)
    assert {0, exits} <= set(left.tolist()), "some leave, some do not"
    session = opened(fuse(whole))
    together, flags = session.run(["logits", "left_early"], {"x": x})
    np.testing.assert_allclose(together, answers, atol=1e-5)
    np.testing.assert_array_equal(flags, left < exits)
    for sample, answer, place in zip(x, answers, left, strict=True):
        alone, flag = session.run(["logits", "left_early"], {"x": sample[None]})
        np.testing.assert_allclose(alone[0], answer, atol=1e-5)
        assert flag == [place < exits]


def test_the_weights_within_conditionals_are_counted():
    assert count_parameters(fuse(pipeline(2)).live) == 3 * WIDTH * (WIDTH + CLASSES)


def test_each_side_of_a_cut_has_what_its_conditionals_hold():
    graph = Graph.of(fuse(pipeline(2)).live)
    each = WIDTH * (WIDTH + CLASSES)
    cuts = {cut.names: cut for cut in find_cuts(graph, 2)}
    for cut in cuts.values():
        parts = split_graph(graph, cut.names)
        assert cut.parameters == tuple(map(count_parameters, parts))
        assert sum(cut.operations) == 3 * each
    assert cuts["h0", "early0"].parameters == (each, 2 * each)
    assert cuts["h0", "early0"].operations == (each, 2 * each)


def test_a_sample_that_leaves_spares_the_nodes_behind_the_exit(x, tmp_path):
    whole = pipeline(1)
    _, left = by_host(whole, x)
    ran = {}
    for kind, place in (("early", 0), ("late", 1)):
        sample = x[left == place][:1]
        session = opened(
            fuse(whole), enable_profiling=True, profile_file_prefix=str(tmp_path / kind)
        )
        session.run(None, {"x": sample})
        events = json.loads(Path(session.end_profiling()).read_text())
        ran[kind] = {event["name"] for event in events if event["cat"] == "Node"}
    behind = {"stage1/product_kernel_time", "stage1/head_kernel_time"}
    assert behind <= ran["late"]
    assert not {name for name in ran["early"] if name.startswith("stage1/")}
    assert "stage0/product_kernel_time" in ran["early"]


def test_the_host_counts_who_left_by_the_graphs_own_output(x):
    fused = fuse(pipeline(2))
    assert fused.exit == Exit(condition="left_early", answer=["logits"], threshold=0.5)
    assert [one.name for one in fused.outputs] == ["logits", "left_early"]
    assert fused.parameters == 3 * WIDTH * (WIDTH + CLASSES)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (lambda p: p.replaced(p.stages, [1]), "it is cut already"),
        (lambda p: p.replaced([stage(0, True)]), "it is in one stage"),
        (
            lambda p: p.replaced([attrs.evolve(one, exit=None) for one in p.stages]),
            "not each of its stages but the last has an exit",
        ),
        (
            lambda p: attrs.evolve(p, outputs=["early0"]),
            "its output 'early0' is not written by the last",
        ),
    ],
)
def test_what_has_nothing_to_fuse_is_refused(changed, why):
    assert OPERATOR.accepts(pipeline(1)) is True
    assert OPERATOR.accepts(changed(pipeline(1))).startswith(why)


@pytest.mark.parametrize("exits", [1, 2])
def test_it_is_compared_where_no_rounding_decides_who_leaves(exits, monkeypatch):
    moved, known = [], []
    move = fuse_exits._move_thresholds

    def note(whole, sure, choose):
        known.append(sure)
        moved.append(move(whole, sure, choose))
        return moved[-1]

    monkeypatch.setattr(fuse_exits, "_move_thresholds", note)
    fuse(pipeline(exits))
    # By the first all leave, by the second none.
    for whole, sure, left in zip(moved, known, (2, 0, 1), strict=True):
        for one in whole.stages[:-1]:
            found = sure[one.exit.condition]
            assert all(abs(each - one.exit.threshold) > 1e-5 for each in found)
            assert sum(each >= one.exit.threshold for each in found) == left


def test_inputs_of_which_an_exit_is_equally_sure_are_compared_all_the_same():
    whole = pipeline(1)
    constants = whole.stages[0].live.graph.initializer
    constants[1].CopyFrom(onnx.numpy_helper.from_array(np.zeros((WIDTH, CLASSES), "f4"), "v"))
    doubts = []
    context = SimpleNamespace(options=NoOptions(), seed=3, doubt=doubts.append)
    (fused,) = OPERATOR.apply(whole, context).stages
    assert fused.live.graph.node
    (doubt,) = doubts
    assert "equally sure of all made-up ones" in doubt
