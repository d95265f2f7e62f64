"""Which cuts are chosen, by rule or by name, and how many pieces come of them."""

from __future__ import annotations

from itertools import pairwise

import attrs
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench import ChainError, Exit, Link, Pipeline, Placement, Profile, TensorSpec
from edgebench.cases.chain import parse_chain
from edgebench_kit.onnx.cut_lists import CutFinder, find_cuts
from edgebench_kit.onnx.cuts import Graph
from edgebench_plugins.operators import partition
from edgebench_plugins.operators.partition import PartitionOptions

from .test_partition import chain

(OPERATOR,) = partition.edgebench_operators()


@attrs.define
class Measured:
    """A context that tells of tiers and links beside what another gives."""

    inner: object
    placement: Placement
    links: tuple
    profiles: dict

    def __getattr__(self, name):
        return getattr(self.inner, name)


def measured(inner, profiles, rate, delay=0.0):
    tiers = tuple(profiles)
    links = tuple(Link(between=pair, rate=rate, delay=delay) for pair in pairwise(tiers))
    return Measured(inner, Placement(tiers=tiers), links, profiles)


def give(pipeline, here, rows=2):
    inputs = {"input": np.random.default_rng(0).standard_normal((rows, 8)).astype("f4")}
    return here.run(pipeline, inputs)["logits"]


def narrowing():
    """Five products, t2 being the narrowest tensor of all."""
    pipeline = chain(8, 8, 8, 8, 8)
    graph = pipeline.stages[0].live.graph
    graph.initializer[2].CopyFrom(numpy_helper.from_array(np.full((2, 8), 0.1, "f4"), "w2"))
    graph.initializer[3].CopyFrom(numpy_helper.from_array(np.full((8, 2), 0.1, "f4"), "w3"))
    return pipeline


def profile(pipeline, seconds):
    """A profile by the nodes of the only stage; the names are those of what they write."""
    nodes = pipeline.stages[0].live.graph.node
    for node in nodes:
        node.name = f"make {node.output[0]}"
    named = {node.name: took for node, took in zip(nodes, seconds, strict=True) if took}
    return Profile(stages=[sum(seconds)], nodes=[named])


def test_the_least_is_sent(context):
    done = OPERATOR.apply(narrowing(), context(PartitionOptions(choose="min-transfer")))
    assert [spec.name for spec in done.stages[0].outputs] == ["t2"]


@pytest.mark.parametrize("pieces", [2, 3])
@pytest.mark.parametrize("whole", [True, False], ids=["one stage", "two stages"])
def test_what_was_chosen_is_noted_as_the_text_that_cuts_there(context, whole, pieces):
    pipeline = chain(8, 8, 8, 8, 8) if whole else in_two_stages()
    here = context(PartitionOptions(pieces=pieces))
    done = OPERATOR.apply(pipeline, here)
    again = OPERATOR.apply(
        pipeline, context(PartitionOptions(tensor=here.chosen["tensor"], pieces=pieces))
    )
    assert again.cuts == done.cuts
    written = [[spec.name for spec in stage.outputs] for stage in done.stages]
    assert [[spec.name for spec in stage.outputs] for stage in again.stages] == written
    assert here.chosen["bytes"] == 8 * 4


def rename(pipeline, before, after):
    for node in pipeline.stages[0].live.graph.node:
        for names in (node.input, node.output):
            names[:] = [after if name == before else name for name in names]
    return pipeline


@pytest.mark.parametrize("name", ["m/Relu;m/BiasAdd", "a+b", "a b", "a@1"])
@pytest.mark.parametrize("pieces", [2, 3])
def test_names_that_hold_what_joins_them_are_noted_as_they_are_asked_for(context, name, pieces):
    """Graphs that were made by others have such names, those of TensorFlow Lite with `;`."""
    here = context(PartitionOptions(choose="min-transfer", pieces=pieces))
    done = OPERATOR.apply(rename(narrowing(), "t2", name), here)
    asked = PartitionOptions(tensor=here.chosen["tensor"], pieces=pieces)
    again = OPERATOR.apply(rename(narrowing(), "t2", name), context(asked))
    ports = [[spec.inside for spec in stage.outputs] for stage in done.stages]
    assert [[spec.inside for spec in stage.outputs] for stage in again.stages] == ports
    assert [name] in ports


