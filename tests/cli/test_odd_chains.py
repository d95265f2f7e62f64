"""Chains that somebody may think of: planned where they can be, and else refused with the reason."""

from __future__ import annotations

import pytest

DYNAMIC = "early-exit(mode=dynamic)"
AGAIN = {
    "partition+partition": ("partition", "partition", "cut"),
    "sptq+qat": ("qat", "sptq", "in reduced precision"),
    "sptq+dynamic-quantization": ("dynamic-quantization", "sptq", "in reduced precision"),
    "fp16+sptq": ("sptq", "fp16", "in reduced precision"),
    "early-exit+early-exit": ("early-exit", "early-exit", "given early exits"),
    "distill+prune+distill": ("distill", "distill", "a student"),
    "qe+sptq": ("sptq", "sptq", "in reduced precision"),
}
"""What is done a second time, after what, and what it is by then."""
BEHIND = {f"qat+{DYNAMIC}": "early-exit", "qat+prune": "prune", "sptq+distill": "distill"}
"""Who reads torch modules, where a graph is all that there is."""
POSSIBLE = (
    *("early-exit+prune+partition", "distill+prune+sptq+partition", "partition+sptq"),
    *("prune+prune", "identity+identity", "prune+qat", f"{DYNAMIC}+qat+fuse-exits", "distill+fp16"),
    *("qe", "qep", "dsptq", "sptq-partition", "partition(pieces=3)+dynamic-quantization"),
)


@pytest.fixture
def plan(here):
    """Plan chains of one model on one, two and three tiers; cases by chain, and reasons by it."""

    def run(*chains, model="bert:small"):
        words = [word for chain in chains for word in ("--operator", chain)]
        for tiers in ("mobile", "mobile-edge", "mobile-edge-cloud"):
            words += ["--placement", tiers]
        said = here("plan", "--json", "--model", model, "--backend", "onnxruntime", *words).json
        reasons: dict[str, list[str]] = {}
        for one in said["skipped"]:
            if " needs " not in one["reason"]:  # another number of pieces
                reasons.setdefault(one["chain"], []).append(one["reason"])
        return said["cases"], reasons

    return run


def test_what_is_done_already_is_said_with_what_did_it(plan):
    cases, reasons = plan(*(chain for chain in AGAIN if not chain.startswith("qe")), "qe+sptq")
    assert cases == []
    said = [
        f"{name} cannot be applied to bert after {before}: it is {already} already"
        for name, before, already in AGAIN.values()
    ]
    told = {reason for found in reasons.values() for reason in found}
    assert {reason.partition(";")[0] for reason in told} == set(said)


def test_what_trains_does_not_come_behind_a_graph_and_the_order_that_works_is_said(plan):
    cases, reasons = plan(*BEHIND)
    assert cases == []
    for chain, name in BEHIND.items():
        first = chain.partition("+")[0]
        form = "torch-program" if first == "qat" else "onnx"
        way = f"no converter from {form} to torch-module, which {name} reads; {first} gives {form}"
        assert reasons[chain] == [f"{way}, so {name} must come before {first}"]


@pytest.mark.parametrize("model", ["bert:small", "resnet:small", "fcn:small"])
@pytest.mark.process
def test_all_others_are_planned_each_where_it_has_as_many_pieces(plan, model):
    cases, reasons = plan(*POSSIBLE, model=model)
    assert reasons == {}
    pieces = sorted(len(case["placement"].split("-")) for case in cases)
    assert pieces == [1] * 7 + [2] * 5 + [3]


def test_a_model_without_a_student_is_told_of_both_ways_to_name_one(plan):
    _, reasons = plan("dsptq", "distill+prune", model="resnet:tiny")
    (reason,) = {reason for found in reasons.values() for reason in found}
    assert reason == (
        "distill: resnet:tiny names no student; say student=MODEL:VARIANT, or have its plugin say "
        "Variant(student=...)"
    )
