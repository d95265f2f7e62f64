"""`edgebench show KIND NAME`: everything known of one thing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgebench.cli.common import Common
from edgebench.cli.known import known

if TYPE_CHECKING:
    from rich.console import RenderableType

SCHEMA = 2
"""The version of the document that this command prints."""
MOST_COLUMNS = 9
"""Of a table that is as wide as a page."""


def configure(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "show", help="show everything known of one part, suite, hybrid, link or plugin"
    )
    parser.add_argument("kind", metavar="KIND", help="model, operator, backend, suite, ...")
    parser.add_argument("name", metavar="NAME", help="a name that `edgebench list` shows")
    return parser


def run(args: argparse.Namespace, common: Common) -> int:
    """Print what is known."""
    kind = args.kind.removesuffix("s")
    facts = known(kind, args.name, common)
    if common.json:
        common.emit({"schema": SCHEMA, "kind": kind, **facts})
        return 0
    from edgebench.cli.tables import facts_table

    rows = {key: value for key, value in facts.items() if _is_table(value)}
    plain = {_label(key): _text(key, facts[key]) for key in facts if key not in rows}
    common.show(facts_table(f"{kind} {facts['name']}", plain))
    for title, found in rows.items():
        for laid in _laid(title, found):
            common.show(laid)
    return 0


def _laid(title: str, found: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    """Lay records out as one table, or, where that were too wide to read, each with its facts."""
    from edgebench.cli.tables import facts_table, table

    if len(found[0]) <= MOST_COLUMNS:
        columns = [_label(key) for key in found[0]]
        yield table(title, columns, ([_text(*one) for one in row.items()] for row in found))
        return
    for row in found:
        facts = {_label(key): said for key, one in row.items() if (said := _text(key, one)) != "-"}
        yield facts_table(f"\n{title.removesuffix('s')} {facts.pop('name', '')}".rstrip(), facts)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


UNITS = {"memory_bytes": 1 / 2**30, "rate_bit_s": 1e-6, "delay_s": 1e3}
NAMES = {"memory_bytes": "memory GiB", "rate_bit_s": "rate Mbit/s", "delay_s": "delay ms",
         "size_bytes": "bytes", "sha256_digits": "digits of 64"}  # fmt: skip


def _label(key: str) -> str:
    return NAMES.get(key, key)


def _text(key: str, value: Any) -> str:
    if value is None or value == "" or value == [] or value == {}:
        return "-"
    if key in UNITS:
        return f"{value * UNITS[key]:g}"
    if key == "between":
        return "-".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        # A record among others goes by its name, the first of its fields.
        named = [next(iter(one.values())) if isinstance(one, Mapping) else one for one in value]
        return ", ".join(_text("", one) for one in named)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text('', one)}" for name, one in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
