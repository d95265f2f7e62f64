"""Draws what requests took, block by block, and of which parts a request is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.html.plots import (
    BLUE,
    CYAN,
    GREY,
    INDIGO,
    INK,
    ORANGE,
    TEAL,
    Chart,
    Key,
    add_hover,
    finish,
    is_wide,
    start_plot,
)
from edgebench_kit.reports.figures import write_amount, write_figure
from edgebench_kit.reports.notes import name_strategy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgebench import Result
    from edgebench_kit.reports.figures import Case

MOST = 40
"""As many strategies are drawn, those of the lowest medians; the table holds all."""
NAME, GAP = 18, 6
"""Pixels of the line that names a strategy, and below what is drawn of it."""
THICKEST, MOST_BAND = 9, 54
"""Pixels of a block, at most, and of all blocks of a strategy together."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
PARTS = {
    "inference": ("inference", BLUE),
    "processing": ("pre/post", CYAN),
    "harness": ("harness", INDIGO),
    "network": ("network", ORANGE),
    "emulated": ("wait*", TEAL),
    "unaccounted": ("unaccounted", GREY),
}
"""Each part of a request by its key in a document: its name in reports, and its colour."""


@attrs.frozen
class Rows:
    """Strategies below each other, each named above what is drawn of it."""

    cases: Sequence[Case]
    numbers: Mapping[str, int]
    band: int
    """Pixels that are drawn of each."""

    @property
    def pitch(self) -> int:
        """The pixels from one strategy to the next."""
        return NAME + self.band + GAP

    @property
    def height(self) -> int:
        """The pixels of a plot of all, its axis included."""
        return self.pitch * len(self.cases) + 60

    def find_span(self, row: int, part: int = 0, parts: int = 1) -> tuple[float, float]:
        """Return where a part of a row begins and ends, on an axis on which a row is 1 high."""
        each = self.band / parts
        top = row * self.pitch + NAME + part * each
        return top / self.pitch, (top + each - (parts > 1)) / self.pitch

    def start(self, low: float, high: float, *, wide: bool) -> Any:
        """Return a plot with a line for each strategy, from the lowest figure to the highest."""
        from bokeh.models import Range1d

        plot = start_plot(
            self.height, x="ms", wide=(wide, False), above=len(self.cases) > 8, zoom=False
        )
        plot.x_range = Range1d(low, high)
        plot.y_range = Range1d(len(self.cases), 0)
        plot.text(
            x=[low] * len(self.cases),
            y=[(row * self.pitch + NAME - 3) / self.pitch for row in range(len(self.cases))],
            text=[_name(case, self.numbers) for case in self.cases],
            text_font_size="12px",
            text_color=INK,
            x_offset=4,
        )
        return plot


def _name(case: Case, numbers: Mapping[str, int]) -> str:
    return f"#{numbers[case['id']]} {name_strategy(case, whole=False)}"


def _choose(cases: Sequence[Case]) -> list[Case]:
    return sorted(cases, key=lambda one: (one["refuted"], one["latency_s"]["median"]))[:MOST]


def _say_left(count: int) -> str:
    left = count - MOST
    return f" The {MOST} of the lowest medians; {left} more are in the table." if left > 0 else ""


# --- by block ------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Box:
    """What the requests of one block took, in milliseconds."""

    row: int
    block: int
    requests: int
    quantiles: tuple[float, ...]
    """Those of `QUANTILES`."""
    top: float
    bottom: float


def draw_blocks(
    name: str,
    cases: Sequence[Case],
    results: Mapping[str, Result],
    numbers: Mapping[str, int],
) -> Chart:
    """Draw the quantiles of each block of some measured cases."""
    chosen = _choose(cases)
    blocks = max(case["blocks"] for case in chosen)
    rows = Rows(chosen, numbers, min(MOST_BAND, max(12, THICKEST * blocks)))
    boxes = [box for row, case in enumerate(chosen) for box in _find_boxes(row, rows, results)]
    return Chart(
        name=name,
        title="Latency by block",
        words=(
            "One bar for each block of a strategy: its middle half of requests, its median as a "
            "line across, and thin lines from the 5 % to the 95 % quantile. Bars of one strategy "
            "that do not overlap say that its processes differ." + _say_left(len(cases))
        ),
        item=finish(_draw_boxes(boxes, rows), name),
        head=("#", "strategy", "block", "requests", *(f"{q:.0%} ms" for q in QUANTILES)),
        rows=tuple(
            (
                str(numbers[chosen[box.row]["id"]]),
                name_strategy(chosen[box.row], whole=False),
                str(box.block),
                str(box.requests),
                *(write_figure(one, 1) for one in box.quantiles),
            )
            for box in boxes
        ),
        height=rows.height,
    )


