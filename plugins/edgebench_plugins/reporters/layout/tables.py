"""The tables of a terminal report: the strategies of a model, and where their time goes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.console import RenderableType
    from rich.table import Table

Case = dict[str, Any]
TIGHT = 76
"""Columns below which there is room for what decides alone."""
PEAK, SENT, COLD = 88, 96, 104
"""Columns from which memory, what is sent, and the cold start are shown."""
ONE_TABLE = 160
"""Columns from which the parts of a request stand in the table of the strategies."""
HYPHEN = "-\n"
PARTS = {
    "inference": ("infer-\nence", "inference"),
    "processing": ("pre/\npost", "pre/post"),
    "harness": ("har-\nness", "harness"),
    "network": ("net-\nwork", "network"),
    "emulated": ("\nwait*", "wait*"),
    "unaccounted": ("unac-\ncounted", "unac-\ncounted"),
}
"""Each part of a request by its key, with its head where there is little room and where there is.
"""


@attrs.frozen
class Column:
    """One column of a table."""

    head: str
    write: Callable[[Case], str]
    least: int = 0
    """The width of a terminal from which it is shown."""
    figures: bool = True
    """Whether it holds figures, which are never broken and stand to the right."""


def lay_out(
    cases: Sequence[Case], decision: Mapping[str, Any], width: int
) -> Iterator[RenderableType]:
    """Yield what the strategies of one model share, their table, and the parts of their time.

    The fastest stands first. What computes another model is no strategy for this one, however fast
    it is, and stands last.
    """
    from rich.text import Text

    ranked = sorted(cases, key=lambda one: (one["refuted"], one["latency_s"]["median"]))
    numbers = {case["id"]: str(number) for number, case in enumerate(ranked, 1)}
    if shared := _describe_shared(cases):
        yield Text(shared, style="dim")
    number = Column("#", lambda case: numbers[case["id"]])
    columns = [number, *_columns(ranked, decision)]
    if width >= ONE_TABLE:
        yield _table(ranked, [*columns, *_parts(width)], decision, width)
        return
    yield _table(ranked, columns, decision, width)
    if any(case["groups_s"] for case in cases):
        name = Column("median ms of", _name_shortly, figures=False)
        yield Text("")
        yield _table(ranked, [number, name, *_parts(width)], decision, width)


def explain_tables(document: Mapping[str, Any], width: int) -> str:
    """Say what the tables show, and which loss of accuracy counts as none."""
    said = [_EVERY, *_explain_accuracy(document), _PARTS]
    said += [text for least, text in _WIDE.items() if least <= width]
    return " ".join([*said, _MARKS])


def _explain_accuracy(document: Mapping[str, Any]) -> Iterator[str]:
    if margin := document["accuracy_margin"]:
        yield (
            f"lost points: of accuracy, against the untransformed pipeline; shown: the whole "
            f"interval lies under {margin:g} point{'s' * (margin != 1)}, so accuracy is kept; "
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
    "Parts of a request: inference; pre/post, what prepares inputs, messages and answers; harness, "
    "edgebench's own way between two processes of a tier; network; wait*, what an emulated tier "
    "(*) waits; unaccounted, what no part explains. Medians of parts need not add up to the median "
    "of the whole."
)
_WIDE = {
    PEAK: "peak MB: memory of the largest process.",
    SENT: "sent kB: what all tiers send on.",
    COLD: "cold s: from the start of the slowest process to its first answer.",
}
_MARKS = "> marks the fastest, = its equals, ? those not told apart."


# --- what all share -------------------------------------------------------------------------------


def _describe_shared(cases: Sequence[Case]) -> str:
    """Return what the figures of a table rest on: labels, requests, batch, threads."""
    labels = [count for case in cases for count in list(case["accuracy_samples"].values())[:1]]
    sizes = [case["request_bytes"] for case in cases if case["request_bytes"] is not None]
    batches = {case["batch"] for case in cases} - {1}
    threads = {case["threads"] for case in cases} - {None}
    lines = [
        f"{_span(labels)} labels" if labels else "",
        f"requests of {_span(size / 1e3 for size in sizes)} kB" if sizes else "",
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


# --- the columns ----------------------------------------------------------------------------------


def _columns(cases: Sequence[Case], decision: Mapping[str, Any]) -> Iterator[Column]:
    metric = next((one for case in cases for one in case["accuracy"]), None)
    yield Column("strategy", _name, figures=False)
    yield Column("median ms\n(95 %)", lambda case: _mark(case, decision) + _write_median(case))
    yield Column("p95 ms\n(95 %)", _write_p95, TIGHT)
    yield Column(f"{metric} %\n(95 %)" if metric else "outputs", _write_accuracy)
    if metric:
        yield Column("lost points\n(95 %)", _write_loss)
    yield Column("model\nMB", lambda case: write_figure(case["model_bytes"], 1e-6), TIGHT)
    yield Column("peak\nMB", lambda case: write_figure(case["peak_memory_bytes"], 1e-6), PEAK)
    yield Column("sent\nkB", _write_sent, SENT)
    yield Column("cold\ns", _write_cold, COLD)


def _parts(width: int) -> Iterator[Column]:
    for key, (tight, roomy) in PARTS.items():
        head = tight if width < TIGHT else roomy
        if width >= ONE_TABLE:
            head = f"{roomy.replace(HYPHEN, '')}\nms"
        yield Column(head, partial(_write_part, key))


def _write_part(key: str, case: Case) -> str:
    return write_figure(case["groups_s"].get(key), 1e3)


def _name(case: Case) -> str:
    unfinished = f" ({case['status']})" if case["status"] != "ok" else ""
    return f"{case['chain']}\n{_place(case)} {case['backend']}{unfinished}"


def _name_shortly(case: Case) -> str:
    return f"{case['chain']} {_place(case)}"


def _place(case: Case) -> str:
    return f"{case['placement']}{'*' * any(is_emulated(tier) for tier in case['tiers'])}"


def is_emulated(tier: Mapping[str, Any]) -> bool:
    """Say whether a tier, as a document has it, waits to be as slow as it claims."""
    return "emulated" in tier["enforced"].get("cpu", "")


def _mark(case: Case, decision: Mapping[str, Any]) -> str:
    if case["id"] == decision.get("fastest"):
        return "> "
    marks = {"= ": "equal", "? ": "undecided"}
    return next((mark for mark, name in marks.items() if case["id"] in decision.get(name, ())), "")


def _write_median(case: Case) -> str:
    return _with_interval(case["latency_s"]["median"], case["latency_s"]["ci95"], 1e3)


def _write_p95(case: Case) -> str:
    latency = case["latency_s"]
    bounds = latency["percentiles_ci95"]["p95"]
    if bounds is None:
        return f"{latency['unsupported']['p95']}\nrequests"
    return _with_interval(latency["p95"], bounds, 1e3)


def _write_accuracy(case: Case) -> str:
    metric = next(iter(case["accuracy"]), None)
    if metric is None:
        return f"n/a\n{_write_agreement(case)}"
    return _with_interval(case["accuracy"][metric], case["accuracy_ci95"][metric], 100)


def _write_agreement(case: Case) -> str:
    """Write how the outputs agree with the untransformed model's, where there is no accuracy."""
    found = case["agreement"]
    if case["refuted"]:
        return "disagrees"
    if found is None:
        return "not checked"
    if found["same_answer"] is not None:
        return f"same {found['same_answer']:.1%}"
    return f"within {found['relative_difference'] or 0.0:.1g}"


