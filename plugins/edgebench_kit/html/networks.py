"""Draws latency against the rate or the delay of a link, with the points where the best changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench_kit.html.plots import (
    BLUE,
    CYAN,
    GREY,
    INDIGO,
    INK,
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
from edgebench_kit.html.sweeps import Line, Sweep, find_crossings
from edgebench_kit.reports.figures import write_figure
from edgebench_kit.reports.notes import name_strategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench_kit.html.sweeps import Crossing

COLOURS = (BLUE, ORANGE, TEAL, MAGENTA, INDIGO, CYAN, RED, GREY)
STEPS = 8
"""Into as many pieces a line is divided between two settings: on these axes it is no straight one.
"""
HEIGHT = 380


def draw_sweep(name: str, sweep: Sweep) -> Chart:
    """Draw the strategies of a sweep that come first at some setting, and those next to them."""
    lines = _choose(sweep)
    crossings = list(find_crossings(sweep, sweep.lines))
    what, unit, factor = ("rate", "Mbit/s", 1e-6) if sweep.rates else ("delay", "ms", 1e3)
    fixed = _write_fixed(sweep)
    plot = _draw(sweep, lines, crossings, f"{what} of {sweep.link} ({unit})", factor)
    left = len(sweep.lines) - len(lines)
    return Chart(
        name=name,
        title=f"{sweep.subject}: {what} of {sweep.link}{fixed}",
        words=" ".join(filter(None, [
            _describe(sweep, crossings),
            f"{left} more strategies, never among the first, are not drawn." if left else "",
        ])),
        item=finish(plot, name),
        keys=tuple(
            Key(_name(line), colour, "●") for line, colour in zip(lines, COLOURS, strict=False)
        ),
        head=("strategy", *(f"{sweep.write(one)}: ms" for one in sweep.settings)),
        rows=tuple(
            (_name(line), *(write_figure(one, 1e3) for one in line.seconds)) for line in sweep.lines
        ),
        height=HEIGHT,
    )  # fmt: skip


def _write_fixed(sweep: Sweep) -> str:
    if sweep.rates:
        return f", delay {sweep.fixed * 1e3:g} ms"
    return f", rate {sweep.fixed / 1e6:g} Mbit/s"


def _name(line: Line) -> str:
    return name_strategy(line.cases[0], whole=False)


def _choose(sweep: Sweep) -> list[Line]:
    """Return as many lines as there are colours, those first that come first somewhere."""
    settings = range(len(sweep.settings))
    ranked = [sorted(sweep.lines, key=lambda one: one.seconds[at]) for at in settings]

    def best_rank(line: Line) -> tuple[int, float]:
        return min(order.index(line) for order in ranked), min(line.seconds)

    return sorted(sweep.lines, key=best_rank)[: len(COLOURS)]


def _describe(sweep: Sweep, crossings: Sequence[Crossing]) -> str:
    """Say which strategy is the fastest at which settings."""
    first = min(sweep.lines, key=lambda one: one.seconds[0])
    if not crossings:
        low, high = sweep.write(sweep.settings[0]), sweep.write(sweep.settings[-1])
        return f"From {low} to {high} the lowest median is that of {_name(first)}."
    told = [f"At {sweep.write(sweep.settings[0])} the lowest median is that of {_name(first)}"]
    told += [f"from about {sweep.write(one.at)} on that of {_name(one.after)}" for one in crossings]
    where = "the inverse of the rate" if sweep.rates else "the delay"
    return (
        f"{'; '.join(told)}. Between what was measured, latency is taken to be linear in {where}; "
        "how sure it is which of two is the faster stands in the answers."
    )


def _draw(
    sweep: Sweep, lines: Sequence[Line], crossings: Sequence[Crossing], x: str, factor: float
) -> Any:
    settings = [factor * one for one in sweep.settings]
    seconds = [one for line in lines for one in line.seconds]
    plot = start_plot(
        HEIGHT, x=x, y="median latency (ms)", wide=(is_wide(settings), is_wide(seconds))
    )
    drawn = [_draw_line(plot, sweep, *one, factor) for one in zip(lines, COLOURS, strict=False)]
    add_hover(plot, drawn, {"": "label", "at": "at", "median ms": "latency"})
    plot.scatter(
        x=[factor * one.at for one in crossings],
        y=[1e3 * one.seconds for one in crossings],
        marker="circle", size=16, fill_color=None, line_color=INK, line_width=2,
    )  # fmt: skip
    plot.text(
        x=[factor * one.at for one in crossings],
        y=[1e3 * one.seconds for one in crossings],
        text=[sweep.write(one.at) for one in crossings],
        x_offset=11, y_offset=-9, text_font_size="12px", text_color=INK,
    )  # fmt: skip
    return plot


def _draw_line(plot: Any, sweep: Sweep, line: Line, colour: str, factor: float) -> Any:
    from bokeh.models import ColumnDataSource

    x, y = _bend(sweep, line)
    still = len({case["id"] for case in line.cases}) == 1
    plot.line(
        x=[factor * one for one in x], y=[1e3 * one for one in y], line_color=colour,
        line_width=2, line_dash="dashed" if still else "solid",
    )  # fmt: skip
    source = ColumnDataSource(
        {
            "x": [factor * one for one in sweep.settings],
            "y": [1e3 * one for one in line.seconds],
            "label": [_name(line)] * len(line.cases),
            "at": [sweep.write(one) for one in sweep.settings],
            "latency": [write_figure(one, 1e3) for one in line.seconds],
        }
    )
    return plot.scatter("x", "y", source=source, color=colour, size=8)


def _bend(sweep: Sweep, line: Line) -> tuple[list[float], list[float]]:
    """Return a line through its figures that is straight on the scale of `Sweep.place`."""
    x, y = [sweep.settings[0]], [line.seconds[0]]
    for at in range(1, len(sweep.settings)):
        ends = sweep.place(sweep.settings[at - 1]), sweep.place(sweep.settings[at])
        for step in range(1, STEPS + 1):
            place = ends[0] + step / STEPS * (ends[1] - ends[0])
            x.append(1 / place if sweep.rates else place)
            y.append(
                line.seconds[at - 1] + step / STEPS * (line.seconds[at] - line.seconds[at - 1])
            )
    return x, y