def _find_boxes(row: int, rows: Rows, results: Mapping[str, Result]) -> list[Box]:
    import numpy as np

    found = []
    measured = [
        (block.number, block.latency_s)
        for block in results[rows.cases[row]["id"]].measured
        if block.latency_s is not None
    ]
    for place, (number, seconds) in enumerate(measured):
        top, bottom = rows.find_span(row, place, len(measured))
        quantiles = tuple((1e3 * np.quantile(seconds, QUANTILES)).tolist())
        found.append(
            Box(
                row=row,
                block=number,
                requests=len(seconds),
                quantiles=quantiles,
                top=top,
                bottom=bottom,
            )
        )
    return found


def _draw_boxes(boxes: Sequence[Box], rows: Rows) -> Any:
    from bokeh.models import ColumnDataSource

    ends = [box.quantiles[0] for box in boxes] + [box.quantiles[-1] for box in boxes]
    wide = is_wide(ends)
    low, high = min(ends), max(ends)
    # A range without width shows nothing.
    room = 0.04 * (high - low or high)
    plot = rows.start(low / 1.1 if wide else max(0.0, low - room), high + room, wide=wide)
    source = ColumnDataSource(
        {
            **{f"q{at}": [box.quantiles[at] for box in boxes] for at in range(len(QUANTILES))},
            "top": [box.top for box in boxes],
            "bottom": [box.bottom for box in boxes],
            "middle": [(box.top + box.bottom) / 2 for box in boxes],
            "label": [_name(rows.cases[box.row], rows.numbers) for box in boxes],
            "block": [f"{box.block}, {box.requests} requests" for box in boxes],
            "median": [write_figure(box.quantiles[2], 1) for box in boxes],
        }
    )
    plot.segment("q0", "middle", "q4", "middle", source=source, line_color=BLUE, line_alpha=0.8)
    bars = plot.quad("q1", "q3", "top", "bottom", source=source, fill_color=BLUE, fill_alpha=0.6,
                     line_color=None)  # fmt: skip
    plot.segment("q2", "top", "q2", "bottom", source=source, line_width=2,
                          line_color=INK)  # fmt: skip
    add_hover(plot, [bars], {"": "label", "block": "block", "median ms": "median"})
    return plot


# --- by part -------------------------------------------------------------------------------------


def draw_parts(name: str, cases: Sequence[Case], numbers: Mapping[str, int]) -> Chart | None:
    """Draw the parts of a request of some measured cases; None where no part is known."""
    known = [case for case in cases if case["groups_s"]]
    if not known:
        return None
    chosen = _choose(known)
    rows = Rows(chosen, numbers, 14)
    used = [one for one in PARTS if any(case["groups_s"].get(one) for case in chosen)]
    return Chart(
        name=name,
        title="Where the time goes",
        words=(
            "The medians of the parts of a request, each by itself; they need not add up to the "
            "median of the whole, which the line across marks." + _say_left(len(known))
        ),
        item=finish(_draw_parts(used, rows), name),
        keys=tuple(Key(*PARTS[one]) for one in used),
        head=("#", "strategy", *(f"{PARTS[one][0]} ms" for one in used), "whole ms"),
        rows=tuple(
            (
                str(numbers[case["id"]]),
                name_strategy(case, whole=False),
                *(write_amount(case["groups_s"].get(one), 1e3) for one in used),
                write_figure(case["latency_s"]["median"], 1e3),
            )
            for case in chosen
        ),
        height=rows.height,
    )


def _draw_parts(used: Sequence[str], rows: Rows) -> Any:
    from bokeh.models import ColumnDataSource

    spans = [rows.find_span(row) for row in range(len(rows.cases))]
    whole = [1e3 * case["latency_s"]["median"] for case in rows.cases]
    left = [0.0] * len(rows.cases)
    stacks = []
    for part in used:
        # What is in no part may be less than nothing, by the noise of clocks.
        spent = [max(0.0, 1e3 * case["groups_s"].get(part, 0.0)) for case in rows.cases]
        right = [begin + one for begin, one in zip(left, spent, strict=True)]
        stacks.append((part, left, right, spent))
        left = right
    plot = rows.start(0.0, 1.04 * max([*left, *whole]), wide=False)
    drawn = []
    for part, begin, end, spent in stacks:
        label, colour = PARTS[part]
        source = ColumnDataSource(
            {
                "left": begin,
                "right": end,
                "top": [top for top, _ in spans],
                "bottom": [bottom for _, bottom in spans],
                "label": [_name(case, rows.numbers) for case in rows.cases],
                "part": [label] * len(spent),
                "ms": [write_amount(one, 1) for one in spent],
            }
        )
        drawn.append(plot.quad("left", "right", "top", "bottom", source=source, color=colour))
    plot.segment(
        x0=whole,
        x1=whole,
        y0=[top - 0.03 for top, _ in spans],
        y1=[bottom + 0.03 for _, bottom in spans],
        line_width=2,
        line_color=INK,
    )
    add_hover(plot, drawn, {"": "label", "part": "part", "ms": "ms"})
    return plot
