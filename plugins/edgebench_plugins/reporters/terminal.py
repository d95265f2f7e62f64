"""Results as tables for a terminal: 60 columns do, and more are used.

The answer stands last, where the prompt returns; above it what it rests on.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Reporter, hookimpl
from edgebench_kit.reports.answers import describe_run, find_answers, name_run
from edgebench_kit.reports.notes import (
    describe_agreements,
    describe_assignments,
    describe_doubts,
    describe_ends,
    describe_places,
    describe_precisions,
    describe_subjects,
    describe_surprises,
    group_unmeasured,
    list_doubts,
)
from edgebench_kit.terminal.operators import lay_out_exits, lay_out_operators
from edgebench_kit.terminal.predicted import describe_predicted
from edgebench_kit.terminal.questions import lay_out_questions
from edgebench_kit.terminal.tables import explain_tables, lay_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.text import Text

    from edgebench import RunResults


DOUBTS = 3
"""As many reasons to doubt an answer stand below it."""


@attrs.frozen
class Report:
    """A run, laid out when the width is known.

    *document* is what `run --json` prints, with the `subject` of each case.
    """

    document: Mapping[str, Any]
    in_full: bool = False
    """Whether each reason to doubt is printed, and not only the worst of its kind."""
    by_operator: bool = False
    """Whether what each operator did stands in place of the answer and what it rests on."""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Yield the title and what the figures rest on, then the tables, then the answer."""
        from rich.text import Text

        cases = self.document["cases"]
        yield Text(_title(self.document), style="bold")
        if self.by_operator or self.document["questions"]:
            yield from self._lay_out_asked(options.max_width)
            return
        yield from _section("Weights and inputs", describe_subjects(cases))
        yield from _section("What is not computed in f32", describe_precisions(cases))
        yield from _section("How tiers and links were made", describe_places(cases))
        yield from _section("Not measured, or not to the end", group_unmeasured(cases))
        yield from _section("Why no more blocks were added", describe_ends(self.document))
        doubts = list_doubts(cases) if self.in_full else describe_doubts(self.document)
        yield from _section("Reasons to doubt", doubts)
        yield from _section("Agreement with another runtime", describe_agreements(cases))
        if self.in_full:
            yield from _section("What runs the nodes", describe_assignments(cases))
        surprises = describe_surprises(self.document, [case["id"] for case in cases])
        yield from _section("What surprises, and why it may be", surprises)
        yield from _section("Predictions, and what was measured", describe_predicted(cases))
        yield from self._decide(options.max_width)

    def _lay_out_asked(self, width: int) -> Iterator[RenderableType]:
        """Yield what was asked for in place of the rest."""
        from rich.text import Text

        if self.by_operator:
            yield from lay_out_operators(self.document, width)
            if not self.document["operators"]:
                yield Text("\nno case of this run has steps on record")
        if self.document["questions"]:
            yield from lay_out_questions(self.document["questions"], in_full=self.in_full)

    def _decide(self, width: int) -> Iterator[RenderableType]:
        from rich.text import Text

        by_id = {case["id"]: case for case in self.document["cases"]}
        decisions = self.document["decisions"]
        for decision in decisions:
            yield Text(f"\n{decision['title']}", style="bold")
            found = [by_id[one] for one in decision["cases"]]
            yield from lay_out(found, decision, width)
            for case in found:
                yield from lay_out_exits(case)
        if decisions:
            yield Text(f"\n{explain_tables(self.document, width)}", style="dim")
        yield from _section("Answer", _list_answers(self.document))


def _list_answers(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield each answer, what it gains, and what touches it: a few lines each."""
    for answer in find_answers(document):
        yield f"{answer.title}: {answer.words}"
        if answer.gain:
            yield f"  {answer.gain}"
        for doubt in answer.doubts[:DOUBTS]:
            yield f"  doubt: {doubt}"
        if (left := len(answer.doubts) - DOUBTS) > 0:
            yield f"  and {left} more doubt{'s' * (left > 1)}"


def _title(document: Mapping[str, Any]) -> str:
    imported = f"imported from {document['source']}" if document["source"] else ""
    tag = f", tag {document['tag']}" if document["tag"] else ""
    where = document["environment"].get("processor") or "a processor not readable here"
    on = f"on {where}" if not imported else imported if document["suite"] else "not measured here"
    found = Counter(case["status"] for case in document["cases"])
    count = len(document["cases"])
    statuses = ", ".join(f"{many} {status}" for status, many in found.most_common())
    return (
        f"{name_run(document)}, run {document['run']}{tag}, {count} case{'s' * (count != 1)}"
        f"{f' ({statuses})' * bool(found)}, {on}"
    )


def _section(title: str, lines: Iterable[str]) -> Iterator[Text]:
    from rich.text import Text

    for number, line in enumerate(lines):
        if number == 0:
            yield Text(f"\n{title}", style="bold")
        yield Text(line)


def render(results: RunResults) -> Report:
    """Lay out a run for a terminal."""
    document = describe_run(results)
    return Report(document, in_full=results.in_full, by_operator=results.by_operator)


@hookimpl
def edgebench_reporters() -> Iterator[Reporter]:
    """Offer the terminal reporter."""
    yield Reporter(
        name="terminal",
        summary="Tables for a terminal.",
        render=render,
        shows=("operators", "questions"),
    )
