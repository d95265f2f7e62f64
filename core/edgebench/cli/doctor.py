"""`edgebench doctor`: what this machine can do, and how to get what is missing."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cli.common import Common
from edgebench.parts.places import Backend, Fabric, Tier

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edgebench.cases.usable import Usability
    from edgebench.catalogue.standing import Listed

ROUNDS, STEPS = 300, 10_000
"""Of the fixed work that shows how noisy the machine is: a tenth of a second in all."""
NOISY = 1.1
"""The 95th percentile of a fixed work in medians, from which on a machine is called noisy."""


def configure(commands: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "doctor", help="say what this machine can do, and how to get what is missing"
    )
    return parser


def run(args: argparse.Namespace, common: Common) -> int:
    """Print what works here; status 1 if no backend does, or a plugin is faulty."""
    from edgebench.records.environment import describe

    fabrics = [_fabric(line) for line in common.plugins.listed(Fabric)]
    found: dict[str, Any] = {
        "machine": attrs.asdict(describe()),
        "noise": _noise(),
        "backends": _backends(common, [row["name"] for row in fabrics if row["usable"]]),
        "fabrics": fabrics,
        "missing": [
            {"plugin": status.name, "why_not": status.why}
            for status in common.plugins.rows()
            if status.status == "missing"
        ],
        "faults": [str(fault) for fault in common.plugins.faults],
    }
    if common.json:
        common.emit(found)
    else:
        for part in _laid_out(found):
            common.show(part)
    return int(bool(found["faults"]) or not any(row["usable"] for row in found["backends"]))


def _noise() -> dict[str, float]:
    """Time a fixed work again and again: on a quiet machine it always takes as long."""
    from statistics import median, quantiles

    seconds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        sum(range(STEPS))
        seconds.append(time.perf_counter() - begin)
    return {
        "work_median_s": median(seconds),
        "work_p95_s": quantiles(seconds, n=20)[-1],
        "load": os.getloadavg()[0],
    }


def _fabric(line: Listed) -> dict[str, Any]:
    why, enforces = line.why_not, {}
    if isinstance(line.record, Fabric):
        said = line.record.usable()
        why = why or (None if said is True else str(said or "not usable"))
        enforces = dict(line.record.enforces)
    return {"name": line.name, "usable": why is None, "why_not": why, "enforces": enforces}


def _backends(common: Common, fabrics: Sequence[str]) -> list[dict[str, Any]]:
    from edgebench.cases.usable import Usability

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


def _backend(line: Listed, fabric: str, usability: Usability) -> dict[str, Any]:
    by_tier: dict[str, str | None] = {}
    if line.why_not is None:
        by_tier = {tier: usability.why_not(line.name, "", tier) for tier in usability.hosts}
    why = line.why_not or "; ".join(f"{tier}: {said}" for tier, said in by_tier.items() if said)
    return {
        "name": line.name,
        "fabric": fabric,
        "devices": list(usability.devices(line.name)),
        "usable": any(said is None for said in by_tier.values()),
        "why_not": why or None,
    }


# --- for people ----------------------------------------------------------------------------------


def _laid_out(found: Mapping[str, Any]) -> Iterator[RenderableType | str]:
    from edgebench.cli.tables import facts_table, table

    yield facts_table("this machine", dict(_facts(found["machine"], found["noise"])))
    yield table(
        "backends",
        ("name", "fabric", "devices", "usable", "why not, or where not"),
        ([*_backend_cells(row), _yes(row), row["why_not"] or ""] for row in found["backends"]),
    )
    yield table(
        "fabrics",
        ("name", "usable", "why not, or how it enforces"),
        ([r["name"], _yes(r), r["why_not"] or _how(r["enforces"])] for r in found["fabrics"]),
    )
    if found["missing"]:
        cells = ([row["plugin"], row["why_not"]] for row in found["missing"])
        yield table("missing", ("plugin", "how to get it"), cells)
    yield from found["faults"]


def _backend_cells(row: Mapping[str, Any]) -> list[str]:
    return [row["name"], row["fabric"], ", ".join(row["devices"]) or "-"]


def _yes(row: Mapping[str, Any]) -> str:
    return "yes" if row["usable"] else "no"


def _how(enforces: Mapping[str, str]) -> str:
    return "; ".join(f"{thing}: {how}" for thing, how in enforces.items())


def _facts(machine: Mapping[str, Any], noise: Mapping[str, float]) -> Iterator[tuple[str, Any]]:
    from edgebench.cli.tables import size

    for name, value in machine.items():
        if isinstance(value, Mapping):
            continue
        if value is None:
            yield name.removesuffix("_bytes"), "not readable here"
        elif name.endswith("_bytes"):
            yield name.removesuffix("_bytes"), size(value)
        elif name == "frequency_hz":
            yield "frequency", " to ".join(f"{hertz / 1e9:.2f} GHz" for hertz in value)
        else:
            yield name, value
    ratio = noise["work_p95_s"] / noise["work_median_s"]
    said = "figures will scatter" if ratio > NOISY else "quiet"
    yield "noise", f"the same work takes {ratio:.2f} times its median at p95: {said}"
    yield "load", f"{noise['load']:.2f} processes ready to run, over the last minute"
