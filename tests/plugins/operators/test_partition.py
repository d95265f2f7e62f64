from __future__ import annotations

import attrs
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench import CaseFailed, ChainError, Exit, Pipeline, Stage, TensorSpec
from edgebench_kit.onnx.cut_lists import find_cuts
from edgebench_kit.onnx.cuts import Graph
from edgebench_kit.onnx.graphs import count_parameters
from edgebench_kit.onnx.parts_and_whole import SIDE
from edgebench_kit.onnx.splitting import split_graph
from edgebench_plugins.backends.onnxruntime import OnnxruntimeOptions
from edgebench_plugins.operators import partition, sptq
from edgebench_plugins.operators.partition import PartitionOptions
from edgebench_plugins.operators.sptq import SptqOptions

(OPERATOR,) = partition.edgebench_operators()


def cut_at(pipeline, context, name=""):
    return OPERATOR.apply(pipeline, context(PartitionOptions(tensor=name)))


def cuts_of(pipeline):
    return find_cuts(Graph.of(pipeline.stages[0].live))


@pytest.fixture
def quantized(residual, context, draw):
    return sptq.apply(residual, context(SptqOptions(), calibration=draw(8)))


def chain(*weights, names=None):
    """One graph of matrix products, each with a square weight of so many rows times 8 columns."""
    nodes, constants, before = [], [], "input"
    for number, rows in enumerate(weights):
        after = (names or {}).get(number, f"t{number}")
        after = "logits" if number == len(weights) - 1 else after
        array = np.full((rows, 8), 0.1, "f4")
        constants.append(numpy_helper.from_array(array, f"w{number}"))
        nodes.append(helper.make_node("Gemm", [before, f"w{number}"], [after], transB=1))
        before = after
        rows_now = rows
        assert number == len(weights) - 1 or rows_now == 8
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
        for name, size in (("input", 8), ("logits", weights[-1]))
    ]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    specs = [
        (TensorSpec(name=name, dtype="float32", shape=("batch", size)),)
        for name, size in (("input", 8), ("logits", weights[-1]))
    ]
    stage = Stage(format="onnx", live=made, inputs=specs[0], outputs=specs[1])
    return Pipeline(model="chain", variant="", stages=(stage,), outputs=("logits",))


def test_it_makes_two_pieces_of_one(residual, context):
    done = cut_at(residual, context)
    front, tail = done.stages
    assert done.cuts == (1,)
    assert OPERATOR.cuts(PartitionOptions()) == len(done.cuts)
    assert front.inputs == residual.stages[0].inputs
    assert front.outputs == tail.inputs
    assert tail.outputs == residual.stages[0].outputs
    assert done.crossing(1) == (front.outputs[0].name,)
    assert front.outputs[0].shape[0] == "batch"
    assert len(residual.stages) == 1


def test_every_cut_of_a_residual_net_gives_the_whole(residual, context, draw):
    here = context()
    inputs = {"input": np.concatenate([one["input"] for one in draw(4)])}
    whole = here.run(residual, inputs)["logits"]
    cuts = cuts_of(residual)
    assert len(cuts) >= 6
    for cut in cuts:
        parted = here.run(cut_at(residual, context, cut.names[0]), inputs)["logits"]
        assert np.abs(parted - whole).max() <= 1e-5 * max(1.0, np.abs(whole).max())


@pytest.mark.parametrize("level", ["all", "extended", "basic", "disabled"])
def test_every_integer_cut_of_a_quantized_net_gives_the_same_bits(quantized, context, draw, level):
    here = context(runtime=OnnxruntimeOptions(graph_optimization=level))
    inputs = {"input": np.concatenate([one["input"] for one in draw(4)])}
    whole = here.run(quantized, inputs)["logits"]
    cuts = [cut for cut in cuts_of(quantized) if cut.quantized]
    assert len(cuts) >= 5
    for cut in cuts:
        done = cut_at(quantized, context, cut.names[0])
        assert done.stages[0].outputs[0].dtype == "uint8"
        np.testing.assert_array_equal(here.run(done, inputs)["logits"], whole)


