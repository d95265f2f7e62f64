"""Tables for people: functions that lay out, and print nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table
from rich.text import Text

from edgebench.catalogue.registry import shipped_registry

Item = Mapping[str, Any]
BETWEEN = 3
"""Blanks that a table has for each of its columns, but for the last, which has one less."""
LONGEST_WORD = 32
"""What is longer may be folded inside."""


def table(
    title: str,
    columns: Sequence[str],
    lines: Iterable[Sequence[Any]],
    *,
    folded: int | None = None,
) -> Table:
    """Lay out lines under columns; what users or plugins wrote is shown as it is.

    The first column is never folded; only the one that is *folded* is, where it is given.
    """
    laid = _Lines(title=Text(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        whole = number == 0 if folded is None else number != folded
        laid.add_column(Text(column), overflow="fold", no_wrap=whole)
    for line in lines:
        laid.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in line))
    return laid


class _Lines(Table):
    """A table that is folded between words, where each of its columns has room for its longest."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Share the width out among the columns that fold, and render."""
        folding = [column for column in self.columns if not column.no_wrap]
        wholes = [column for column in self.columns if column.no_wrap]
        taken = sum(max(_measure(column)) for column in wholes) + BETWEEN * len(self.columns) - 1
        widths = _share_out([_measure(one) for one in folding], options.max_width - taken)
        for column, width in zip(folding, widths, strict=True):
            column.width = width
        yield from super().__rich_console__(console, options)


def _measure(column: Column) -> tuple[int, int]:
    """Return the width of the longest word of a column, or of most of it, and of its longest line.

    A path is a word as well, and would take the room of all others.
    """
    texts = [str(one) for one in (column.header, *column.cells)]
    word = max((cell_len(word) for text in texts for word in text.split()), default=0)
    line = max((cell_len(line) for text in texts for line in text.splitlines()), default=0)
    return min(word, LONGEST_WORD), line


def _share_out(wanted: Sequence[tuple[int, int]], width: int) -> list[int | None]:
    """Return the widths of columns of which the least and the best are known; None for any."""
    widths = [best for _, best in wanted]
    while sum(widths) > width:
        spare = [now if now > least else 0 for now, (least, _) in zip(widths, wanted, strict=True)]
        if not any(spare):
            return [None] * len(wanted)
        widths[spare.index(max(spare))] -= 1
    return [*widths]


def pair_table(title: str, values: Item) -> Table:
    """Lay out names and their values, one a line."""
    laid = Table(title=Text(title), title_justify="left", box=None, show_header=False)
    laid.add_column(no_wrap=True)
    laid.add_column(overflow="fold")
    for name, value in values.items():
        laid.add_row(Text(name), Text(str(value)))
    return laid


# --- what `list` found ---------------------------------------------------------------------------


def lay_out_kind(kind: str, items: Iterable[Item]) -> Table:
    """Lay out the items of one kind."""
    columns = _COLUMNS.get(kind, {})
    cells = (
        [item["name"], *(write(item) for write in columns.values()), _summary(item), _source(item)]
        for item in items
    )
    return table(kind, ("name", *columns, "summary", "from"), cells)


def _summary(item: Item) -> Text:
    if item["installed"]:
        return Text(item["summary"])
    return Text(item["why_not"] or item["summary"], style="yellow")


def _source(item: Item) -> str:
    if item.get("registry") not in (None, str(shipped_registry())):
        return str(item["registry"])
    return write_origin(item) if "origin" in item else str(item["plugin"])


def write_origin(plugin: Item) -> str:
    """Write where a plugin comes from: its distribution, or its file."""
    return f"{plugin['distribution']} {plugin['version']}".strip() or str(plugin["origin"])


def _write_variants(model: Item) -> str:
    return ", ".join(
        f"{one['name']} ({_write_count(one['parameters'])})" if one["parameters"] else one["name"]
        for one in model.get("variants", ())
    )


def _write_count(number: int) -> str:
    """Write a number of parameters for people, in thousands or millions."""
    for scale, unit in ((1e6, " M"), (1e3, " k")):
        if number >= scale:
            return f"{number / scale:.3g}{unit}"
    return str(number)


def _write_inputs(dataset: Item) -> str:
    if "given" not in dataset:
        # Its plugin cannot be imported: what it needs is not known.
        return ""
    if dataset["given"]:
        return f"--data {dataset['name']}=DIR"
    return "synthetic" if dataset["synthetic"] else "made here"


_WAY: Mapping[str, Callable[[Item], str]] = {
    "rate": lambda link: f"{link['rate_bit_s'] / 1e6:g} Mbit/s",
    "delay": lambda link: f"{link['delay_s'] * 1e3:g} ms",
}
_COLUMNS: Mapping[str, Mapping[str, Callable[[Item], str]]] = {
    "models": {"variants": _write_variants},
    "datasets": {"inputs": _write_inputs},
    "devices": {
        "GFLOPS": lambda device: f"{device['gflops']:g}",
        "CPUs": lambda device: str(device["cpus"]),
    },
    "networks": _WAY,
    "links": _WAY,
    "variants": {"parameters": lambda variant: write_value("parameters", variant["parameters"])},
}
"""What stands between name and summary: the columns of a kind, and how their cells are written."""


# --- what `show` knows ---------------------------------------------------------------------------

MOST_COLUMNS = 9
"""Of a table that is as wide as a page."""
_FACTORS = {"memory_bytes": 1 / 2**30, "rate_bit_s": 1e-6, "delay_s": 1e3}
_LABELS = {"memory_bytes": "memory GiB", "rate_bit_s": "rate Mbit/s", "delay_s": "delay ms",
           "size_bytes": "bytes", "sha256_digits": "digits of 64",
           "needs_with": "needs more with"}  # fmt: skip


def lay_out_description(kind: str, description: Item) -> Iterator[Table]:
    """Lay out what is known of one thing: its values, then a table of each list of records."""
    records = {key: value for key, value in description.items() if _is_records(value)}
    values = {key: value for key, value in description.items() if key not in records}
    yield pair_table(f"{kind} {description['name']}", _write_item(values))
    for title, items in records.items():
        yield from _lay_out_records(_LABELS.get(title, title), items)


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _lay_out_records(title: str, items: Sequence[Item]) -> Iterator[Table]:
    """Lay records out as one table, or, where that were too wide to read, each by itself."""
    written = [_write_item(item) for item in items]
    if len(items[0]) <= MOST_COLUMNS:
        yield table(title, list(written[0]), ([*item.values()] for item in written))
        return
    for item in written:
        name = item.pop("name", "")
        said = {label: text for label, text in item.items() if text != "-"}
        yield pair_table(f"\n{title.removesuffix('s')} {name}".rstrip(), said)


def _write_item(item: Item) -> dict[str, str]:
    return {_LABELS.get(key, key): write_value(key, value) for key, value in item.items()}


def write_value(key: str, value: Any) -> str:
    """Write a value for people; its key says the unit that it has, and its label the one shown."""
    if value is None or value in ("", [], {}):
        return "-"
    if key in _FACTORS:
        return f"{value * _FACTORS[key]:g}"
    if key == "between":
        return "-".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        # A record among others goes by its name, the first of its fields.
        named = [next(iter(one.values())) if isinstance(one, Mapping) else one for one in value]
        return ", ".join(write_value("", one) for one in named)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {write_value('', one)}" for name, one in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def write_size(count: float) -> str:
    """Write bytes for people, in decimal units."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} bytes"