@pytest.mark.parametrize(
    ("rate", "crossing"), [(1e9, "t0"), (5e3, "t2")], ids=["fast link", "slow link"]
)
def test_the_cut_follows_the_nodes_and_the_link(context, rate, crossing):
    """The first node is quick on mobile, all others are on edge."""
    pipeline = narrowing()
    here = context(PartitionOptions(choose="min-latency"))
    profiles = {
        "mobile": profile(pipeline, [1e-3, 9e-3, 9e-3, 9e-3, 9e-3]),
        "edge": profile(pipeline, [8e-3, 1e-3, 1e-3, 1e-3, 1e-3]),
    }
    done = OPERATOR.apply(pipeline, measured(here, profiles, rate))
    assert [spec.name for spec in done.stages[0].outputs] == [crossing]


def test_a_call_that_was_disturbed_makes_no_node_slower(context):
    """All nodes are quicker on edge, where other programs held up whole runs of them."""
    pipeline = narrowing()
    disturbed = attrs.evolve(profile(pipeline, [1e-3] * 5), stages=[40e-3])
    profiles = {"mobile": profile(pipeline, [2e-3] * 5), "edge": disturbed}
    here = context(PartitionOptions(choose="min-latency"))
    done = OPERATOR.apply(pipeline, measured(here, profiles, 1e9))
    assert [spec.name for spec in done.stages[0].outputs] == ["t0"]


def doubts_of(context, tiers, rate, delay=0.0):
    """What is noted where a cut is chosen: by tier the times of five nodes, and facts of requests.

    Inputs and what most nodes write are of 32 bytes.
    """
    pipeline = narrowing()
    profiles = {
        tier: attrs.evolve(profile(pipeline, took), **facts)
        for tier, (took, facts) in tiers.items()
    }
    here = context(PartitionOptions(choose="min-latency", pieces=len(tiers)))
    OPERATOR.apply(pipeline, measured(here, profiles, rate, delay))
    return [doubt for doubt in here.doubts if doubt.startswith("no cut")]


def test_no_cut_is_better_where_the_last_tier_is_quicker_at_all(context):
    """10 ms are spared by not making the tensors on mobile, 8 ms by not running the first node."""
    mobile = [9e-3] * 5, {"request_bytes": 64, "preprocess_s": 20e-3}
    edge = [1e-3] * 5, {"preprocess_s": 10e-3}
    (doubt,) = doubts_of(context, {"mobile": mobile, "edge": edge}, 1e9)
    assert doubt == (
        "no cut is predicted to answer before the whole on edge: the one that was chosen takes "
        "18 ms more, and what calling another piece takes"
    )


def test_no_cut_is_better_where_the_first_tier_is_no_slower(context):
    """The 8 bytes of the narrowest tensor take 50 ms to edge, there and back 100 ms each."""
    both = [1e-3] * 5, {}
    (doubt,) = doubts_of(context, {"mobile": both, "edge": both}, 1.28e3, 0.1)
    assert doubt.startswith("no cut is predicted to answer before the whole on mobile")
    assert " takes 250 ms more" in doubt


def test_a_cut_that_sends_less_than_the_request_is_not_doubted(context):
    """The request takes 8 ms to edge, what crosses behind the first node 0.256."""
    mobile = [2e-3, 9, 9, 9, 9], {"request_bytes": 1000}
    assert doubts_of(context, {"mobile": mobile, "edge": ([1e-3] * 5, {})}, 1e6) == []


def test_where_inputs_were_made_up_the_request_is_their_tensors(context):
    """They are of as many bytes as what crosses, and the first node is slower on mobile."""
    mobile = [2e-3, 9, 9, 9, 9], {}
    assert len(doubts_of(context, {"mobile": mobile, "edge": ([1e-3] * 5, {})}, 1e6)) == 1


def test_three_pieces_are_doubted_as_two_are(context):
    slow = [9e-3] * 5, {}
    tiers = {"mobile": slow, "edge": slow, "cloud": ([1e-3] * 5, {})}
    (doubt,) = doubts_of(context, tiers, 1e9)
    assert "before the whole on cloud: the one that was chosen takes 16 ms more" in doubt


