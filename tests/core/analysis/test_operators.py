"""What each operator did, step by step, from the cases of a run that share a beginning."""

from __future__ import annotations

import attrs

from edgebench.analysis.operators import describe_operators
from edgebench.analysis.result import Result
from edgebench.cases.case import BackendChoice
from edgebench.records.facts import Contribution, StepFacts
from edgebench.testing.results import case_of, result_of

BUILT = StepFacts(what="built", formats=("blob",), nodes={"Conv": 4, "Relu": 4}, seconds=3.0)


def after(chain, *tiers, ms=2.0, contribution=None, artifact="a"):
    """Return a result of a chain: each of its operators has halved the activations."""
    links, steps = chain.split("+"), [BUILT]
    for number, link in enumerate(links):
        nodes = {**steps[-1].nodes, "Relu": steps[-1].nodes["Relu"] // 2, link: 1}
        steps.append(
            StepFacts(what=link, chain="+".join(links[: number + 1]), operator=True,
                      formats=("blob",), nodes=nodes)
        )  # fmt: skip
    made = result_of(case_of(chain, *tiers), median_s=ms / 1e3)
    facts = attrs.evolve(
        made.facts, steps=tuple(steps), contribution=contribution, artifact=artifact
    )
    return attrs.evolve(made, facts=facts)


def told(*results):
    """Return the entries by chain."""
    return {entry["chain"]: entry for entry in describe_operators(results)}


def test_each_step_names_the_nodes_that_changed_the_most_first():
    entry = told(after("prune+quantize"))["prune+quantize"]
    assert [step["what"] for step in entry["steps"]] == ["built", "prune", "quantize"]
    assert entry["steps"][0]["changed_nodes"] == []
    assert entry["steps"][1]["changed_nodes"] == [
        {"type": "Relu", "before": 4, "after": 2},
        {"type": "prune", "before": 0, "after": 1},
    ]


def test_nodes_of_another_format_are_not_compared():
    result = after("prune")
    other = attrs.evolve(result.facts.steps[1], formats=("graph",))
    facts = attrs.evolve(result.facts, steps=(BUILT, other))
    (entry,) = describe_operators([attrs.evolve(result, facts=facts)])
    assert entry["steps"][1]["changed_nodes"] == []


def test_a_beginning_that_is_a_case_of_the_run_says_what_it_was_worth():
    added = Contribution(operator="quantize", against="prune", case="c0")
    whole, start = after("prune+quantize", contribution=added, ms=1.0), after("prune", ms=3.0)
    steps = told(after("identity"), start, whole)["prune+quantize"]["steps"]
    assert [step["after"]["case"] is not None for step in steps] == [True, True, True]
    assert steps[1]["after"]["case"] == start.case.id
    assert steps[1]["after"]["latency_s"][0]["median"] == start.median
    assert steps[2]["after"]["contribution"]["against"] == "prune"


def test_a_beginning_that_is_none_says_how_it_would_be():
    steps = told(after("prune+quantize"))["prune+quantize"]["steps"]
    assert [step["after"]["why_not"] for step in steps] == [
        "not scored in this run: add --operator 'identity'",
        "not scored in this run: add --operator 'prune'",
        "",
    ]


def test_a_beginning_of_fewer_pieces_is_told_where_it_would_be_measured():
    steps = told(after("prune+cut", "mobile", "edge"))["prune+cut"]["steps"]
    assert [step["after"]["why_not"] for step in steps[:2]] == [
        "not scored in this run: add --operator 'identity' --placement mobile",
        "not scored in this run: add --operator 'prune' --placement mobile",
    ]


def test_a_beginning_that_does_not_fit_where_it_was_asked_for_is_told_where_it_does():
    reason = "mobile-edge needs 2 pieces, prune gives 1"
    there = Result(case=case_of("prune", "mobile", "edge"), status="skipped", reason=reason)
    whole = after("prune+cut", "mobile", "edge")
    why = f"'prune' was not scored in this run: skipped: {reason}"
    assert told(whole, there)["prune+cut"]["steps"][1]["after"]["why_not"] == (
        f"{why}; add --placement mobile"
    )
    # Where it does fit it was tried, and what is to be done is another matter.
    alone = Result(case=case_of("prune", "mobile"), status="failed", reason="no room")
    assert told(whole, there, alone)["prune+cut"]["steps"][1]["after"]["why_not"] == why


def test_tiers_with_backends_of_their_own_are_not_promised_a_beginning():
    whole = after("cut", "mobile", "edge")
    case = attrs.evolve(whole.case, backends=[BackendChoice("a"), BackendChoice("b")])
    (built, _) = told(attrs.evolve(whole, case=case))["cut"]["steps"]
    assert built["after"]["why_not"] == (
        "not scored in this run: mobile-edge has several backends, 'identity' needs one"
    )


def test_a_beginning_that_could_not_be_says_why():
    skipped = Result(case=case_of("prune"), status="skipped", reason="no trainer here")
    steps = told(after("prune+quantize"), skipped)["prune+quantize"]["steps"]
    assert steps[1]["after"]["why_not"] == (
        "'prune' was not scored in this run: skipped: no trainer here"
    )


def test_placements_of_one_artifact_share_an_entry_and_a_beginning_is_timed_where_it_ran():
    near, far = after("prune+cut", "mobile"), after("prune+cut", "edge")
    start = after("prune", "edge", ms=5.0)
    entry = told(near, far, start)["prune+cut"]
    assert entry["cases"] == [near.case.id, far.case.id]
    latencies = entry["steps"][1]["after"]["latency_s"]
    assert [(one["placement"], one["median"]) for one in latencies] == [
        ("mobile", None),
        ("edge", start.median),
    ]


def test_another_artifact_of_a_chain_is_an_entry_of_its_own():
    entries = list(describe_operators([after("cut"), after("cut", "edge", artifact="b")]))
    assert [entry["artifact"] for entry in entries] == ["a", "b"]


def test_a_result_of_an_older_version_has_no_steps_and_no_entry():
    assert list(describe_operators([result_of(case_of("cut"))])) == []
