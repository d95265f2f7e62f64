"""Puts a run on one page that needs nothing else: what it says, its charts, and their script."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.html.cuts import draw_cuts, find_curves
from edgebench_kit.html.latencies import draw_blocks, draw_parts
from edgebench_kit.html.networks import draw_sweep
from edgebench_kit.html.plots import FAINT, INK, Chart
from edgebench_kit.html.rows import FILTERS, list_heads, list_rows, number_cases
from edgebench_kit.html.script import find_charting, find_own
from edgebench_kit.html.sweeps import find_sweeps
from edgebench_kit.html.tradeoffs import draw_tradeoff
from edgebench_kit.reports.answers import describe_run, find_answers, name_run, place_run
from edgebench_kit.reports.notes import (
    describe_agreements,
    describe_assignments,
    describe_places,
    describe_precisions,
    describe_subjects,
    group_unmeasured,
    name_strategy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edgebench import Result, RunResults

MOST_GROUPS = 12
"""The charts of as many models, or conditions of one, are drawn: a page has to open at once."""
NOT_READABLE = "not readable here"


@attrs.frozen(kw_only=True)
class Group:
    """The charts of the strategies of one model under one set of conditions."""

    title: str
    charts: tuple[Chart, ...]


@attrs.frozen(kw_only=True)
class Doubted:
    """The reasons to doubt that are about the same."""

    name: str
    count: int
    """Of cases."""
    kinds: tuple[tuple[str, tuple[str, ...]], ...]
    """The worst of each kind, and the cases that have it."""


def make_page(results: RunResults) -> str:
    """Return the report of a run as one document of HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # `autoescape` for all: whatever a template says, what comes from a run is shown as text.
    environment = Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # What a chart refers to stands before the reference: it is not to be sorted.
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    template = environment.get_template("report.html")
    return template.render(_describe(results))


def _describe(results: RunResults) -> dict[str, Any]:
    """Return what the template is told."""
    document = describe_run(results)
    cases = document["cases"]
    numbers = number_cases(cases)
    rows = list(list_rows(document, numbers))
    found = {result.case.id: result for result in results.results}
    groups = list(_draw_groups(document, found, numbers))
    sweeps = [draw_sweep(f"sweep-{at}", one) for at, one in enumerate(find_sweeps(cases))]
    cuts = list(_draw_cuts(document, numbers))
    drawn = bool(groups or sweeps or cuts)
    return {
        "document": document,
        "title": name_run(document),
        "facts": dict(_list_facts(document)),
        "answers": list(find_answers(document)),
        "groups": groups,
        "left": max(0, len(document["decisions"]) - MOST_GROUPS),
        "sweeps": sweeps,
        "cuts": cuts,
        "heads": list(list_heads(cases)),
        "rows": rows,
        "choices": {name: sorted({row.filters[name] for row in rows}) for name in FILTERS},
        "unmeasured": list(group_unmeasured(cases)),
        "doubts": list(_list_doubts(document, numbers)),
        "surprises": list(_list_surprises(document, numbers)),
        "places": list(describe_places(cases)),
        "precisions": list(describe_precisions(cases)),
        "subjects": list(describe_subjects(cases)),
        "agreements": list(describe_agreements(cases)),
        "assignments": list(describe_assignments(cases)),
        "environment": dict(_flatten(document["environment"])),
        "colours": {"ink": INK, "faint": FAINT},
        "style": files(__package__ or "").joinpath("templates", "report.css").read_text("utf-8"),
        "charting": find_charting() if drawn else None,
        "own": find_own(),
    }


@attrs.frozen(kw_only=True)
class Surprising:
    """What surprises of some cases, and why it may be."""

    text: str
    reasons: tuple[str, ...]
    names: tuple[str, ...]


def _draw_groups(
    document: Mapping[str, Any], results: Mapping[str, Result], numbers: Mapping[str, int]
) -> Iterator[Group]:
    by_id = {case["id"]: case for case in document["cases"]}
    for at, decision in enumerate(document["decisions"][:MOST_GROUPS]):
        cases = [by_id[one] for one in decision["cases"]]
        charts = (
            draw_tradeoff(f"tradeoff-{at}", cases, decision, numbers),
            draw_blocks(f"blocks-{at}", cases, results, numbers),
            draw_parts(f"parts-{at}", cases, numbers),
        )
        yield Group(title=decision["title"], charts=tuple(filter(None, charts)))


def _draw_cuts(document: Mapping[str, Any], numbers: Mapping[str, int]) -> Iterator[Chart]:
    by_subject: dict[str, list[Any]] = {}
    for curve in find_curves(document["cases"]):
        by_subject.setdefault(curve.subject, []).append(curve)
    for at, (subject, curves) in enumerate(by_subject.items()):
        yield draw_cuts(f"cuts-{at}", subject, curves, numbers)


def _list_facts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is known of the run as a whole."""
    found = Counter(case["status"] for case in document["cases"])
    yield "run", document["run"]
    if document["tag"]:
        yield "tag", document["tag"]
    yield "started", document["started"]
    yield "finished", document["finished"] or "not finished"
    statuses = ", ".join(f"{many} {status}" for status, many in found.most_common())
    yield "cases", statuses or "none"
    yield "on", place_run(document)
    if document["arguments"]:
        yield "command", " ".join(["edgebench", *document["arguments"]])
    yield "margin of latency", f"{document['margin']:.1%}"
    if document["accuracy_margin"]:
        yield "margin of accuracy", f"{document['accuracy_margin']:g} points"
    yield "seed", str(document["seed"])
    yield "registry", document["registry_digest"][:12]


def _name_cases(document: Mapping[str, Any], numbers: Mapping[str, int]) -> Mapping[str, str]:
    return {
        case["id"]: f"#{numbers[case['id']]} {name_strategy(case)}" for case in document["cases"]
    }


def _list_surprises(
    document: Mapping[str, Any], numbers: Mapping[str, int]
) -> Iterator[Surprising]:
    names = _name_cases(document, numbers)
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for one in document["surprises"]:
        alike = found.setdefault((one["text"], tuple(one["reasons"])), [])
        alike.append(names[one["case"]])
    for (text, reasons), listed in found.items():
        yield Surprising(text=text, reasons=reasons, names=tuple(listed))


def _list_doubts(document: Mapping[str, Any], numbers: Mapping[str, int]) -> Iterator[Doubted]:
    names = _name_cases(document, numbers)
    for cause in document["doubts_by_cause"]:
        kinds = [
            (kind["text"], tuple(names[one] for one in kind["cases"])) for kind in cause["kinds"]
        ]
        yield Doubted(name=cause["name"], count=len(cause["cases"]), kinds=tuple(kinds))


def _flatten(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the facts of a machine as people write them."""
    for name, value in values.items():
        words = name.removesuffix("_bytes").removesuffix("_hz").removesuffix("_s").replace("_", " ")
        if isinstance(value, dict):
            listed = (f"{part} {version}" for part, version in value.items() if version)
            yield words, ", ".join(listed)
        else:
            yield words, _write_fact(name, value)


def _write_fact(name: str, value: Any) -> str:
    if value is None or value == "":
        return NOT_READABLE
    if isinstance(value, list | tuple):
        joined = " to " if name.endswith("_hz") else ", "
        return joined.join(dict.fromkeys(_write_fact(name, one) for one in value)) or "none"
    if name.endswith("_bytes"):
        return f"{value / 2**30:.3g} GiB"
    if name.endswith("_hz"):
        return f"{value / 1e9:.3g} GHz"
    return f"{value:g} s" if name.endswith("_s") else str(value)
