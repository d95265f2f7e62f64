"""What each operator of a chain did, laid out step by step; and what surprises, with why it may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.reports.figures import (
    write_amount,
    write_ends,
    write_figure,
    write_with_interval,
)
from edgebench_kit.reports.notes import describe_surprises, name_strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from edgebench_kit.reports.figures import Case

Step = dict[str, Any]
ONE_TABLE = 116
"""Columns from which what a step is and what it is worth stand in one table."""
TYPES = 4
"""As many types of nodes are named, those that changed most."""


@attrs.frozen
class Cells:
    """One column: its head, and what stands in it for a step."""

    head: str
    write: Callable[[Step], str]


def lay_out_operators(document: Mapping[str, Any], width: int) -> Iterator[RenderableType]:
    """Yield, for each chain and artifact of a run, what was there after each of its steps."""
    from rich.text import Text

    by_id = {case["id"]: case for case in document["cases"]}
    for entry in document["operators"]:
        cases = [by_id[one] for one in entry["cases"]]
        places = dict.fromkeys(f"{one['placement']} with {one['backend']}" for one in cases)
        yield Text(f"\n{entry['subject']} {entry['chain']}", style="bold")
        yield Text(f"{entry['weights']} weights; on {'; '.join(places)}", style="dim")
        yield from _lay_out_steps(entry["steps"], width)
        for line in _describe_steps(entry["steps"]):
            yield Text(line)
        for case in cases:
            yield from lay_out_exits(case)
        for line in describe_surprises(document, entry["cases"]):
            yield Text(line)
    if document["operators"]:
        yield Text(f"\n{_EXPLAINED}", style="dim")


_EXPLAINED = (
    "M ops: millions of multiply-accumulates a sample. made s, trained s: seconds that making it "
    "took, and training as a part of that. lost: points of accuracy against the untransformed "
    "pipeline; by it: against the chain without this operator, on the same samples. same, largest "
    "difference: of outputs, against the untransformed pipeline; of that itself, against another "
    "runtime. - is not known, or not measured. Below a figure is its 95 % interval."
)


def _lay_out_steps(steps: Sequence[Step], width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    states, worth = list(_list_states()), list(_list_worth(steps))
    if width >= ONE_TABLE:
        yield make_table(steps, [_NAME, *states, *worth])
        return
    yield make_table(steps, [_NAME, *states])
    if scored := [step for step in steps if step["after"] and step["after"]["case"]]:
        yield Text("")
        yield make_table(scored, [_NAME, *worth])


_NAME = Cells("after", lambda step: str(step["what"]))


def _list_states() -> Iterator[Cells]:
    """Yield the columns of what a pipeline is after a step."""
    yield Cells("MB", lambda step: write_amount(step["bytes"], 1e-6))
    yield Cells("M para-\nmeters", lambda step: write_amount(step["parameters"], 1e-6))
    yield Cells("M ops", lambda step: write_amount(step["operations"], 1e-6))
    yield Cells("precision", lambda step: "\n".join(step["precisions"]))
    yield Cells("pieces", lambda step: str(step["pieces"]))
    yield Cells("made\ns", lambda step: write_amount(step["seconds"], 1))
    yield Cells("trained\ns", lambda step: write_amount(step["training_s"] or None, 1))


def _list_worth(steps: Sequence[Step]) -> Iterator[Cells]:
    """Yield the columns of what a pipeline is worth after a step."""
    found = [metric for step in steps if step["after"] for metric in step["after"]["accuracy"]]
    if found:
        yield Cells(f"{found[0]} %\n(95 %)", _write_accuracy)
        yield Cells("lost\n(95 %)", lambda step: _write_loss(step["after"]))
        yield Cells("by it\n(95 %)", lambda step: _write_loss(_get(step, "contribution")))
    yield Cells("same\n%", lambda step: _write_agreement(step, "same_answer", 100))
    yield Cells("largest\ndifference", _write_difference)


def _get(step: Step, name: str) -> Any:
    return step["after"][name] if step["after"] else None


def _write_accuracy(step: Step) -> str:
    metric = next(iter(_get(step, "accuracy") or {}), None)
    if metric is None:
        return "-"
    after = step["after"]
    return write_with_interval(after["accuracy"][metric], after["accuracy_ci95"][metric], 100)


def _write_loss(holder: Mapping[str, Any] | None) -> str:
    loss = next(iter(holder["accuracy_loss"].values()), None) if holder else None
    if loss is None:
        return "-"
    points = f"{'+' * (round(loss['points'], 2) > 0)}{write_figure(loss['points'], 1)}"
    return f"{points}\n{write_ends(loss['ci95'], 1) if loss['ci95'] else '-'}"


def _write_agreement(step: Step, name: str, factor: float) -> str:
    found = _get(step, "agreement")
    return write_amount(found[name] if found else None, factor)


def _write_difference(step: Step) -> str:
    found = _get(step, "agreement")
    largest = found["max_abs_difference"] if found else None
    return "-" if largest is None else f"{largest:.2g}"


# --- the lines below the tables -------------------------------------------------------------------


def _describe_steps(steps: Sequence[Step]) -> Iterator[str]:
    """Yield what was chosen, what became of nodes, what chains took, what is not known."""
    for step in steps:
        if step["chosen"]:
            yield f"chosen, {step['what']}: {_write_choices(step['chosen'])}"
        if step["changed_nodes"]:
            yield f"nodes, {step['what']}: {_write_changes(step['changed_nodes'])}"
    yield from _describe_latencies([step for step in steps if step["after"]])
    for step in steps:
        for why in _list_reasons(step["after"] or {}):
            yield f"after {step['what']}: {why}"
        for doubt in step["doubts"]:
            yield f"doubt: {doubt}"


def _write_choices(chosen: Mapping[str, str | float]) -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else write_figure(value, 1)}"
        for name, value in chosen.items()
    )


def _write_changes(changes: Sequence[Mapping[str, Any]]) -> str:
    written = [f"{one['type']} {one['before']} -> {one['after']}" for one in changes[:TYPES]]
    more = len(changes) - TYPES
    return ", ".join(written) + f" and {more} more type{'s' * (more > 1)}" * (more > 0)


def _describe_latencies(steps: Sequence[Step]) -> Iterator[str]:
    """Yield one line for each place: the median after each step that was measured there."""
    for alike in zip(*(step["after"]["latency_s"] for step in steps), strict=True):
        pairs = [(str(step["what"]), one) for step, one in zip(steps, alike, strict=True)]
        measured = [f"{what} {_write_median(one)}" for what, one in pairs if one["case"]]
        missing = [what for what, one in pairs if not one["case"]]
        lacking = f"; not measured there: {', '.join(missing)}" * bool(missing)
        place = f"{alike[0]['placement']} with {alike[0]['backend']}"
        yield f"median ms on {place}: {', '.join(measured) or '-'}{lacking}"


def _write_median(latency: Mapping[str, Any]) -> str:
    return f"{write_amount(latency['median'], 1e3)} ({write_ends(latency['ci95'], 1e3)})"


def _list_reasons(after: Mapping[str, Any]) -> Iterator[str]:
    """Yield why a chain up to a step was not scored, or has nothing to be held against."""
    if after.get("why_not"):
        yield after["why_not"]
    contribution = after.get("contribution")
    if contribution and contribution["why_not"]:
        yield f"what {contribution['operator']} added is not known: {contribution['why_not']}"


# --- exits ----------------------------------------------------------------------------------------


def lay_out_exits(case: Case) -> Iterator[RenderableType]:
    """Yield where the samples of a case left, and what was sent; nothing without exits."""
    from rich.text import Text

    if not case["exits"]:
        return
    yield Text(f"exits of {name_strategy(case)}", style="dim")
    yield make_table(
        case["exits"],
        [
            Cells("leaves at", _name_exit),
            Cells("tier", lambda one: str(one["tier"])),
            Cells("% measured", lambda one: write_amount(one["rate"], 100)),
            Cells("% scored", lambda one: write_amount(one["scored_rate"], 100)),
            Cells("requests", lambda one: _write_count(one["requests"])),
            Cells("mean ms", lambda one: write_amount(one["mean_s"], 1e3)),
        ],
    )
    for tier, size in case["bytes_sent"].items():
        if tier != "answer":
            whole = write_amount(case["bytes_out"].get(tier), 1e-3)
            yield Text(
                f"{tier} sends {write_amount(size, 1e-3)} kB a request on average, {whole} kB for "
                "one that goes on"
            )


def _write_count(count: int | None) -> str:
    return "-" if count is None else str(count)


def _name_exit(one: Mapping[str, Any]) -> str:
    return "the end" if one["exit"] is None else f"exit {one['exit']} (stage {one['stage']})"


def make_table(rows: Sequence[Step], columns: Sequence[Cells]) -> Table:
    """Return a table whose first column holds names, which may be folded, then figures."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for number, column in enumerate(columns):
        name = number == 0
        table.add_column(
            Text(column.head), overflow="fold", no_wrap=not name, vertical="top",
            justify="left" if name else "right",
        )  # fmt: skip
    for row in rows:
        table.add_row(*(Text(column.write(row)) for column in columns))
    return table
