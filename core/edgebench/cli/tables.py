"""Tables for people: functions that lay out, and print nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Lay out rows under columns; what users or plugins wrote is shown as it is."""
    laid = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        laid.add_column(Text(column), overflow="fold", no_wrap=number == 0)
    for row in rows:
        laid.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return laid


def facts_table(title: str, facts: Mapping[str, Any]) -> Table:
    """Lay out facts, one a line."""
    laid = Table(title=Text(title), title_justify="left", box=None, show_header=False)
    laid.add_column(no_wrap=True)
    laid.add_column(overflow="fold")
    for name, value in facts.items():
        laid.add_row(Text(name), Text(str(value)))
    return laid


def catalogue_tables(listed: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[RenderableType]:
    """Lay out what `list` found, a table a kind."""
    for kind, rows in listed.items():
        columns = ("name", *_EXTRA.get(kind, ()), "summary", "from")
        yield table(kind, columns, (_cells(kind, row) for row in rows))


_EXTRA = {
    "models": ("variants",),
    "datasets": ("inputs",),
    "links": ("rate", "delay"),
    "variants": ("parameters",),
}


def _cells(kind: str, row: Mapping[str, Any]) -> list[Any]:
    summary = row["summary"] if row["installed"] else row["why_not"] or row["summary"]
    style = "" if row["installed"] else "yellow"
    source = origin(row) if kind == "plugins" else row["plugin"]
    return [row["name"], *_extra(kind, row), Text(str(summary), style=style), source]


def origin(plugin: Mapping[str, Any]) -> str:
    """Write where a plugin comes from: its distribution, or its file."""
    return f"{plugin['distribution']} {plugin['version']}".strip() or str(plugin["origin"])


def _extra(kind: str, row: Mapping[str, Any]) -> list[str]:
    if kind == "models":
        return [", ".join(_variant(variant) for variant in row.get("variants", ()))]
    if kind == "datasets":
        return [_inputs(row)]
    if kind == "links":
        return [rate(row["rate_bit_s"]), f"{row['delay_s'] * 1e3:g} ms"]
    if kind == "variants":
        return [f"{row['parameters']:,}" if row["parameters"] else "-"]
    return []


def _variant(variant: Mapping[str, Any]) -> str:
    count = variant["parameters"]
    return f"{variant['name']} ({_count(count)})" if count else str(variant["name"])


def _count(number: int) -> str:
    """Write a number of parameters for people, in thousands or millions."""
    for scale, unit in ((1e6, " M"), (1e3, " k")):
        if number >= scale:
            return f"{number / scale:.3g}{unit}"
    return str(number)


def _inputs(dataset: Mapping[str, Any]) -> str:
    if "given" not in dataset:
        # Its plugin cannot be imported: what it needs is not known.
        return ""
    if dataset["given"]:
        return f"--data {dataset['name']}=DIR"
    return "synthetic" if dataset["synthetic"] else "made here"


def rate(bits: float) -> str:
    """Write bits a second for people."""
    return f"{bits / 1e6:g} Mbit/s"


def size(count: float | None) -> str:
    """Write bytes for people, in decimal units."""
    if count is None:
        return "-"
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} bytes"
