"""Results as Markdown for a pull request: the answer first, then tables, then what to know of them.

Tables and folded parts are those of GitHub Flavored Markdown (https://github.github.com/gfm/).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench import Reporter, escape_markdown, hookimpl
from edgebench_kit.reports.answers import describe_run, find_answers, name_run, place_run
from edgebench_kit.reports.columns import list_figures
from edgebench_kit.reports.notes import (
    describe_agreements,
    describe_assignments,
    describe_doubts,
    describe_places,
    describe_precisions,
    describe_subjects,
    describe_surprises,
    group_unmeasured,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from edgebench import RunResults
    from edgebench_kit.reports.answers import Answer

MOST = 30
"""As many strategies of a model are listed, those of the lowest medians."""


def render(results: RunResults) -> str:
    """Return the report of a run."""
    return "\n".join(_lay_out(describe_run(results))) + "\n"


def _lay_out(document: Mapping[str, Any]) -> Iterator[str]:
    cases = document["cases"]
    yield f"## edgebench: {escape_markdown(name_run(document))}"
    yield ""
    answers = list(find_answers(document))
    for answer in answers:
        yield from _write_answer(answer)
    if not answers:
        yield "Nothing was measured to the end." if cases else "This run has no cases."
        yield ""
    for decision in document["decisions"]:
        yield from _write_table(decision, cases)
    surprises = describe_surprises(document, [case["id"] for case in cases])
    yield from _fold("Not measured, or not to the end", group_unmeasured(cases))
    yield from _fold("Reasons to doubt", describe_doubts(document))
    yield from _fold("What surprises, and why it may be", surprises)
    yield from _fold("How tiers and links were made", describe_places(cases))
    yield from _fold("What is not computed in f32", describe_precisions(cases))
    yield from _fold("Weights and inputs", describe_subjects(cases))
    yield from _fold("Agreement with another runtime", describe_agreements(cases))
    yield from _fold("What runs the nodes", describe_assignments(cases))
    tag = f", tag {document['tag']}" if document["tag"] else ""
    yield escape_markdown(
        f"Run {document['run']}{tag}, started {document['started']}; {place_run(document)}."
    )


def _write_answer(answer: Answer) -> Iterator[str]:
    yield f"**{escape_markdown(answer.title)}**: {escape_markdown(answer.words)}"
    if answer.gain:
        yield f"**{escape_markdown(answer.gain)}**"
    yield ""


def _write_table(decision: Mapping[str, Any], cases: Iterable[Any]) -> Iterator[str]:
    """Yield the strategies of a model: below a figure is its interval."""
    by_id = {case["id"]: case for case in cases}
    found = [by_id[one] for one in decision["cases"]]
    ranked = sorted(found, key=lambda one: (one["refuted"], one["latency_s"]["median"]))
    columns = list(list_figures(ranked, decision))
    yield f"### {escape_markdown(decision['title'])}"
    yield ""
    yield _write_row(column.head for column in columns)
    yield f"|{'|'.join('---' if column.name else '---:' for column in columns)}|"
    for case in ranked[:MOST]:
        yield _write_row(column.write(case) for column in columns)
    yield ""
    if (left := len(ranked) - MOST) > 0:
        yield f"{left} more strategies have higher medians."
        yield ""


def _write_row(cells: Iterable[str]) -> str:
    written = ("<br>".join(map(escape_markdown, cell.split("\n"))) for cell in cells)
    return f"| {' | '.join(written)} |"


def _fold(title: str, lines: Iterable[str]) -> Iterator[str]:
    listed = list(lines)
    if not listed:
        return
    yield f"<details><summary>{title}</summary>"
    yield ""
    for line in listed:
        yield f"{'  ' if line.startswith('  ') else ''}- {escape_markdown(line)}"
    yield ""
    yield "</details>"
    yield ""


@hookimpl
def edgebench_reporters() -> Iterator[Reporter]:
    """Offer the Markdown reporter."""
    yield Reporter(name="markdown", summary="Markdown, for a pull request.", render=render)
