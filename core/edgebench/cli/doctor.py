"""`edgebench doctor`: what this machine can do, and how to get what is missing."""

from __future__ import annotations

import argparse
from typing import Any

import attrs

from edgebench.cli.common import Common
from edgebench.components import Backend, Fabric, Tier

__all__ = ["configure", "run"]


def configure(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "doctor", help="say what this machine can do, and how to get what is missing"
    )
    return parser


def run(args: argparse.Namespace, common: Common) -> int:
    """Print backends and fabrics with what speaks against them; status 1 if no backend works."""
    from edgebench.environment import describe

    machine = attrs.asdict(describe())
    fabrics = [_fabric(line, common) for line in common.plugins.listed(Fabric)]
    backends = _backends(common, [row["name"] for row in fabrics if row["usable"]])
    faults = [str(fault) for fault in common.plugins.faults]
    if common.json:
        common.emit(
            {"machine": dict(machine), "backends": backends, "fabrics": fabrics, "faults": faults}
        )
    else:
        _show(machine, backends, fabrics, faults, common)
    return int(bool(faults) or not any(row["usable"] for row in backends))


def _fabric(line: Any, common: Common) -> dict[str, Any]:
    why = line.why_not
    if why is None:
        said = line.record.usable()
        why = None if said is True else str(said or "not usable")
    enforces = dict(line.record.enforces) if line.record else {}
    return {"name": line.name, "usable": why is None, "why_not": why, "enforces": enforces}


def _backends(common: Common, fabrics: list[str]) -> list[dict[str, Any]]:
    from edgebench.plan.usable import Usability

    tiers = list(common.plugins.all(Tier).values())
    rows: list[dict[str, Any]] = []
    for fabric in fabrics:
        record = common.plugins.get(Fabric, fabric)
        with record.open(tiers, common.registry.links) as hosts:
            usability = Usability(common.plugins, {name: h.facts() for name, h in hosts.items()})
        usability.ask([(name, "") for name in common.plugins.all(Backend)])
        lines = common.plugins.listed(Backend)
        rows.extend(_backend(line, fabric, usability) for line in lines)
    return rows


def _backend(line: Any, fabric: str, usability: Any) -> dict[str, Any]:
    by_tier: dict[str, str | None] = {}
    if line.why_not is None:
        by_tier = {tier: usability.why_not(line.name, "", tier) for tier in usability.hosts}
    usable = any(why is None for why in by_tier.values())
    why = line.why_not or "; ".join(f"{tier}: {said}" for tier, said in by_tier.items() if said)
    return {"name": line.name, "fabric": fabric, "usable": usable, "why_not": why or None}


def _show(machine: Any, backends: Any, fabrics: Any, faults: list[str], common: Common) -> None:
    from edgebench.cli.tables import facts_table, table

    flat = {key: value for key, value in machine.items() if not isinstance(value, dict)}
    unread = {key: "not readable here" for key, value in flat.items() if value is None}
    common.show(facts_table("this machine", {**flat, **unread}))
    cells = (
        [r["name"], r["fabric"], "yes" if r["usable"] else "no", r["why_not"] or ""]
        for r in backends
    )
    common.show(table("backends", ("name", "fabric", "usable", "why not, or where not"), cells))
    rows = (
        [r["name"], "yes" if r["usable"] else "no", r["why_not"] or _how(r["enforces"])]
        for r in fabrics
    )
    common.show(table("fabrics", ("name", "usable", "why not, or how it enforces"), rows))
    for fault in faults:
        common.show(fault)


def _how(enforces: dict[str, str]) -> str:
    return "; ".join(f"{thing}: {how}" for thing, how in enforces.items())
