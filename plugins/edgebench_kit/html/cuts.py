"""Finds the cuts of one model that a run measured, and draws latency against where they lie."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.html.plots import (
    BLUE,
    INDIGO,
    MAGENTA,
    ORANGE,
    RED,
    TEAL,
    Chart,
    Key,
    add_hover,
    finish,
    is_wide,
    start_plot,
)
from edgebench_kit.html.sweeps import CONDITIONS, write_network
from edgebench_kit.reports.figures import write_ends, write_figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edgebench_kit.reports.figures import Case

COLOURS = (BLUE, ORANGE, TEAL, MAGENTA, INDIGO, RED)
OPERATOR = re.compile(r'[^+("]+(?:\((?:"[^"]*"|[^)"])*\))?')
"""One operator of a chain as it is written, its options in brackets."""
HEIGHT = 340


@attrs.frozen(kw_only=True)
class Curve:
    """Cases that differ in where the same pipeline is cut, the least on the first tier first."""

    subject: str
    label: str
    cases: tuple[Case, ...]

    @property
    def shares(self) -> list[float]:
        """The percentage of the work that each leaves on the first tier."""
        return [100 * (find_share(case) or 0.0) for case in self.cases]

    @property
    def milliseconds(self) -> list[float]:
        """The median latency of each."""
        return [1e3 * case["latency_s"]["median"] for case in self.cases]


def find_share(case: Case) -> float | None:
    """Return which share of a sample's operations the first tier does; of bytes, if not counted.

    None where neither is known of all stages.
    """
    stages = case["stages"]
    for figure in ("operations", "bytes"):
        counts = [stage[figure] for stage in stages]
        if counts and None not in counts and sum(counts):
            first = [stage[figure] for stage in stages if stage["tier"] == stages[0]["tier"]]
            return float(sum(first) / sum(counts))
    return None


def find_curves(cases: Sequence[Case]) -> Iterator[Curve]:
    """Yield the curves of a run: three cuts or more of one chain, placement, backend and network.

    The names of the operators are the same; what differs is their options.
    """
    groups: dict[tuple[str, ...], list[Case]] = defaultdict(list)
    for case in cases:
        several = len({stage["tier"] for stage in case["stages"]}) > 1
        if case["latency_s"] and several and find_share(case) is not None:
            names = "+".join(one.partition("(")[0] for one in OPERATOR.findall(case["chain"]))
            label = f"{names} on {case['placement']} with {case['backend']}"
            conditions = [str(case[one]) for one in CONDITIONS]
            groups[*conditions, label, ", ".join(write_network(case))].append(case)
    labels = Counter(label for *_, label, _ in groups)
    for (subject, *_, label, network), found in groups.items():
        ranked = sorted(found, key=lambda one: find_share(one) or 0.0)
        if len({find_share(case) for case in ranked}) > 2:
            told = f"{label}, {network}" if labels[label] > 1 else label
            yield Curve(subject=subject, label=told, cases=tuple(ranked))


def draw_cuts(
    name: str, subject: str, curves: Sequence[Curve], numbers: Mapping[str, int]
) -> Chart:
    """Draw the curves of one model."""
    medians = [one for curve in curves for one in curve.milliseconds]
    plot = start_plot(
        HEIGHT,
        x="share of the work on the first tier (%)",
        y="median latency (ms)",
        wide=(False, is_wide(medians)),
    )
    drawn = [
        _draw(plot, curve, COLOURS[at % len(COLOURS)], numbers) for at, curve in enumerate(curves)
    ]
    add_hover(plot, drawn, {"": "label", "on the first tier": "share", "median ms": "latency"})
    least = [min(curve.cases, key=lambda one: one["latency_s"]["median"]) for curve in curves]
    words = "; ".join(
        f"of {curve.label} the lowest is #{numbers[best['id']]} {best['chain']}, with "
        f"{100 * (find_share(best) or 0.0):.1f} % of the work on the first tier"
        for curve, best in zip(curves, least, strict=True)
    )
    return Chart(
        name=name,
        title=f"Where to cut {subject}",
        words=f"One point for each cut that was measured, with its 95 % interval: {words}.",
        item=finish(plot, name),
        keys=tuple(
            Key(curve.label, COLOURS[at % len(COLOURS)], "●") for at, curve in enumerate(curves)
        ),
        head=("#", "chain", "on the first tier %", "median ms (95 %)"),
        rows=tuple(
            (str(numbers[case["id"]]), case["chain"], f"{share:.1f}", _write(case))
            for curve in curves
            for case, share in zip(curve.cases, curve.shares, strict=True)
        ),
        height=HEIGHT,
    )


def _write(case: Case) -> str:
    latency = case["latency_s"]
    return f"{write_figure(latency['median'], 1e3)} ({write_ends(latency['ci95'], 1e3)})"


def _draw(plot: Any, curve: Curve, colour: str, numbers: Mapping[str, int]) -> Any:
    from bokeh.models import ColumnDataSource

    latencies = [case["latency_s"] for case in curve.cases]
    source = ColumnDataSource(
        {
            "x": curve.shares,
            "y": curve.milliseconds,
            "low": [1e3 * one["ci95"][0] for one in latencies],
            "high": [1e3 * one["ci95"][1] for one in latencies],
            "label": [f"#{numbers[case['id']]} {case['chain']}" for case in curve.cases],
            "share": [f"{share:.1f} %" for share in curve.shares],
            "latency": [_write(case) for case in curve.cases],
        }
    )
    plot.segment("x", "low", "x", "high", source=source, line_color=colour, line_width=1.5)
    # Of tensors at the same place one may be the smaller: the line joins the lowest at each.
    lowest: dict[float, float] = {}
    for x, y in zip(curve.shares, curve.milliseconds, strict=True):
        lowest[x] = min(y, lowest.get(x, y))
    plot.line(list(lowest), list(lowest.values()), line_color=colour)
    return plot.scatter("x", "y", source=source, color=colour, size=9)