def test_three_tiers_each_take_what_they_are_quick_at(context):
    pipeline = chain(8, 8, 8, 8, 8)
    here = context(PartitionOptions(choose="min-latency", pieces=3))
    profiles = {
        "mobile": profile(pipeline, [1e-3, 9e-3, 9e-3, 9e-3, 9e-3]),
        "edge": profile(pipeline, [9e-3, 1e-3, 1e-3, 9e-3, 9e-3]),
        "cloud": profile(pipeline, [9e-3, 9e-3, 9e-3, 1e-3, 1e-3]),
    }
    done = OPERATOR.apply(pipeline, measured(here, profiles, 1e9))
    assert [stage.outputs[0].name for stage in done.stages] == ["t0", "t2", "logits"]
    assert done.cuts == (1, 2)
    np.testing.assert_array_equal(give(done, context()), give(pipeline, context()))


def test_nodes_that_a_runtime_fused_count_with_the_one_it_names(context):
    """Nothing is said of t1, nor of a name that only holds that of a node."""
    pipeline = chain(8, 8, 8, 8)
    quick = profile(pipeline, [1e-3] * 4)
    known = {"make t0_fused": 2e-3, "make t2": 2e-3, "logits": 2e-3}
    slow = Profile(stages=[12e-3], nodes=[known])
    here = context(PartitionOptions(choose="min-latency"))
    done = OPERATOR.apply(pipeline, measured(here, {"mobile": slow, "edge": quick}, 1e12))
    assert done.stages[0].outputs[0].name == "t1"


@pytest.mark.parametrize("links", [(), (Link(between=("edge", "cloud"), rate=1e6),)])
def test_a_prediction_without_links_is_refused(context, links):
    pipeline = chain(8, 8)
    one = profile(pipeline, [1e-3, 1e-3])
    here = measured(
        context(PartitionOptions(choose="min-latency")), {"mobile": one, "edge": one}, 1e6
    )
    here.links = links
    with pytest.raises(ChainError, match="needs the links from mobile to edge, and there are none"):
        OPERATOR.apply(pipeline, here)


@pytest.mark.parametrize(
    ("options", "needs"),
    [
        (PartitionOptions(), {"run"}),
        (PartitionOptions(choose="min-transfer"), {"run"}),
        (PartitionOptions(choose="min-latency"), {"run", "profile", "placement", "links"}),
        (PartitionOptions(tensor="a"), {"run"}),
    ],
)
def test_only_a_prediction_needs_to_know_where_it_runs(options, needs):
    assert OPERATOR.needed(options) == needs


def test_three_pieces_share_the_weights(context):
    pipeline = chain(8, 8, 8, 8, 8, 8)
    options = PartitionOptions(pieces=3)
    done = OPERATOR.apply(pipeline, context(options))
    assert done.cuts == (1, 2)
    assert OPERATOR.cuts(options) == 2
    assert [stage.parameters for stage in done.stages] == [128, 128, 128]
    np.testing.assert_array_equal(give(done, context()), give(pipeline, context()))


def test_a_graph_of_two_nodes_has_no_three_pieces(context):
    with pytest.raises(ChainError, match="cannot be cut in 3: no two cuts lie one behind"):
        OPERATOR.apply(chain(8, 8), context(PartitionOptions(pieces=3)))


def test_three_pieces_are_found_where_the_best_cuts_are_the_same(context, monkeypatch):
    """The narrowest tensor is the best of all for either cut, and can be taken for one."""
    asked = PartitionOptions(choose="min-transfer", pieces=3)
    wanted = OPERATOR.apply(narrowing(), context(asked))
    monkeypatch.setattr("edgebench_kit.onnx.pipeline_cuts.COMPARED", 1)
    found = OPERATOR.apply(narrowing(), context(asked))
    crossing = [[spec.name for spec in stage.outputs] for stage in found.stages]
    assert crossing == [[spec.name for spec in stage.outputs] for stage in wanted.stages]
    assert ["t2"] in crossing


