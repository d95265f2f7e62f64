"""What surprises is told with its evidence, and what is as expected is not told."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from edgebench.records.facts import StageFacts, StepFacts
from edgebench.testing.results import case_of, result_of, run_of

STEP = StepFacts(what="built", formats=("blob",), nodes={"Conv": 8, "Relu": 8})


def result(chain, ms, *tiers, precision="f32", parameters=100, operations=1000, **facts):
    """Return a result whose one stage a tier is as told, and whose chain has those links."""
    placed = tiers or ("mobile",)
    links = chain.split("+")
    steps = [attrs.evolve(STEP, what=link, chain="+".join(links[: number + 1]), operator=True)
             for number, link in enumerate(links)]  # fmt: skip
    stages = [
        StageFacts(tier=tier, precision=precision, parameters=parameters, operations=operations)
        for tier in placed
    ]
    made = result_of(case_of(chain, *placed), median_s=ms / 1e3, spread=0.005)
    known = attrs.evolve(made.facts, steps=(STEP, *steps), stages=tuple(stages), **facts)
    return attrs.evolve(made, facts=known)


def surprises(*results, **environment):
    return run_of(results, environment=environment).surprises


PLAIN = result("identity", 4.0)


def test_integers_that_are_slower_are_explained_by_what_the_runtime_left_in_floats():
    slow = result("small", 5.0, precision="int8", remarks=("stage 0: 2 of 3 products: fc",))
    (found,) = surprises(PLAIN, slow, integer_instructions=[])
    assert found.case == slow.case.id
    assert (
        found.text == "integers are not shown to be faster than floats: 5 ms, and 4 ms of identity"
    )
    assert found.reasons[:2] == (
        "stage 0: 2 of 3 products: fc",
        "the processor has no instructions that multiply and add 8-bit integers in one step",
    )


@pytest.mark.parametrize(
    ("remarks", "environment", "words"),
    [
        (None, {}, ("was not looked at", "is not known")),
        ((), {"integer_instructions": ["avx_vnni"]},
         ("left nothing of it in floats", "not for lack of integer instructions")),
    ],
)  # fmt: skip
def test_what_was_not_looked_at_is_said(remarks, environment, words):
    (found,) = surprises(PLAIN, result("small", 5.0, precision="int8", remarks=remarks),
                         **environment)  # fmt: skip
    assert all(word in reason for word, reason in zip(words, found.reasons, strict=False))


def test_what_is_faster_does_not_surprise():
    assert surprises(PLAIN, result("small", 2.0, precision="int8")) == ()
    assert surprises(PLAIN, result("narrow", 2.0, parameters=50, operations=500)) == ()


def test_integers_are_held_against_floats_at_the_same_place_and_the_nearest_beginning():
    others = [PLAIN, result("identity", 1.0, "edge"), result("narrow", 3.0, operations=500)]
    deep = result("narrow+small", 3.5, precision="int8")
    (found,) = surprises(*others, deep)
    assert found.text.endswith("3.5 ms, and 3 ms of narrow")
    assert surprises(result("identity", 1.0, "edge"), deep) == ()


def test_fewer_operations_that_do_not_show_are_told_with_where_the_time_is():
    slow = result("narrow", 4.0, parameters=50, operations=600)
    idle = attrs.evolve(
        slow,
        blocks=tuple(
            attrs.evolve(b, phases_s={"inference-0": np.asarray(b.latency_s) * 0.1,
                                      "decode": np.asarray(b.latency_s) * 0.9})
            for b in slow.blocks
        ),
    )  # fmt: skip
    (found,) = surprises(PLAIN, idle)
    assert found.text.startswith(
        "50% fewer parameters and 40% fewer operations, and not shown to be faster"
    )
    assert "narrower layers may use the processor less well" in found.reasons[0]
    assert found.reasons[1].startswith("90% of a request is not inference, most of it processing")


@pytest.mark.parametrize(
    ("tiers", "shares", "reason"),
    [
        # Three times what it computes: the waits of inference are the slower tier's inference.
        (["mobile"], (0.2, 0.05, 0.75), ""),
        (["mobile"], (0.05, 0.2, 0.75), "80% of a request is not inference, most of it processing"),
        # Of several tiers it is not known which waited: no more than this is sure.
        (["mobile", "edge"], (0.05, 0.2, 0.75), ""),
        (["mobile", "edge"], (0.05, 0.7, 0.25), "70% of a request is not inference"),
    ],
)
def test_what_an_emulated_tier_waits_is_counted_with_what_it_slows(tiers, shares, reason):
    slow = result("small", 5.0, *tiers, precision="int8")
    names = ("inference-0", "decode", "emulated-wait-0")
    blocks = tuple(
        attrs.evolve(b, phases_s={n: b.latency_s * s for n, s in zip(names, shares, strict=True)})
        for b in slow.blocks
    )
    all_found = surprises(result("identity", 4.0, *tiers), attrs.evolve(slow, blocks=blocks))
    (found,) = [one for one in all_found if one.text.startswith("integers")]
    told = [one for one in found.reasons if "not inference" in one]
    assert len(told) == bool(reason)
    assert all(one.startswith(reason) and "emulated tier waits" in one for one in told)


@pytest.mark.parametrize(
    "changes", [{"nodes": {"Conv": 4, "Relu": 8}}, {"nodes": {}}, {"formats": ("graph",)}]
)
def test_layers_that_were_left_out_are_not_called_narrower(changes):
    short = result("shorter", 4.0, parameters=50, operations=600)
    last = attrs.evolve(short.facts.steps[-1], **changes)
    known = attrs.evolve(short.facts, steps=(*short.facts.steps[:-1], last))
    (found,) = surprises(PLAIN, attrs.evolve(short, facts=known))
    assert found.reasons == (
        "time is not in proportion to operations: what was left out may have taken little",
    )


@pytest.mark.parametrize(
    "changes",
    [{"parameters": 50, "operations": 600}, {"precision": "int8"}, {"precision": "f16"}, {}],
)
def test_where_blocks_are_too_few_to_tell_that_is_the_only_reason(changes):
    once = [attrs.evolve(one, blocks=one.blocks[:1], planned=1)
            for one in (PLAIN, result("less", 4.1, **changes))]  # fmt: skip
    (found,) = surprises(*once)
    assert found.reasons == ("too few blocks to tell: 1 measured, at least 3 are needed",)


@pytest.mark.parametrize(("left", "told"), [(93, False), (89, True)])
def test_a_few_percent_less_that_do_not_show_are_no_surprise(left, told):
    found = surprises(PLAIN, result("less", 4.0, parameters=left, operations=10 * left))
    assert bool(found) is told


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"parameters": 50}, "operations fell by 0% only"),
        ({"parameters": 50, "operations": None}, "whether operations fell is not known"),
        ({}, "as many numbers are computed as before, by the same kernels (0% fewer parameters"),
    ],
)
def test_shapes_that_did_not_shrink_are_told(changes, reason):
    (found,) = surprises(PLAIN, result("sparse", 4.0, **changes))
    assert found.reasons[0].startswith(reason)


def test_a_precision_that_changed_is_named_and_where_more_is_said_of_it():
    half = result("half", 4.0, precision="f16", operations=None)
    casts = attrs.evolve(half.facts.steps[-1], doubts=("half: 41 Casts are added",))
    told = attrs.evolve(half, facts=attrs.evolve(half.facts, steps=(STEP, casts)))
    silent, doubting = (surprises(PLAIN, one)[0] for one in (half, told))
    text = "its precision is f16 in place of f32, and it is not shown to be faster: "
    assert silent.text == f"{text}4 ms, and 4 ms of identity"
    why = (
        "a runtime that lacks kernels for f16 casts to wider numbers and back (0% fewer parameters)"
    )
    assert silent.reasons == (why,)
    assert doubting.reasons == (f"{why}; the doubts of half say more",)
    assert "zeros" not in f"{silent}{doubting}"


def test_what_runs_elsewhere_is_not_held_against_each_other():
    halves = {"parameters": 50, "operations": 500}
    cut = result("cut", 4.0, "mobile", "edge", **halves)
    assert [one.text.split()[:2] for one in surprises(PLAIN, cut)] == [["mobile", "sends"]]


def test_a_cut_that_sends_more_than_the_input_is_told():
    wide = result("cut", 4.0, "mobile", "edge")
    (found,) = surprises(wide)
    assert found.text == "mobile sends 10 kB on, and its input weighs 1.25 kB"
    assert found.reasons[0].startswith("what crosses the cut is 8.0 times as large as the input; ")
    assert "ms of network" in found.reasons[0]
    roomy = attrs.evolve(wide, facts=attrs.evolve(wide.facts, request_bytes=2e4))
    assert surprises(roomy) == ()
    # What a relay sends on is the input itself.
    assert surprises(result("identity", 4.0, "edge")) == ()


def test_what_crosses_a_cut_is_held_against_the_input_by_the_mean_of_both():
    """By hand: of texts, most of which are short, the median of what is sent is no mean."""
    wide = result("cut", 4.0, "mobile", "edge")
    sent = {"bytes_out": {"mobile": 1500.0, "answer": 100.0}}
    for mean, told in ((1200.0, False), (1300.0, True)):
        blocks = [
            attrs.evolve(block, **sent, bytes_mean={"mobile": mean, "answer": 100.0})
            for block in wide.blocks
        ]
        assert bool(surprises(attrs.evolve(wide, blocks=tuple(blocks)))) == told


@pytest.mark.parametrize(("rate", "told"), [(0.0, True), (0.004, True), (0.3, False)])
def test_an_exit_that_lets_nothing_out_is_told(rate, told):
    early = result("early", 4.0)
    stages = (*early.facts.stages, *early.facts.stages)
    early = attrs.evolve(
        early,
        facts=attrs.evolve(early.facts, stages=stages, exit_rates={"0": rate}),
        blocks=tuple(attrs.evolve(one, exit_rates={"0": 0.5}) for one in early.blocks),
    )
    found = surprises(early)
    assert bool(found) is told
    if told:
        assert found[0].text == f"exit 0 on mobile lets out {rate:.1%} of 500 scored samples"
    unlabelled = attrs.evolve(early, facts=attrs.evolve(early.facts, figures=()))
    assert surprises(unlabelled) == ()