def test_a_quantized_net_is_cut_where_integers_cross(quantized, context):
    done = cut_at(quantized, context)
    assert done.stages[0].outputs[0].dtype == "uint8"
    assert {stage.precision for stage in done.stages} == {"int8"}


def test_a_named_tensor_of_a_quantized_net_may_cross_as_floats(quantized, context):
    name = next(cut.names[0] for cut in cuts_of(quantized) if not cut.quantized)
    assert cut_at(quantized, context, name).stages[0].outputs[0].dtype == "float32"


def test_the_parts_hold_the_parameters_of_the_whole(residual, quantized, context):
    for pipeline in (residual, quantized):
        whole = count_parameters(pipeline.stages[0].live)
        done = cut_at(pipeline, context)
        assert sum(stage.parameters for stage in done.stages) == whole
    module_has = (
        16 * 27 + 16 + 2 * (16 * 144) + 2 * 16 + 32 * 144 + 32 * 288 + 16 * 32 + 4 * 32 + 330
    )
    assert count_parameters(residual.stages[0].live) == pytest.approx(module_has, rel=0.02)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [((8, 8, 8, 8), "t1"), ((8, 8, 8, 24), "t2"), ((8, 8, 8), "t1"), ((8, 8, 40), "t1")],
)
def test_the_weights_are_halved(context, weights, expected):
    assert cut_at(chain(*weights), context).stages[0].outputs[0].name == expected


def test_of_equal_halves_the_one_that_sends_less(residual, context):
    """Between a convolution and the next there are its sum, its activation, and its pooling."""
    done = cut_at(residual, context)
    (crossing,) = done.stages[0].outputs
    cuts = cuts_of(residual)
    gap = {cut.names[0]: abs(cut.weights[0] - cut.weights[1]) for cut in cuts}
    equal = [cut for cut in cuts if gap[cut.names[0]] == min(gap.values())]
    assert len(equal) > 1
    assert min(cut.sent for cut in equal) == next(
        cut.sent for cut in cuts if cut.names == (crossing.inside,)
    )


def test_of_equal_halves_an_earlier_one_that_sends_less_beats_a_later(context):
    pipeline = chain(8, 8)
    graph = pipeline.stages[0].live.graph
    weight = numpy_helper.from_array(np.full((8, 8), 0.1, "f4"), "w1")
    graph.initializer[1].CopyFrom(weight)
    last = graph.node.pop()
    graph.node.append(helper.make_node("Concat", ["t0", "t0"], ["wide"], axis=1))
    graph.node.append(helper.make_node("Slice", ["wide", "from", "to", "axis"], ["narrow"]))
    for name, value in (("from", 0), ("to", 8), ("axis", 1)):
        graph.initializer.append(numpy_helper.from_array(np.array([value]), name))
    last.input[0] = "narrow"
    graph.node.append(last)
    cuts = {cut.names[0]: cut for cut in cuts_of(pipeline)}
    assert list(cuts) == ["t0", "wide", "narrow"]
    assert cuts["t0"].weights == cuts["wide"].weights
    assert cut_at(pipeline, context).stages[0].outputs[0].name != "wide"


def test_an_activation_stays_with_its_layer(residual, context):
    done = cut_at(residual, context)
    assert done.stages[0].live.graph.node[-1].op_type != "Conv"
    assert done.stages[1].live.graph.node[0].op_type != "Relu"


def test_an_unknown_tensor_gets_the_nearest(context):
    with pytest.raises(ChainError, match=r"no tensor is called 't11'; it can be cut at .*t1"):
        cut_at(chain(8, 8, 8), context, "t11")


def test_of_several_tensors_the_one_that_is_not_there_is_named(context):
    with pytest.raises(ChainError, match="no tensor is called 'nope'"):
        cut_at(chain(8, 8, 8), context, "t0+nope")


def test_more_cuts_than_are_near_are_counted_with_who_lists_them(context):
    with pytest.raises(ChainError) as caught:
        cut_at(chain(8, 8, 8, 8, 8, 8), context, "t11")
    assert str(caught.value) == (
        "no tensor is called 't11'; it can be cut at t1, t4, t3, and 2 others; "
        "`edgebench plan --cuts MODEL` lists them all"
    )


