"""A comparison laid out: for a terminal, for a pull request, for a build server."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgebench.analysis.markdown import escape_markdown
from edgebench.cli.comparison_words import (
    FIRST,
    HEAD,
    list_lines,
    list_others,
    list_surroundings,
    list_unmatched,
    write_answer,
    write_change,
    write_gate_answer,
    write_passage,
    write_run,
)

if TYPE_CHECKING:
    from edgebench.analysis.comparison import Change, Comparison
    from edgebench.analysis.gates import Passage

HOLM = (
    "The intervals are of each case alone; slower and faster hold for all cases at once, figure by "
    "figure (Holm). "
    "Blocks of the two runs were measured at different times: what the machine did meanwhile is "
    "in the difference."
)
NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document may hold."""


def lay_out(
    comparison: Comparison, passages: Sequence[Passage], *, strict: bool, in_full: bool
) -> Any:
    """Lay a comparison out for a terminal: what differs first, the answer last."""
    from rich.console import Group
    from rich.text import Text

    from edgebench.cli.tables import table

    names = comparison.names
    first = list_lines(comparison.list_changes(FIRST), names)
    parts: list[Any] = [
        Text(f"before: {write_run(comparison.before)}"),
        Text(f"after:  {write_run(comparison.after)}"),
        *map(Text, _list_with_head("what differs beside", list_surroundings(comparison))),
        table(FIRST, HEAD, [one.cells for one in first]),
    ]
    others = list_others(comparison)
    if in_full:
        named = dict.fromkeys(one.quantity.name for one in comparison.changes)
        for name in list(named)[1:]:
            lines = list_lines(comparison.list_changes(name), names)
            parts.append(table(name, HEAD, [one.cells for one in lines]))
    else:
        said = [_describe(one, names) for one in others]
        parts += map(Text, _list_with_head("other figures that changed", said))
    parts += map(Text, _list_with_head("not compared", list(list_unmatched(comparison))))
    parts += [Text(HOLM, style="dim"), Text(write_answer(comparison), style="bold")]
    if passages:
        shown = [one for one in passages if in_full or one.verdict != "kept"]
        parts += [Text(f"  {write_passage(one, names)}") for one in shown]
        parts.append(Text(write_gate_answer(passages, strict=strict), style="bold"))
    return Group(*parts)


def _list_with_head(head: str, lines: Sequence[str]) -> list[str]:
    return [f"{head}:", *(f"  {line}" for line in lines)] if lines else []


def _describe(change: Change, names: Mapping[str, str]) -> str:
    what, name = f"{change.quantity.name} {change.verdict}", names[change.case.id]
    return f"{what}: {name}: {write_change(change)}"


# --- Markdown ------------------------------------------------------------------------------------


def write_markdown(comparison: Comparison, passages: Sequence[Passage], *, strict: bool) -> str:
    """Write a comparison for a pull request: the answer first."""
    names = comparison.names
    lines = ["### edgebench compare", "", escape_markdown(write_answer(comparison))]
    if passages:
        lines += ["", escape_markdown(write_gate_answer(passages, strict=strict)), ""]
        lines += [f"- {escape_markdown(write_passage(one, names))}" for one in passages]
    lines += ["", f"Before: {escape_markdown(write_run(comparison.before))}  "]
    lines += [f"After: {escape_markdown(write_run(comparison.after))}"]
    lines += _write_list("What differs beside", list_surroundings(comparison))
    lines += ["", f"**{FIRST}**", "", _write_row(HEAD), "|" + " --- |" * len(HEAD)]
    changes = comparison.list_changes(FIRST)
    lines += [_write_row(one.cells) for one in list_lines(changes, names)]
    lines += _write_list(
        "Other figures that changed", [_describe(one, names) for one in list_others(comparison)]
    )
    lines += _write_list("Not compared", list(list_unmatched(comparison)))
    return "\n".join([*lines, "", HOLM, ""])


def _write_list(head: str, lines: Sequence[str]) -> list[str]:
    return (
        ["", f"**{head}**", "", *(f"- {escape_markdown(line)}" for line in lines)] if lines else []
    )


def _write_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(escape_markdown, cells))} |"


# --- JUnit ---------------------------------------------------------------------------------------


def write_junit(comparison: Comparison, passages: Sequence[Passage], *, strict: bool) -> str:
    """Write the gates as test cases, as build servers read them; without gates, what changed.

    The format has no schema of its own: elements and attributes are those that Jenkins' JUnit
    plugin reads (`testsuites`, `testsuite`, `testcase`, `failure`, `skipped`, `system-out`).
    """
    before, after = comparison.before.run.id, comparison.after.run.id
    suite = ET.Element("testsuite", name=_clean(f"edgebench compare {before} {after}"))
    for one in passages:
        test = _add_test(suite, comparison.names[one.case.id], one.gate.text)
        said = _clean(write_passage(one, comparison.names))
        if one.verdict == "failed" or (strict and one.verdict == "open"):
            ET.SubElement(test, "failure", message=said)
        elif one.verdict == "open":
            ET.SubElement(test, "skipped", message=said)
        else:
            ET.SubElement(test, "system-out").text = said
    for change in () if passages else comparison.list_changes(FIRST):
        test = _add_test(suite, comparison.names[change.case.id], FIRST)
        ET.SubElement(test, "system-out").text = _clean(_describe(change, comparison.names))
    for what, name in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
        suite.set(what, str(sum(1 for _ in suite.iter(name))))
    suite.set("errors", "0")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_test(suite: ET.Element, case: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=_clean(case), name=_clean(name))


def _clean(text: str) -> str:
    return NOT_XML.sub("?", text)
