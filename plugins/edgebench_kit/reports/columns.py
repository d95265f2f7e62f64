"""The columns of a report: what stands in them, and from which width they are shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.reports.figures import (
    is_emulated,
    write_ends,
    write_figure,
    write_with_interval,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from edgebench_kit.reports.figures import Case

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
    name: bool = False
    """Whether it holds names, which may be folded, and not figures, which stand to the right."""


TOO_WIDE = 100
"""An interval whose upper end is more than so many times the lower is not shown."""


def list_figures(cases: Sequence[Case], decision: Mapping[str, Any]) -> Iterator[Column]:
    """Yield the columns of the table of strategies: their names, and what was measured."""
    metric = next((one for case in cases for one in case["accuracy"]), None)
    yield Column("strategy", _name, name=True)
    yield Column("median ms\n(95 %)", lambda case: _mark(case, decision) + write_median(case))
    yield Column("p95 ms\n(95 %)", write_p95, TIGHT)
    yield Column(f"{metric} %\n(95 %)" if metric else "outputs", write_accuracy)
    if metric:
        yield Column("lost points\n(95 %)", write_loss)
    yield Column("model\nMB", write_size, TIGHT)
    yield Column("peak\nMB", lambda case: write_figure(case["peak_memory_bytes"], 1e-6), PEAK)
    yield Column("sent\nkB", write_sent, SENT)
    yield Column("cold\ns", write_cold, COLD)


def list_parts(width: int) -> Iterator[Column]:
    """Yield a column for each part of a request."""
    for key, (tight, roomy) in PARTS.items():
        head = tight if width < TIGHT else roomy
        if width >= ONE_TABLE:
            head = f"{roomy.replace(HYPHEN, '')}\nms"
        yield Column(head, partial(write_part, key))


def write_part(key: str, case: Case) -> str:
    """Write the median milliseconds of one part of a request."""
    return write_figure(case["groups_s"].get(key), 1e3)


def _name(case: Case) -> str:
    unfinished = f" ({case['status']})" if case["status"] != "ok" else ""
    return f"{case['chain']}\n{write_place(case)} {case['backend']}{unfinished}"


def name_shortly(case: Case) -> str:
    """Write a strategy in one line: without its backend."""
    return f"{case['chain']} {write_place(case)}"


def write_place(case: Case) -> str:
    """Write a placement, marked where a tier of it is emulated."""
    return f"{case['placement']}{'*' * any(is_emulated(tier) for tier in case['tiers'])}"


def _mark(case: Case, decision: Mapping[str, Any]) -> str:
    if case["id"] == decision.get("fastest"):
        return "> "
    marks = {"= ": "equal", "? ": "undecided"}
    return next((mark for mark, name in marks.items() if case["id"] in decision.get(name, ())), "")


def write_median(case: Case) -> str:
    """Write the median latency in milliseconds and, below it, its interval.

    One whose ends lie a hundredfold apart, as two blocks may give, says nothing.
    """
    low, high = ends = case["latency_s"]["ci95"]
    if high > TOO_WIDE * low:
        return f"{write_figure(case['latency_s']['median'], 1e3)}\nnot known"
    return write_with_interval(case["latency_s"]["median"], ends, 1e3)


def write_p95(case: Case) -> str:
    """Write the 95 % percentile and its interval, or how many requests it needs."""
    latency = case["latency_s"]
    bounds = latency["percentiles_ci95"]["p95"]
    if bounds is None:
        return f"{latency['unsupported']['p95']}\nrequests"
    return write_with_interval(latency["p95"], bounds, 1e3)


def write_accuracy(case: Case) -> str:
    """Write the accuracy in percent and its interval, or how outputs agree where there is none."""
    metric = next(iter(case["accuracy"]), None)
    if metric is None:
        return f"n/a\n{_write_agreement(case)}"
    return write_with_interval(case["accuracy"][metric], case["accuracy_ci95"][metric], 100)


def _write_agreement(case: Case) -> str:
    """Write how the outputs agree with the untransformed model's, where there is no accuracy."""
    found = case["agreement"]
    if case["refuted"]:
        return "disagrees"
    if found is None:
        return "not checked"
    if found["same_answer"] is not None:
        return f"same {found['same_answer']:.1%}"
    if found["not_finite"] and found["max_abs_difference"] is None:
        return "no numbers"
    return f"within {found['relative_difference'] or 0.0:.1g}"


def write_loss(case: Case) -> str:
    """Write what was lost of the accuracy in points, and what that shows."""
    metric = next(iter(case["accuracy"]), None)
    loss = case["accuracy_loss"].get(metric)
    if loss is None:
        return "disagrees" if case["refuted"] else "-"
    verdict = "disagrees" if case["refuted"] else loss["verdict"]
    points = f"{'+' * (round(loss['points'], 2) > 0)}{write_figure(loss['points'], 1)}"
    return f"{verdict} {points}\n{write_ends(loss['ci95'], 1) if loss['ci95'] else '-'}"


def write_size(case: Case) -> str:
    """Write the megabytes of the files of a model."""
    size = case["model_bytes"]
    return f"{size / 1e6:.1g}" if size and size < 1e4 else write_figure(size, 1e-6)


def write_sent(case: Case) -> str:
    """Write the kilobytes that all tiers send on for a request."""
    sent = [size for tier, size in case["bytes_sent"].items() if tier != "answer"]
    return write_figure(sum(sent), 1e-3)


def write_cold(case: Case) -> str:
    """Write the seconds from the start of the slowest process to its first answer."""
    spent = [sum(phases.values()) for phases in case["cold_s"].values()]
    return write_figure(max(spent, default=None), 1)