def _write_loss(case: Case) -> str:
    """Write what was lost of the accuracy in points, and what that shows."""
    metric = next(iter(case["accuracy"]), None)
    loss = case["accuracy_loss"].get(metric)
    if loss is None:
        return "disagrees" if case["refuted"] else "-"
    verdict = "disagrees" if case["refuted"] else loss["verdict"]
    points = f"{'+' * (round(loss['points'], 2) > 0)}{write_figure(loss['points'], 1)}"
    return f"{verdict} {points}\n{_write_ends(loss['ci95'], 1) if loss['ci95'] else '-'}"


def _write_sent(case: Case) -> str:
    sent = [size for tier, size in case["bytes_out"].items() if tier != "answer"]
    return write_figure(sum(sent), 1e-3)


def _write_cold(case: Case) -> str:
    spent = [sum(phases.values()) for phases in case["cold_s"].values()]
    return write_figure(max(spent, default=None), 1)


# --- figures --------------------------------------------------------------------------------------


def write_figure(value: float | None, factor: float) -> str:
    """Write a number in four characters where that is possible; `-` for None."""
    if value is None:
        return "-"
    scaled = value * factor
    digits = next((d for bound, d in ((9.995, 2), (99.95, 1)) if abs(scaled) < bound), 0)
    return f"{round(scaled, digits) + 0.0:.{digits}f}"


def _with_interval(value: float, bounds: Sequence[float], factor: float) -> str:
    return f"{write_figure(value, factor)}\n{_write_ends(bounds, factor)}"


def _write_ends(bounds: Sequence[float], factor: float) -> str:
    return "..".join(write_figure(end, factor) for end in bounds)


def _table(
    cases: Sequence[Case], columns: Sequence[Column], decision: Mapping[str, Any], width: int
) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    shown = [column for column in columns if column.least <= width]
    for column in shown:
        table.add_column(
            Text(column.head),
            justify="right" if column.figures else "left",
            overflow="fold",
            no_wrap=column.figures,
        )
    for case in cases:
        lost = case["refuted"] or case["id"] in decision.get("lost", ())
        style = "dim" if lost else "bold" if case["id"] == decision.get("fastest") else ""
        table.add_row(*(Text(column.write(case)) for column in shown), style=style)
    return table
