"""`edgebench show KIND NAME`: everything known of one thing."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import attrs

from edgebench.cli.common import Common
from edgebench.components import Component, Model, Operator
from edgebench.errors import UnknownName
from edgebench.registry import KINDS

__all__ = ["configure", "run"]


def configure(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "show", help="show everything known of one part, suite, hybrid or link"
    )
    parser.add_argument("kind", metavar="KIND", help="model, operator, backend, suite, ...")
    parser.add_argument("name", metavar="NAME")
    return parser


def run(args: argparse.Namespace, common: Common) -> int:
    """Print what is known."""
    kind = args.kind.removesuffix("s")
    facts = _facts(kind, args.name, common)
    if common.json:
        common.emit({"kind": kind, **facts})
        return 0
    from edgebench.cli.tables import facts_table, table

    options, variants = facts.pop("options", ()), facts.pop("variants", ())
    common.show(facts_table(f"{kind} {facts['name']}", {k: _text(v) for k, v in facts.items()}))
    if options:
        rows = ([o["name"], o["type"], o["default"], o["doc"]] for o in options)
        common.show(table("options", ("name", "type", "default", ""), rows))
    if variants:
        common.show(
            table("variants", list(variants[0]), ([*map(_text, v.values())] for v in variants))
        )
    return 0


def _facts(kind: str, name: str, common: Common) -> dict[str, Any]:
    if kind in KINDS:
        return _part_facts(KINDS[kind], name.partition(":")[0], common)
    if kind not in _OTHERS:
        raise UnknownName.among("kind", kind, [*KINDS, *_OTHERS])
    return _OTHERS[kind](name, common)


def _text(value: Any) -> str:
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(one)}" for key, one in value.items())
    return str(value)


def _part_facts(kind: type[Component], name: str, common: Common) -> dict[str, Any]:
    record = common.plugins.get(kind, name)
    owner = common.plugins.owner(kind, name)
    facts: dict[str, Any] = {"name": record.name, "summary": record.summary}
    facts |= {
        field.name: _plain(getattr(record, field.name))
        for field in attrs.fields(type(record))
        if field.name not in ("name", "summary", "options", "variants")
        and not callable(getattr(record, field.name))
    }
    facts["plugin"] = owner.plugin
    facts["source"] = f"{owner.distribution} {owner.version}".strip() or owner.origin
    facts["module"] = owner.origin
    options = getattr(record, "options", None)
    if options is not None:
        facts["options"] = _options(options)
    if isinstance(record, Model):
        facts["variants"] = [_variant(variant) for variant in record.variants]
    if isinstance(record, Operator):
        facts["adds cuts"] = record.cuts(record.options())
    return facts


def _plain(value: Any) -> Any:
    if attrs.has(type(value)):
        return attrs.asdict(value)
    if isinstance(value, tuple | frozenset | set):
        return [_plain(one) for one in (value if isinstance(value, tuple) else sorted(value))]
    if isinstance(value, Mapping):
        return dict(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _variant(variant: Any) -> dict[str, Any]:
    return {
        "name": variant.name,
        "parameters": variant.parameters,
        "weights": list(variant.weights),
        "summary": variant.summary,
    }


def _options(options: type) -> list[dict[str, Any]]:
    documented = _attribute_docs(options)
    defaults = options()
    return [
        {
            "name": field.name,
            "type": str(getattr(field.type, "__name__", field.type)),
            "default": str(getattr(defaults, field.name)),
            "doc": documented.get(field.name, ""),
        }
        for field in attrs.fields(options)
    ]


def _attribute_docs(options: type) -> dict[str, str]:
    """Return the texts that stand under the fields of a class."""
    import ast
    import textwrap

    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(options))).body[0]
    except (OSError, TypeError):
        # A class made without source, as in a console, has no texts to show.
        return {}
    found: dict[str, str] = {}
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for field, text in pairwise(statements):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            value = getattr(text.value, "value", None)
            if isinstance(field.target, ast.Name) and isinstance(value, str):
                found[field.target.id] = " ".join(value.split())
    return found


def _suite(name: str, common: Common) -> dict[str, Any]:
    suites = common.registry.suites
    if name not in suites:
        raise UnknownName.among("suite", name, suites)
    return dict(attrs.asdict(suites[name]))


def _hybrid(name: str, common: Common) -> dict[str, Any]:
    hybrids = common.registry.hybrids
    if name not in hybrids:
        raise UnknownName.among("hybrid", name, hybrids)
    return {"name": name, "chain": hybrids[name]}


def _link(name: str, common: Common) -> dict[str, Any]:
    links = {"-".join(link.between): link for link in common.registry.links}
    if name not in links:
        raise UnknownName.among("link", name, links)
    return {"name": name, **attrs.asdict(links[name])}


_OTHERS: Mapping[str, Callable[[str, Common], dict[str, Any]]] = {
    "suite": _suite,
    "hybrid": _hybrid,
    "link": _link,
}