def test_where_no_tensor_cuts_alone_several_are_offered_together(context):
    pipeline = chain(8, 8)
    graph = pipeline.stages[0].live.graph
    graph.node[1].input[0], graph.node[1].output[0] = "input", "t1"
    graph.node.append(helper.make_node("Add", ["t0", "t1"], ["logits"]))
    with pytest.raises(ChainError) as caught:
        cut_at(pipeline, context, "nope")
    offered = ["input+t0", "input+t1", "t0+t1"]
    assert str(caught.value) == (
        f"no tensor is called 'nope'; it can be cut at {', '.join(offered)}"
    )
    for text in offered:
        assert "+".join(cut_at(pipeline, context, text).crossing(1)) == text


def test_a_tensor_that_does_not_separate_is_told_what_else_crosses(residual, context):
    graph = Graph.of(residual.stages[0].live)
    able = {cut.names[0] for cut in find_cuts(graph)}
    inner = next(
        node.output[0]
        for node in graph.model.graph.node
        if node.op_type == "Relu" and node.output[0] not in able
    )
    with pytest.raises(ChainError, match=f"cannot be cut at '{inner}': .* would have to cross too"):
        cut_at(residual, context, inner)


@pytest.mark.parametrize(
    ("name", "why"), [("input", "nothing lies before it"), ("logits", "nothing lies behind it")]
)
def test_the_ends_of_a_graph_are_no_cuts(context, name, why):
    with pytest.raises(ChainError, match=why):
        cut_at(chain(8, 8), context, name)


def test_a_graph_that_no_tensor_separates_is_refused(context):
    with pytest.raises(
        ChainError,
        match="^the graph cannot be cut in two: no single .* no two nodes that depend on its input$",
    ):
        cut_at(chain(8), context)


@pytest.mark.parametrize("named", ["size+t0", "size.rows+t0"], ids=["graph's", "table's"])
def test_a_size_crosses_with_a_row_for_each_sample(context, named):
    pipeline = chain(8, 8)
    graph = pipeline.stages[0].live.graph
    graph.node[-1].output[0] = "flat"
    graph.node.append(helper.make_node("Shape", ["input"], ["size"]))
    graph.node.append(helper.make_node("Reshape", ["flat", "size"], ["logits"]))
    done = cut_at(pipeline, context, named)
    assert {(one.dtype, one.shape) for one in done.stages[0].outputs} == {
        ("int64", ("batch", 2)),
        ("float32", ("batch", 8)),
    }
    here = context()
    for rows in (1, 3):
        inputs = {"input": np.random.default_rng(rows).standard_normal((rows, 8)).astype("f4")}
        np.testing.assert_allclose(
            here.run(done, inputs)["logits"], here.run(pipeline, inputs)["logits"], rtol=1e-6
        )


def test_a_strange_name_is_made_plain_and_kept_inside(context):
    pipeline = chain(8, 8, names={0: "/layer.1/relu:0"})
    done = cut_at(pipeline, context)
    (spec,) = done.stages[0].outputs
    assert (spec.name, spec.inside) == ("layer.1_relu_0", "/layer.1/relu:0")
    inputs = {"input": np.ones((1, 8), "f4")}
    here = context()
    np.testing.assert_allclose(
        here.run(done, inputs)["logits"], here.run(pipeline, inputs)["logits"], rtol=1e-6
    )


def test_a_name_that_is_taken_gets_a_number(context):
    pipeline = chain(8, 8, names={0: "answer"})
    stage = pipeline.stages[0]
    answer = attrs.evolve(stage.outputs[0], name="answer", port="logits")
    pipeline = Pipeline(
        model="chain",
        variant="",
        stages=(attrs.evolve(stage, outputs=(answer,)),),
        outputs=("answer",),
    )
    (spec,) = cut_at(pipeline, context, "answer").stages[0].outputs
    assert (spec.name, spec.port) == ("answer.1", "answer")


