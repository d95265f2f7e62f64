"""The tables of a terminal report: the strategies of a model, and where their time goes."""

from __future__ import annotations

from itertools import groupby, zip_longest
from operator import itemgetter
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from edgebench_kit.reports.columns import (
    COLD,
    ONE_TABLE,
    PEAK,
    SENT,
    Column,
    list_figures,
    list_parts,
    name_shortly,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import RenderableType
    from rich.text import Text

    from edgebench_kit.reports.figures import Case


def lay_out(
    cases: Sequence[Case], decision: Mapping[str, Any], width: int
) -> Iterator[RenderableType]:
    """Yield what the strategies of one model share, their table, and the parts of their time.

    The fastest stands first. What computes another model is no strategy for this one, however fast
    it is, and stands last.
    """
    from rich.text import Text

    ranked = sorted(cases, key=lambda one: (one["refuted"], one["latency_s"]["median"]))
    digits = len(str(len(ranked)))
    numbers = {case["id"]: f"{number:>{digits}}" for number, case in enumerate(ranked, 1)}
    if shared := _describe_shared(cases):
        yield Text(shared, style="dim")
    number = Column("#".rjust(digits), lambda case: numbers[case["id"]], name=True)
    columns = [number, *list_figures(ranked, decision)]
    if width >= ONE_TABLE:
        yield from _table(ranked, [*columns, *list_parts(width)], decision, width)
        return
    yield from _table(ranked, columns, decision, width)
    if any(case["groups_s"] for case in cases):
        name = Column("median ms of", name_shortly, name=True)
        yield Text("")
        yield from _table(ranked, [number, name, *list_parts(width)], decision, width)


def explain_tables(document: Mapping[str, Any], width: int) -> str:
    """Say what the tables show, and which loss of accuracy counts as none."""
    said = [_EVERY, *_explain_accuracy(document), _PARTS]
    said += [text for least, text in _WIDE.items() if least <= width]
    return " ".join([*said, _MARKS])


def _explain_accuracy(document: Mapping[str, Any]) -> Iterator[str]:
    if margin := document["accuracy_margin"]:
        yield (
            "lost points: of accuracy, against the untransformed pipeline. Accuracy is shown to be "
            f"kept where the whole interval lies under {margin:g} point{'s' * (margin != 1)}; "
            "lost: it lies over that; open: neither."
        )
    if any(not case["accuracy"] for case in document["cases"] if case["latency_s"]):
        yield _OUTPUTS


_EVERY = "Below a figure is its 95 % interval."
_OUTPUTS = (
    "same: answers that are those of the reference runtime for the untransformed model; within: "
    "the largest difference from its outputs, over their largest value."
)
_PARTS = (
    "Parts of a request: inference; pre/post, what decodes and packs inputs, tensors and answers; "
    "harness, edgebench's own way between two processes of a tier; network; wait*, what an "
    "emulated tier (*) waits; unaccounted, what no part explains. Medians of parts need not add up "
    "to the median of the whole."
)
_WIDE = {
    PEAK: "peak MB: memory of the largest process.",
    SENT: "sent kB: what all tiers send on.",
    COLD: "cold s: from the start of the slowest process to its first answer.",
}
LARGE_ANSWER = 1e3
"""Bytes of an answer from which on a table says what answers weigh."""
_MARKS = "> marks the fastest, = its equals, ? those not told apart."


LEAST_NAME = 12
"""Characters that there are for what names a case, however narrow a terminal is."""

# --- what all share -------------------------------------------------------------------------------


def _describe_shared(cases: Sequence[Case]) -> str:
    """Return what the figures of a table rest on: labels, requests, batch, threads."""
    labels = [count for case in cases for count in list(case["accuracy_samples"].values())[:1]]
    sizes = [case["request_bytes"] for case in cases if case["request_bytes"] is not None]
    # A class weighs next to nothing; scores of pixels may weigh more than the picture.
    back = [case["bytes_sent"].get("answer", 0.0) for case in cases]
    answers = back if max(back, default=0.0) >= LARGE_ANSWER else []
    batches = {case["batch"] for case in cases} - {1}
    threads = {case["threads"] for case in cases} - {None}
    files = dict.fromkeys(case["weights"].partition("file:")[2] for case in cases)
    lines = [
        *(Path(file).name for file in files if file),
        f"{_span(labels)} labels" if labels else "",
        f"requests of {_span(size / 1e3 for size in sizes)} kB" if sizes else "",
        f"answers of {_span(size / 1e3 for size in answers)} kB" if answers else "",
        f"batch {_span(batches)}" if batches else "",
        f"threads {_span(threads)}" if threads else "",
    ]
    reasons = dict.fromkeys(case["no_accuracy"] for case in cases if not case["accuracy"])
    lines += [f"no accuracy: {reason or 'not scored'}" for reason in reasons]
    return "; ".join(filter(None, lines))


def _span(values: Iterable[float]) -> str:
    known = sorted(set(values))
    low, high = f"{known[0]:.4g}", f"{known[-1]:.4g}"
    return low if low == high else f"{low} to {high}"


# --- the layout -----------------------------------------------------------------------------------


def _table(
    cases: Sequence[Case], columns: Sequence[Column], decision: Mapping[str, Any], width: int
) -> Iterator[Text]:
    """Yield a table: its head, then each case in lines of its own.

    What names a case is folded where there is no room for it, figures never are. Laying out so is
    many times as fast as a table that measures each cell.
    """
    from rich.cells import cell_len
    from rich.text import Text

    shown = [column for column in columns if column.least <= width]
    names = [column for column in shown if column.name]
    head, *figures = _join_figures(cases, [column for column in shown if not column.name])
    taken = max(map(len, head.split("\n"))) + len(names[0].head) + 2
    room = max(LEAST_NAME, width - taken)
    heads = ["\n" * (head.count("\n") - one.head.count("\n")) + one.head for one in names]
    rows = [[column.write(case) for column in names] for case in cases]
    parts = [[_fold(cell, room) for cell in row] for row in [heads, *rows]]
    widest = [
        max(cell_len(line) for part in parts for line in part[at]) for at in range(len(names))
    ]
    styled = [("dim", _join(parts[0], widest, head))]
    for case, part, line in zip(cases, parts[1:], figures, strict=True):
        styled.append((_find_style(case, decision), _join(part, widest, line)))
    for style, alike in groupby(styled, key=itemgetter(0)):
        # What is folded already need not be looked at again.
        text = "\n".join(lines for _, lines in alike)
        yield Text(text, style=style, no_wrap=True, overflow="ignore")


def _find_style(case: Case, decision: Mapping[str, Any]) -> str:
    if case["refuted"] or case["id"] in decision.get("lost", ()):
        return "dim"
    return "bold" if case["id"] == decision.get("fastest") else ""


def _fold(cell: str, room: int) -> list[str]:
    """Return the lines of a cell, none wider than there is room: between words where that helps."""
    from rich.cells import cell_len, chop_cells

    lines: list[str] = []
    for line in cell.split("\n"):
        if cell_len(line) <= room:
            lines.append(line)
            continue
        for part in wrap(line, room, break_on_hyphens=False):
            lines += chop_cells(part, room)
    return lines


def _join(cells: Sequence[Sequence[str]], widths: Sequence[int], figures: str) -> str:
    """Return the lines of a row: what names it, padded to some widths, then its figures."""
    from rich.cells import set_cell_size

    lines = []
    for *named, last in zip_longest(*cells, figures.split("\n"), fillvalue=""):
        padded = (set_cell_size(*one) for one in zip(named, widths, strict=True))
        lines.append(" ".join([*padded, last]).rstrip())
    return "\n".join(lines)


def _join_figures(cases: Sequence[Case], columns: Sequence[Column]) -> list[str]:
    """Return the heads of some columns, then the figures of each case, in columns as one text.

    One cell for all figures of a case is laid out many times as fast as one for each.
    """
    heads = [column.head.split("\n") for column in columns]
    depth = max(map(len, heads))
    rows = [[[""] * (depth - len(head)) + head for head in heads]]
    rows += [[column.write(case).split("\n") for column in columns] for case in cases]
    widths = [max(len(line) for row in rows for line in row[at]) for at in range(len(columns))]
    return [
        "\n".join(
            " ".join(line.rjust(size) for line, size in zip(lines, widths, strict=True))
            for lines in zip_longest(*row, fillvalue="")
        )
        for row in rows
    ]
