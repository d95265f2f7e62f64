"""`edgebench list [KIND...]`: what there is, where it comes from, and how to get the rest."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edgebench.catalogue.rows import KINDS
from edgebench.cli.common import Common
from edgebench.parts.errors import UnknownName
from edgebench.parts.subjects import Dataset, Model

Row = Mapping[str, Any]

PARTS = ("model", "dataset", "operator", "tier", "fabric", "backend", "format", "converter",
         "trainer", "reporter")  # fmt: skip


def configure(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "list", help="list what there is: models, operators, backends, suites, ..."
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(_READERS))
    return parser


def run(args: argparse.Namespace, common: Common) -> int:
    """Print the kinds asked for, or all."""
    listed = catalogue(common, args.kinds or _SHOWN)
    if common.json:
        common.emit({kind: list(rows) for kind, rows in listed.items()})
    else:
        from edgebench.cli.tables import catalogue_tables

        for table in catalogue_tables(listed):
            common.show(table)
    for fault in common.plugins.faults:
        common.note_fault(fault)
    return 0


def catalogue(common: Common, kinds: Sequence[str]) -> dict[str, list[Row]]:
    """Return the rows of each kind.

    Raises:
        UnknownName: No kind is called so.
    """
    for kind in kinds:
        if kind not in _READERS:
            raise UnknownName.among("kind", kind, _READERS)
    return {kind: _READERS[kind](common) for kind in kinds}


def _parts(kind: str) -> Callable[[Common], list[Row]]:
    def rows(common: Common) -> list[Row]:
        return [_part(kind, line) for line in common.plugins.listed(KINDS[kind])]

    return rows


def _part(kind: str, line: Any) -> Row:
    row: dict[str, Any] = {
        "name": line.name,
        "summary": line.record.summary if line.record else "",
        "plugin": line.plugin,
        "distribution": line.distribution,
        "installed": not line.why_not,
        "why_not": line.why_not or None,
    }
    if isinstance(line.record, Model):
        row["variants"] = [
            {
                "name": v.name,
                "parameters": v.parameters,
                "weights": list(v.weights),
                "dataset": line.record.dataset_of(v.name) or None,
            }
            for v in line.record.variants
        ]
    if isinstance(line.record, Dataset):
        row["synthetic"] = line.record.synthetic
        row["given"] = line.record.samples is None
    return row


def _variants(common: Common) -> list[Row]:
    return [
        {
            "name": f"{model.name}:{variant.name}",
            "summary": variant.summary or model.summary,
            "parameters": variant.parameters,
            "weights": list(variant.weights),
            "dataset": model.dataset_of(variant.name) or None,
            "plugin": common.plugins.owner(Model, model.name).plugin,
            "installed": True,
            "why_not": None,
        }
        for model in common.plugins.all(Model).values()
        for variant in model.variants
    ]


def _hybrids(common: Common) -> list[Row]:
    return [_own(name, chain) for name, chain in common.registry.hybrids.items()]


def _links(common: Common) -> list[Row]:
    return [
        _own("-".join(link.between), link.source) | {"rate_bit_s": link.rate, "delay_s": link.delay}
        for link in common.registry.links
    ]


def _suites(common: Common) -> list[Row]:
    return [
        _own(suite.name, suite.summary) | {"blocks": suite.blocks, "requests": suite.requests}
        for suite in common.registry.suites.values()
    ]


def _own(name: str, summary: str) -> dict[str, Any]:
    return {
        "name": name, "summary": summary, "plugin": "registry", "installed": True, "why_not": None
    }  # fmt: skip


def _plugins(common: Common) -> list[Row]:
    return [
        {
            "name": status.name,
            "summary": ", ".join(f"{kind} {name}" for kind, name in status.offers),
            "plugin": status.name,
            "distribution": status.distribution,
            "version": status.version,
            "origin": status.origin,
            "status": status.status,
            "installed": status.status == "installed",
            "why_not": status.why or None,
        }
        for status in common.plugins.rows()
    ]


_READERS: Mapping[str, Callable[[Common], list[Row]]] = {
    **{f"{kind}s": _parts(kind) for kind in PARTS[:3]},
    "variants": _variants,
    "hybrids": _hybrids,
    "tiers": _parts("tier"),
    "links": _links,
    "fabrics": _parts("fabric"),
    "backends": _parts("backend"),
    "suites": _suites,
    "plugins": _plugins,
    **{f"{kind}s": _parts(kind) for kind in PARTS[6:]},
}
_SHOWN = ("models", "variants", "datasets", "operators", "hybrids", "tiers", "links", "fabrics",
          "backends", "suites", "plugins")  # fmt: skip