def test_of_several_stages_the_one_is_cut_that_halves_them_all(context):
    light, heavy = chain(8), chain(8, 8, 8, 8)
    middle = TensorSpec(name="middle", dtype="float32", shape=("batch", 8))
    first = attrs.evolve(light.stages[0], outputs=(attrs.evolve(middle, port="logits"),))
    second = attrs.evolve(heavy.stages[0], inputs=(attrs.evolve(middle, port="input"),))
    pipeline = Pipeline(model="two", variant="", stages=(first, second), outputs=("logits",))
    done = cut_at(pipeline, context)
    assert len(done.stages) == 3
    assert done.cuts == (2,)
    assert done.stages[1].outputs[0].name in {"t0", "t1"}
    inputs = {"input": np.ones((2, 8), "f4")}
    here = context()
    np.testing.assert_allclose(
        here.run(done, inputs)["logits"], here.run(pipeline, inputs)["logits"], rtol=1e-6
    )


def test_an_exit_stays_where_its_tensors_are(context):
    pipeline = chain(8, 8, 8)
    exit_ = Exit(condition="logits", answer=("logits",), threshold=0.5)
    pipeline = pipeline.replaced([attrs.evolve(pipeline.stages[0], exit=exit_)])
    front, tail = cut_at(pipeline, context).stages
    assert (front.exit, tail.exit) == (None, exit_)


def test_what_is_cut_is_not_cut_again(residual, context):
    assert OPERATOR.accepts(residual) is True
    done = cut_at(residual, context)
    assert OPERATOR.accepts(done) == f"it is {OPERATOR.once}"
    assert OPERATOR.once == "cut already; one partition(pieces=3) makes three pieces"


def test_parts_that_are_not_the_whole_are_caught(context, monkeypatch):
    """Were the cutting wrong, no pipeline would come of it."""
    right = partition.split_graph

    def wrong(graph, crossing):
        front, tail = right(graph, crossing)
        for one in tail.graph.initializer:
            array = numpy_helper.to_array(one) * np.float32(1.001)
            one.CopyFrom(numpy_helper.from_array(array, one.name))
        return front, tail

    monkeypatch.setattr(partition, "split_graph", wrong)
    said = r"cut in two, 'logits' differs by .* \(run on here, which claims f32\)"
    with pytest.raises(CaseFailed, match=said):
        cut_at(chain(8, 8), context)


