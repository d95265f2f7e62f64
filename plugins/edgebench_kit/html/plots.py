"""Starts and finishes charts: their axes, their keys, and what they say to who cannot see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

BLUE, ORANGE, TEAL, RED = "#0077bb", "#ee7733", "#009988", "#cc3311"
CYAN, MAGENTA, GREY, INDIGO = "#33bbee", "#ee3377", "#8c8c8c", "#7a5ea8"
"""Colours that those who see colours otherwise tell apart, on light and on dark: Tol's «vibrant»
(https://sronpersonalpages.nl/~pault/) and two for what stands back."""
INK, FAINT = "#404142", "#d0d1d2"
"""What stands in charts for the colours of texts and of lines behind all else: the page puts its
own there, as it knows whether it is light or dark."""
WIDE_RANGE = 8
"""An axis whose largest figure is so many times its smallest is logarithmic."""


@attrs.frozen
class Key:
    """What one colour or shape of a chart stands for."""

    label: str
    colour: str
    mark: str = "■"


@attrs.frozen(kw_only=True)
class Chart:
    """A chart, and the same in words and as a table."""

    name: str
    """An id within the page."""
    title: str
    words: str
    """What it shows, in a sentence or some."""
    item: Mapping[str, Any]
    """What the charting library draws, as JSON."""
    keys: tuple[Key, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    """The figures that are drawn, as they are written for people."""
    height: int
    """Pixels that it takes."""


def is_wide(values: Sequence[float]) -> bool:
    """Say whether figures reach so far that only a logarithmic axis shows the small ones."""
    return bool(values) and min(values) > 0 and max(values) > WIDE_RANGE * min(values)


def start_plot(
    height: int,
    *,
    x: str,
    y: str = "",
    wide: tuple[bool, bool] = (False, False),
    above: bool = False,
    zoom: bool = True,
) -> Any:
    """Return an empty plot as wide as the page.

    Args:
        height: In pixels.
        x: The name and unit of the horizontal axis.
        y: The same of the vertical axis; it is not drawn where it has no name.
        wide: Whether each of the two is logarithmic.
        above: Whether the horizontal axis stands above what is drawn.
        zoom: Whether a part of it may be enlarged.
    """
    from bokeh.plotting import figure

    plot = figure(
        height=height,
        sizing_mode="stretch_width",
        x_axis_type="log" if wide[0] else "linear",
        y_axis_type="log" if wide[1] else "linear",
        x_axis_location="above" if above else "below",
        x_axis_label=x,
        y_axis_label=y or None,
        tools="box_zoom,reset" if zoom else "",
        toolbar_location="right" if zoom else None,
        background_fill_alpha=0,
        border_fill_alpha=0,
        outline_line_color=None,
        min_border=4,
    )
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    for axis in (plot.xaxis, plot.yaxis):
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_color = axis.major_label_text_color = INK
        axis.axis_line_color = axis.major_tick_line_color = FAINT
        axis.minor_tick_line_color = None
    _write_plainly(plot, wide)
    plot.grid.grid_line_color = FAINT
    plot.grid.grid_line_alpha = 0.6
    if not y:
        plot.yaxis.visible = False
        plot.ygrid.visible = False
    return plot


def _write_plainly(plot: Any, wide: tuple[bool, bool]) -> None:
    """Let a logarithmic axis say 10 and 20, and not powers of ten."""
    from bokeh.models import FixedTicker, NumeralTickFormatter

    # Of few decades the library makes steps that are alike, and so leaves the small ones bare.
    ticks = [step * 10.0**power for power in range(-4, 7) for step in (1, 2, 5)]
    for axis, logarithmic in ((plot.xaxis, wide[0]), (plot.yaxis, wide[1])):
        if logarithmic:
            axis.ticker = FixedTicker(ticks=ticks)
            axis.formatter = NumeralTickFormatter(format="0[.][0000]")


def add_hover(plot: Any, renderers: Sequence[Any], told: Mapping[str, str]) -> None:
    """Let a plot tell of what is pointed at: some labels, each with a column of its source."""
    from bokeh.models import HoverTool

    tips = [(label, f"@{{{column}}}") for label, column in told.items()]
    plot.add_tools(HoverTool(tooltips=tips, renderers=list(renderers), visible=False))


def finish(plot: Any, name: str) -> Mapping[str, Any]:
    """Return what the script of the page draws into the element of that id, as JSON."""
    from bokeh.embed import json_item

    item: Mapping[str, Any] = json_item(plot, target=name)
    return item