@pytest.mark.parametrize("text", ["t0;t2", " t0 ; t2 "])
def test_several_cuts_are_named(context, text):
    done = OPERATOR.apply(chain(8, 8, 8, 8), context(PartitionOptions(pieces=3, tensor=text)))
    assert [stage.outputs[0].name for stage in done.stages] == ["t0", "t2", "logits"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("t2;t0", "nothing lies between the cuts 't2;t0', in this order"),
        ("t1;t1", "nothing lies between"),
    ],
)
def test_cuts_that_are_out_of_order_are_refused(context, text, why):
    with pytest.raises(ChainError, match=why):
        OPERATOR.apply(chain(8, 8, 8, 8), context(PartitionOptions(pieces=3, tensor=text)))


def side_by_side():
    """Two products that read one tensor, and their sum."""
    pipeline = chain(8, 8, 8)
    graph = pipeline.stages[0].live.graph
    graph.node[2].input[0] = "t0"
    graph.node[2].output[0] = "t2"
    graph.node.append(helper.make_node("Add", ["t1", "t2"], ["logits"]))
    return pipeline


@pytest.mark.parametrize("text", ["t1+t2", "t2 t1", "t1 + t2"])
def test_several_tensors_of_one_cut_are_named(context, text):
    pipeline = side_by_side()
    done = OPERATOR.apply(pipeline, context(PartitionOptions(tensor=text)))
    assert done.crossing(1) == ("t1", "t2")
    np.testing.assert_array_equal(give(done, context()), give(pipeline, context()))


def test_what_else_crosses_is_said_with_the_text_that_cuts_there(context):
    pipeline = side_by_side()
    with pytest.raises(ChainError) as caught:
        OPERATOR.apply(pipeline, context(PartitionOptions(tensor="t1")))
    said = str(caught.value)
    assert said == (
        "the graph cannot be cut at 't1': t0 would have to cross too; tensor=\"t0+t1\" cuts there"
    )
    offered = said.split('"')[1]
    assert OPERATOR.apply(pipeline, context(PartitionOptions(tensor=offered))).cuts == (1,)


def in_two_stages(leaves=None):
    first, second = chain(8, 8), chain(8, 8)
    middle = TensorSpec(name="middle", dtype="float32", shape=("batch", 8))
    front = attrs.evolve(
        first.stages[0], outputs=(attrs.evolve(middle, port="logits"),), exit=leaves
    )
    rest = attrs.evolve(second.stages[0], inputs=(attrs.evolve(middle, port="input"),))
    return Pipeline(model="two", variant="", stages=(front, rest), outputs=("logits",))


def test_between_two_stages_there_is_nothing_to_split(context):
    leaves = Exit(condition="middle", answer=("middle",), threshold=0.5)
    pipeline = in_two_stages(leaves)
    done = OPERATOR.apply(pipeline, context(PartitionOptions()))
    assert done.cuts == (1,)
    assert done.stages == pipeline.stages


@pytest.mark.parametrize(("text", "share"), [("t0@0", 1 / 4), ("middle", 1 / 2)])
def test_a_named_cut_of_several_stages_is_listed_with_its_shares_of_all(context, text, share):
    listed = OPERATOR.list_cuts(in_two_stages(), context(PartitionOptions(tensor=text)))
    (cut,) = listed.cuts
    assert tuple(cut.parameters) == tuple(cut.operations) == (share, 1 - share)


@pytest.mark.parametrize("text", ["t0", "t0@2", "t0@0"])
def test_a_tensor_that_two_stages_have_is_named_with_its_stage(context, text):
    pipeline = in_two_stages()
    options = context(PartitionOptions(tensor=text))
    if text == "t0@0":
        assert OPERATOR.apply(pipeline, options).cuts == (1,)
        return
    with pytest.raises(ChainError) as caught:
        OPERATOR.apply(pipeline, options)
    said = {
        "t0": "stages 0, 1 each have 't0'; tensor=\"t0@0\" means that of stage 0",
        "t0@2": "stage 2 has no 't0'; stages 0, 1 have it",
    }
    assert str(caught.value) == said[text]


def test_three_pieces_of_two_stages(context):
    pipeline = in_two_stages()
    done = OPERATOR.apply(pipeline, context(PartitionOptions(pieces=3, tensor="t0@0;middle")))
    assert done.cuts == (1, 2)
    assert [stage.outputs[0].name for stage in done.stages] == ["t0", "middle", "logits"]
    np.testing.assert_array_equal(give(done, context()), give(pipeline, context()))


