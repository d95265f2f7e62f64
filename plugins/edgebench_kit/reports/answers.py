"""Puts the answer of each model in a few lines: the best, what it gains, what touches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.reports.notes import name_strategy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edgebench import RunResults
    from edgebench_kit.reports.figures import Case


@attrs.frozen(kw_only=True)
class Answer:
    """The answer for one model under one set of conditions."""

    title: str
    """Model and variant, and what sets the conditions apart."""
    words: str
    """The decision in words."""
    gain: str = ""
    """How much faster it is than doing nothing; empty where nothing was measured to tell."""
    doubts: tuple[str, ...] = ()
    """Reasons to doubt the best, the worst first."""
    best: str | None = None
    """The id of the case that is the best; None where that is not decided."""


def describe_run(results: RunResults) -> dict[str, Any]:
    """Return the document of a run, each case with its `subject`: the model as it is written."""
    document = results.to_json()
    subjects = {result.case.id: result.case.subject for result in results.results}
    cases = [{**case, "subject": subjects[case["id"]]} for case in document["cases"]]
    return {**document, "cases": cases}


def name_run(document: Mapping[str, Any]) -> str:
    """Return what a run is called: its suite, or where it comes from; and whether it is quick."""
    imported = f"imported from {document['source']}" if document["source"] else ""
    name = document["suite"] or imported or "cases of the command line"
    return f"{name}, a quick run" if document["quick"] else str(name)


def place_run(document: Mapping[str, Any]) -> str:
    """Return where a run was measured, as far as that is known."""
    if document["source"]:
        return f"not measured here, imported from {document['source']}"
    return document["environment"].get("processor") or "a processor not readable here"


def find_answers(document: Mapping[str, Any]) -> Iterator[Answer]:
    """Yield the answers of a run, in the order of its decisions."""
    cases = {case["id"]: case for case in document["cases"]}
    for decision in document["decisions"]:
        best = decision["fastest"]
        yield Answer(
            title=decision["title"],
            words=decision["sentence"].removeprefix(f"{decision['title']}: "),
            gain=_describe_gain(decision, cases),
            doubts=tuple(cases[best]["doubts"]) if best else (),
            best=best,
        )


def _describe_gain(decision: Mapping[str, Any], cases: Mapping[str, Case]) -> str:
    gain = decision["gain"]
    if gain is None:
        return ""
    against = cases[decision["untransformed"]]
    low, high = gain["ci95"]
    shown = "is" if low > 1 or high < 1 else "is not shown to be faster or slower:"
    # As where one was measured before a run was resumed, and the other after.
    apart = " No round holds both, so what the machine did between them is in it."
    return (
        f"It {shown} {gain['ratio']:.3g} times ({low:.3g} to {high:.3g}) as fast as doing nothing: "
        f"{_name(against)}, {against['latency_s']['median'] * 1e3:.3g} ms."
        f"{apart * (gain['rounds'] == 0)}"
    )


def _name(case: Case) -> str:
    return name_strategy(case, whole=False)