def words(rows=2):
    """A net that reads numbers of words out of a table, as many words as one likes."""
    table = np.linspace(0, 1, 8 * rows, dtype="f4").reshape(rows, 8)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["read"]),
        helper.make_node("ReduceMean", ["read", "axes"], ["mean"], keepdims=0),
        helper.make_node("Neg", ["mean"], ["logits"]),
    ]
    tensors = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.ones(1, int), "axes"),
    ]
    ends = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "seq"]),
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 8]),
    ]
    graph = helper.make_graph(nodes, "words", ends[:1], ends[1:], tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    specs = [
        TensorSpec(name="ids", dtype="int64", shape=("batch", "seq")),
        TensorSpec(name="logits", dtype="float32", shape=("batch", 8)),
    ]
    stage = Stage(format="onnx", live=made, inputs=specs[:1], outputs=specs[1:])
    return Pipeline(model="words", variant="", stages=(stage,), outputs=("logits",))


def exchanging(axis):
    """Cut, and have the first part turn round what crosses: its rows, or the words of each."""

    def turned(graph, crossing):
        front, tail = split_graph(graph, crossing)
        front.graph.node[-1].output[0] = "straight"
        nodes = [
            helper.make_node("ReverseSequence", ["straight", "lengths"], list(crossing),
                             batch_axis=1 - axis, time_axis=axis),
        ]  # fmt: skip
        front.graph.node.extend(nodes)
        lengths = np.full(SIDE if axis == 0 else 2, 2 if axis == 0 else SIDE)
        front.graph.initializer.append(numpy_helper.from_array(lengths, "lengths"))
        return front, tail

    return turned


@pytest.mark.parametrize("axis", [0, 1], ids=["rows", "words"])
def test_exchanged_rows_or_words_are_caught(context, monkeypatch, axis):
    pipeline = words()
    graph = pipeline.stages[0].live.graph
    graph.node[1].input[1] = "last"  # so that the order of the words shows
    graph.initializer.append(numpy_helper.from_array(np.array([2]), "last"))
    graph.output[0].type.tensor_type.shape.dim[1].dim_param = "seq"
    logits = attrs.evolve(pipeline.stages[0].outputs[0], shape=("batch", "seq"))
    pipeline = pipeline.replaced([attrs.evolve(pipeline.stages[0], outputs=(logits,))])
    cut_at(pipeline, context, "read")
    monkeypatch.setattr(partition, "split_graph", exchanging(axis))
    with pytest.raises(CaseFailed, match=r"cut in two, 'logits' differs by"):
        cut_at(pipeline, context, "read")


def test_what_cannot_be_compared_is_doubted(context):
    """A table of one row, which whole numbers other than 0 lie outside of."""
    here = context(PartitionOptions())
    assert len(OPERATOR.apply(words(rows=1), here).stages) == 2
    (doubt,) = here.doubts
    assert doubt.startswith(
        "the parts were not compared with the whole: the whole does not run on made-up inputs: here: "
    )
    assert "\n" not in doubt


def test_a_quantized_net_is_compared_where_integers_cross(quantized, context, monkeypatch):
    here = context(PartitionOptions())
    OPERATOR.apply(quantized, here)
    assert not here.doubts

    def wrong(graph, crossing):
        front, tail = split_graph(graph, crossing)
        bias = next(one for one in tail.graph.initializer if one.data_type == TensorProto.INT32)
        bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + 9999, bias.name))
        return front, tail

    monkeypatch.setattr(partition, "split_graph", wrong)
    with pytest.raises(CaseFailed, match="differs by"):
        cut_at(quantized, context)
    name = next(cut.names[0] for cut in cuts_of(quantized) if not cut.quantized)
    here = context(PartitionOptions(tensor=name))
    OPERATOR.apply(quantized, here)
    assert all(
        doubt.startswith(f"cut in two at {name!r}, where floats of a quantized graph cross, ")
        and "differs by" in doubt
        for doubt in here.doubts
    )
    monkeypatch.setattr(partition, "split_graph", split_graph)
    straight = context(PartitionOptions(tensor=name))
    OPERATOR.apply(quantized, straight)
    assert here.doubts
    assert here.doubts != straight.doubts


def test_cuts_at_floats_are_listed_with_the_difference_measured(quantized, context, monkeypatch):
    monkeypatch.setattr(partition, "MEASURED", 3)
    cuts = OPERATOR.list_cuts(quantized, context(PartitionOptions())).cuts
    floats = [cut for cut in cuts if not cut.exact]
    assert len(floats) > 3
    assert all(cut.difference is None for cut in (*floats[3:], *(c for c in cuts if c.exact)))
    assert all(0 <= cut.difference < 1 for cut in floats[:3])


def test_a_net_of_integers_inside_single_nodes_is_cut_at_floats(context):
    pipeline = chain(8, 8, 8)
    graph = pipeline.stages[0].live.graph
    graph.node[0].CopyFrom(helper.make_node("DynamicQuantizeLinear", ["input"], ["q", "s", "z"]))
    weight = numpy_helper.from_array(np.arange(64, dtype="u1").reshape(8, 8), "w0")
    graph.initializer[0].CopyFrom(weight)
    rest = [graph.node.pop() for _ in range(2)][::-1]
    graph.node.extend(
        [
            helper.make_node("MatMulInteger", ["q", "w0", "z"], ["sums"]),
            helper.make_node("Cast", ["sums"], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["numbers", "s"], ["t0"]),
            *rest,
        ]
    )
    assert len(cut_at(pipeline, context).stages) == 2


def test_the_parts_are_graphs_of_their_own(residual, context):
    for stage in cut_at(residual, context).stages:
        onnx.checker.check_model(stage.live, full_check=True)
        assert stage.directory is None
