"""Draws accuracy, or size, against latency, with the Pareto front."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs

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
from edgebench_kit.reports.figures import write_ends, write_figure
from edgebench_kit.reports.notes import name_strategy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edgebench_kit.reports.figures import Case

APART = (0.07, 0.05)
"""Numbers of strategies that lie closer than these shares of the axes would cover each other."""


@attrs.frozen
class Standing:
    """How a strategy may stand to the answer, and how it is drawn."""

    field: str
    """The field of a decision that lists those that stand so."""
    label: str
    marker: str
    mark: str
    colour: str


STANDINGS = (
    Standing("fastest", "the fastest", "star", "★", RED),
    Standing("equal", "equal to it", "circle", "●", ORANGE),
    Standing("undecided", "not told apart", "diamond", "◆", MAGENTA),
    Standing("slower", "slower", "square", "■", BLUE),
    Standing("open", "accuracy is open", "triangle", "▲", TEAL),
    Standing("lost", "loses accuracy", "inverted_triangle", "▼", INDIGO),
    Standing("refuted", "outputs of another model", "x", "✕", GREY),
    Standing("", "not compared", "plus", "+", CYAN),
)


def find_standing(case: str, decision: Mapping[str, Any]) -> Standing:
    """Return how a case, by its id, stands in a decision."""
    return next(
        (one for one in STANDINGS if one.field and _holds(decision[one.field], case)), STANDINGS[-1]
    )


def _holds(found: str | Sequence[str] | None, case: str) -> bool:
    return found == case if isinstance(found, str) or found is None else case in found


@attrs.frozen(kw_only=True)
class Point:
    """A strategy as it is drawn: milliseconds, and what it is weighed against."""

    case: Case
    number: int
    standing: Standing
    x: float
    x_ends: tuple[float, float]
    y: float
    y_ends: tuple[float, float]


def find_front(points: Iterable[Point], *, higher: bool = True) -> list[Point]:
    """Return the points that no other beats in both figures, the fastest first.

    Args:
        points: Those that may be chosen.
        higher: Whether the higher figure is the better one beside the lower latency.
    """
    front: list[Point] = []
    sign = 1 if higher else -1
    for point in sorted(points, key=lambda one: (one.x, -sign * one.y)):
        if not front or sign * point.y > sign * front[-1].y:
            front.append(point)
    return front


def draw_tradeoff(
    name: str, cases: Sequence[Case], decision: Mapping[str, Any], numbers: Mapping[str, int]
) -> Chart | None:
    """Draw what is measured of the cases of a decision; None where there is nothing to weigh."""
    metric = next((one for case in cases for one in case["accuracy"]), None)
    points = [
        point
        for case in cases
        if (point := _place(case, metric, decision, numbers[case["id"]])) is not None
    ]
    if not points:
        return None
    what = f"{metric} (%)" if metric else "model (MB)"
    sound = [one for one in points if not one.case["refuted"]]
    front = find_front(sound, higher=metric is not None)
    plot = _draw(points, front, what, steps="after" if metric else "before")
    listed = "; ".join(f"#{one.number} {name_strategy(one.case, whole=False)}" for one in front)
    better = f"{metric} is higher" if metric else "the model is smaller"
    return Chart(
        name=name,
        title=f"{metric or 'Size'} against latency",
        words=(
            f"{len(points)} {'strategy' if len(points) == 1 else 'strategies'}. Further left is "
            f"faster; {better} further {'up' if metric else 'down'}. "
            f"On the Pareto front, beaten by none in both: {listed}. "
            "Lines are 95 % intervals; the numbers are those of the table."
        ),
        item=finish(plot, name),
        keys=tuple(
            Key(one.label, one.colour, one.mark)
            for one in STANDINGS
            if any(point.standing is one for point in points)
        ),
        head=("#", "strategy", "median ms (95 %)", f"{what} (95 %)", "stands", "on the front"),
        rows=tuple(_tabulate(one, front) for one in sorted(points, key=lambda one: one.x)),
        height=420,
    )


def _place(
    case: Case, metric: str | None, decision: Mapping[str, Any], number: int
) -> Point | None:
    """Return where a case is drawn; None where it lacks one of the two figures."""
    latency = case["latency_s"]
    if metric is None and case["model_bytes"] is not None:
        size = case["model_bytes"] / 1e6
        y, ends = size, (size, size)
    elif metric in case["accuracy"]:
        y = 100 * case["accuracy"][metric]
        ends = tuple(100 * end for end in case["accuracy_ci95"][metric])
    else:
        return None
    low, high = latency["ci95"]
    return Point(
        case=case,
        number=number,
        standing=find_standing(case["id"], decision),
        x=1e3 * latency["median"],
        x_ends=(1e3 * low, 1e3 * high),
        y=y,
        y_ends=ends,
    )


def _tabulate(point: Point, front: Sequence[Point]) -> tuple[str, ...]:
    return (
        str(point.number),
        name_strategy(point.case, whole=False),
        f"{write_figure(point.x, 1)} ({write_ends(point.x_ends, 1)})",
        f"{write_figure(point.y, 1)} ({write_ends(point.y_ends, 1)})",
        point.standing.label,
        "yes" if point in front else "no",
    )


def _draw(points: Sequence[Point], front: Sequence[Point], what: str, steps: str) -> Any:
    wide = is_wide([one.x for one in points])
    plot = start_plot(420, x="median latency (ms)", y=what, wide=(wide, False))
    plot.segment(
        x0=[one.x_ends[0] for one in points] + [one.x for one in points],
        x1=[one.x_ends[1] for one in points] + [one.x for one in points],
        y0=[one.y for one in points] + [one.y_ends[0] for one in points],
        y1=[one.y for one in points] + [one.y_ends[1] for one in points],
        line_color=GREY,
        line_alpha=0.35,
    )
    plot.step(
        x=[one.x for one in front], y=[one.y for one in front], mode=steps,
        line_dash="dashed", line_color=INK, line_width=1.5,
    )  # fmt: skip
    drawn = [_scatter(plot, points, one) for one in STANDINGS]
    add_hover(
        plot,
        [one for one in drawn if one is not None],
        {"": "label", "median ms": "latency", what: "worth", "stands": "standing"},
    )
    shown = _choose_numbered(points, front, wide=wide)
    plot.text(
        x=[one.x for one in shown],
        y=[one.y for one in shown],
        text=[f"#{one.number}" for one in shown],
        x_offset=7,
        y_offset=-4,
        text_font_size="11px",
        text_color=INK,
    )
    return plot


def _choose_numbered(points: Sequence[Point], front: Sequence[Point], *, wide: bool) -> list[Point]:
    """Return the points that carry their numbers: those on the front first, none over another."""

    def place(point: Point) -> tuple[float, float]:
        return math.log(point.x) if wide else point.x, point.y

    spans = [max(values) - min(values) for values in zip(*map(place, points), strict=True)]
    room = [share * span for share, span in zip(APART, spans, strict=True)]
    chosen: list[Point] = []
    for point in sorted(points, key=lambda one: (one not in front, one.x)):
        x, y = place(point)
        others = map(place, chosen)
        if not any(abs(x - a) <= room[0] and abs(y - b) <= room[1] for a, b in others):
            chosen.append(point)
    return chosen


def _scatter(plot: Any, points: Sequence[Point], standing: Standing) -> Any:
    from bokeh.models import ColumnDataSource

    found = [one for one in points if one.standing is standing]
    if not found:
        return None
    rows = [_tabulate(one, ()) for one in found]
    source = ColumnDataSource(
        {
            "x": [one.x for one in found],
            "y": [one.y for one in found],
            "label": [f"#{row[0]} {row[1]}" for row in rows],
            "latency": [row[2] for row in rows],
            "worth": [row[3] for row in rows],
            "standing": [row[4] for row in rows],
        }
    )
    return plot.scatter(
        "x", "y", source=source, marker=standing.marker,
        size=15 if standing.field == "fastest" else 10,
        color=standing.colour, fill_alpha=0.75, line_width=1.5,
    )  # fmt: skip
