"""Everything known of one thing, as one document."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import attrs

from edgebench.catalogue.rows import KINDS
from edgebench.cli.common import Common
from edgebench.cli.list_ import catalogue
from edgebench.parts.changes import Operator
from edgebench.parts.component import Component
from edgebench.parts.errors import UnknownName
from edgebench.parts.places import Link
from edgebench.parts.subjects import Model

Facts = dict[str, Any]


def known(kind: str, name: str, common: Common) -> Facts:
    """Return what is known of one thing: `name`, `summary`, then what its kind has.

    Raises:
        UnknownName: There is no such kind, or none of that kind is called so.
    """
    if kind in KINDS:
        return _part(KINDS[kind], name, common)
    if kind not in _OTHERS:
        raise UnknownName.among("kind", kind, [*KINDS, *_OTHERS])
    return _OTHERS[kind](name, common)


def _found(kind: str, name: str, rows: Mapping[str, Any]) -> Any:
    if name not in rows:
        raise UnknownName.among(kind, name, rows)
    return rows[name]


# --- parts ---------------------------------------------------------------------------------------

_APART = ("name", "summary", "options", "variants")
_UNITS = {"memory": "memory_bytes", "rate": "rate_bit_s", "delay": "delay_s"}
"""Fields of records whose unit their documents name."""


def _part(kind: type[Component], name: str, common: Common) -> Facts:
    stem, _, variant = name.partition(":") if kind is Model else (name, "", "")
    record = common.plugins.get(kind, stem)
    owner = common.plugins.owner(kind, stem)
    facts: Facts = {"name": record.name, "summary": record.summary}
    facts |= {key: value for key, value in _plain(record).items() if key not in _APART}
    facts |= {
        "plugin": owner.plugin,
        "distribution": owner.distribution,
        "version": owner.version,
        "origin": owner.origin,
    }
    if isinstance(record, Operator):
        facts["needs"] = sorted(record.needed(record.options()))
        facts["cuts"] = record.cuts(record.options())
    if isinstance(record, Model):
        chosen = [record.variant(variant)] if variant else record.variants
        facts["variants"] = [_plain(one) for one in chosen]
        facts["assets"] = list(_assets({one.asset for one in chosen}, common))
    if options := getattr(record, "options", None):
        facts["options"] = _options(options)
    return facts


def _assets(names: Iterable[str], common: Common) -> Iterator[Facts]:
    """Yield what is known of the files that hold weights; without a row none can be downloaded."""
    for name in sorted(names):
        if asset := common.registry.assets.get(name):
            yield {
                "name": asset.name,
                "summary": asset.summary,
                "licence": asset.licence,
                "size_bytes": asset.size,
                "sha256": asset.sha256,
                "sha256_digits": len(asset.sha256),
                "score": asset.score,
            }


def _plain(value: Any) -> Any:
    """Return a record as what JSON has; of its callables, whether those are there that need not."""
    if attrs.has(type(value)):
        return dict(_fields(value))
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _fields(record: Any) -> Iterator[tuple[str, Any]]:
    for field in attrs.fields(type(record)):
        value = getattr(record, field.name)
        if callable(value) or (value is None and "Callable" in str(field.type)):
            if field.default is None:
                yield field.name, value is not None
        else:
            yield _UNITS.get(field.name, field.name), _plain(value)


def _options(options: type) -> list[Facts]:
    documented = _attribute_docs(options)
    defaults = options()
    return [
        {
            "name": field.name,
            "type": field.type if isinstance(field.type, str) else _type_name(field.type),
            "default": _plain(getattr(defaults, field.name)),
            "doc": documented.get(field.name, ""),
        }
        for field in attrs.fields(options)
    ]


def _type_name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)


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


# --- what is no part -----------------------------------------------------------------------------


def _suite(name: str, common: Common) -> Facts:
    suite = _found("suite", name, common.registry.suites)
    return {
        "name": suite.name,
        "summary": suite.summary,
        "blocks": suite.blocks,
        "requests": suite.requests,
        "cases": [_plain(row) for row in suite.products],
        "skip": [_plain(row) for row in suite.skips],
        "links": [_plain(link) for link in suite.links],
    }


def _hybrid(name: str, common: Common) -> Facts:
    chain = _found("hybrid", name, common.registry.hybrids)
    return {"name": name, "summary": f"Short for {chain}.", "chain": chain}


def _link(name: str, common: Common) -> Facts:
    links = {"-".join(link.between): link for link in common.registry.links}
    turned = "-".join(reversed(name.split("-")))
    link: Link = _found("link", turned if turned in links else name, links)
    shown = "-".join(link.between)
    return {"name": shown, "summary": f"What joins {shown}.", **_plain(link)}


def _named(rows: Iterable[Mapping[str, Any]]) -> dict[str, Facts]:
    return {row["name"]: dict(row) for row in rows}


def _variant(name: str, common: Common) -> Facts:
    return dict(_found("variant", name, _named(catalogue(common, ["variants"])["variants"])))


def _plugin(name: str, common: Common) -> Facts:
    facts = dict(_found("plugin", name, _named(catalogue(common, ["plugins"])["plugins"])))
    row = common.registry.plugins.get(name)
    facts["requires"] = list(row.requires) if row else []
    facts["install"] = row.install if row else ""
    return facts


_OTHERS: Mapping[str, Callable[[str, Common], Facts]] = {
    "variant": _variant,
    "hybrid": _hybrid,
    "link": _link,
    "suite": _suite,
    "plugin": _plugin,
}