def test_an_exit_stays_with_the_part_whose_answer_it_is(context):
    leaves = Exit(condition="middle", answer=("middle",), threshold=0.5)
    done = OPERATOR.apply(in_two_stages(leaves), context(PartitionOptions(tensor="t0@0")))
    assert [stage.exit for stage in done.stages] == [None, leaves, None]
    assert done.cuts == (1,)


def test_a_listed_cut_is_written_as_the_operator_that_cuts_there(residual, context):
    for cut in OPERATOR.list_cuts(residual, context(PartitionOptions())).cuts:
        (named,) = parse_chain(cut.written, {})
        assert named.name == OPERATOR.name
        done = OPERATOR.apply(residual, context(PartitionOptions(**dict(named.options))))
        crossing = [spec.name for spec in done.stages[0].outputs]
        assert crossing == [spec.name for spec in cut.crossing]


def test_the_cuts_are_listed_as_they_would_be_chosen(residual, context):
    listed = OPERATOR.list_cuts(residual, context(PartitionOptions(choose="min-transfer")))
    graph = Graph.of(residual.stages[0].live)
    assert listed.total == len(listed.cuts) == len(find_cuts(graph, 4))
    assert not listed.more
    sent = [cut.bytes for cut in listed.cuts]
    assert sent == sorted(sent)
    for cut in listed.cuts:
        assert sum(cut.operations) == pytest.approx(1)
        assert 1 - 1e-9 <= sum(cut.parameters) < 2
        assert cut.exact


def open_sized():
    """Products of words whose number is open, narrowed at t1."""
    widths = (8, 8, 2, 8)
    specs = [
        TensorSpec(name=name, dtype="float32", shape=("batch", "words", 8))
        for name in ("input", "logits")
    ]
    names = ["input", "t0", "t1", "logits"]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", [before, f"w{number}"], [after], f"make {after}")
            for number, (before, after) in enumerate(pairwise(names))
        ],
        "words",
        *(
            [helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, spec.shape)]
            for spec in specs
        ),
        [
            numpy_helper.from_array(np.full(shape, 0.1, "f4"), f"w{number}")
            for number, shape in enumerate(pairwise(widths))
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    stage = chain(8, 8).stages[0].changed(made, inputs=specs[:1], outputs=specs[1:])
    return Pipeline(model="words", variant="", stages=(stage,), outputs=("logits",))


def test_sizes_that_are_open_are_said_with_what_they_are_counted_with(context):
    listed = OPERATOR.list_cuts(open_sized(), context(PartitionOptions(choose="min-transfer")))
    assert listed.assumed == {"words": 64}
    assert listed.cuts[0].bytes == 4 * 2 * 64
    here = context(PartitionOptions(choose="min-transfer"))
    OPERATOR.apply(open_sized(), here)
    (doubt,) = here.doubts
    assert "counted with words = 64, which the model leaves open" in doubt
    here = context(PartitionOptions())
    OPERATOR.apply(open_sized(), here)
    assert not here.doubts


@pytest.mark.parametrize(("words", "crossing"), [(4, "t0"), (400, "t1")])
def test_a_prediction_counts_bytes_for_the_inputs_that_were_profiled(context, words, crossing):
    """What crosses at t0 is wide, and to get to t1 takes longer on mobile."""
    pipeline = open_sized()
    here = context(PartitionOptions(choose="min-latency"))
    seconds = {"mobile": [0, 2e-3, 1], "edge": [0, 0, 0]}
    profiles = {
        tier: attrs.evolve(profile(pipeline, took), sizes={"words": words}, request_bytes=10**6)
        for tier, took in seconds.items()
    }
    done = OPERATOR.apply(pipeline, measured(here, profiles, 1e6))
    assert done.stages[0].outputs[0].name == crossing
    assert not here.doubts


def test_more_than_a_million_are_said_to_be_more(monkeypatch, residual):
    monkeypatch.setattr("edgebench_kit.onnx.cut_lists.MOST_COUNTED", 7)
    finder = CutFinder(graph=Graph.of(residual.stages[0].live))
    assert finder.count() == (7, True)
    assert len(finder.rank(lambda _: []).cuts) == 7
