"""`edgebench doctor`: what this machine can do, and how to get what is missing."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cases.usable import Usability
from edgebench.cli.common import Common
from edgebench.parts.places import Backend, Fabric
from edgebench.records.environment import describe
from edgebench.sessions.asking import ask_in_processes
from edgebench.survey.statuses import list_statuses

if TYPE_CHECKING:
    from rich.console import RenderableType

    from edgebench.catalogue.listing import Listed

SCHEMA = 2
ROUNDS, STEPS = 300, 10_000
"""Of the fixed work that shows how noisy the machine is: a tenth of a second in all."""
NOISY = 1.1
"""The 95th percentile of a fixed work in medians, from which on a machine is called noisy."""

_ELSEWHERE = "what it runs is loaded elsewhere: its options say where (edgebench show backend {})"

Item = dict[str, Any]


def configure(_: argparse.ArgumentParser) -> None:
    """Declare no options: it has none of its own."""


def run(_: argparse.Namespace, common: Common) -> int:
    """Print what works here; status 1 if no backend does, or a plugin is faulty."""
    fabrics = [_examine_fabric(line) for line in common.plugins.listed(Fabric)]
    usable = [item["name"] for item in fabrics if item["usable"]]
    found: Item = {
        "machine": attrs.asdict(describe()),
        "noise": _measure_noise(),
        "backends": [item for fabric in usable for item in _examine_backends(common, fabric)],
        "fabrics": fabrics,
        "missing": [
            {"plugin": status.plugin.name, "why_not": status.why}
            for status in list_statuses(common.plugins)
            if status.status == "missing"
        ],
        "faults": [str(fault) for fault in common.plugins.faults],
    }
    if common.json:
        common.emit({"schema": SCHEMA, **found})
    else:
        for part in _lay_out(found):
            common.show(part)
    return int(bool(found["faults"]) or not any(item["usable"] for item in found["backends"]))


def _measure_noise() -> dict[str, float]:
    """Time a fixed work again and again: on a quiet machine it always takes as long."""
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


def _examine_fabric(line: Listed) -> Item:
    why, enforces = line.why_not, {}
    if isinstance(line.part, Fabric):
        said = line.part.usable()
        why = why or (None if said is True else str(said or "not usable"))
        enforces = dict(line.part.enforces)
    return {"name": line.name, "usable": why is None, "why_not": why, "enforces": enforces}


def _examine_backends(common: Common, fabric: str) -> Iterator[Item]:
    """Ask every backend on every tier's host whether it works there."""
    with Usability.open(common.plugins, fabric, ask_in_processes) as usability:
        usability.ask([(name, "") for name in common.plugins.all(Backend)])
        # Known once the first answers are: what else each of them offers here.
        others = [(name, usability.devices(name)[1:]) for name in common.plugins.all(Backend)]
        usability.ask([(name, device) for name, found in others for device in found])
    for line in common.plugins.listed(Backend):
        yield {"name": line.name, "fabric": fabric, **_examine_backend(line, usability)}


def _examine_backend(line: Listed, usability: Usability) -> Item:
    by_tier: dict[str, str | None] = {}
    if line.why_not is None:
        by_tier = {tier: usability.why_not(line.name, "", tier) for tier in usability.hosts}
    found = [f"{tier}: {said}" for tier, said in by_tier.items() if said]
    usable = None in by_tier.values()
    if usable:
        found += [f"not {text}" for text in _list_unusable(line.name, usability)]
    if usable and isinstance(line.part, Backend) and not line.part.loads:
        found.append(_ELSEWHERE.format(line.name))
    why = line.why_not or "; ".join(found)
    return {
        "devices": list(usability.devices(line.name)),
        "usable": usable,
        "why_not": why or None,
    }


def _list_unusable(backend: str, usability: Usability) -> Iterator[str]:
    """Yield why devices beside the first are not usable, each once where all tiers say the same."""
    for device in usability.devices(backend)[1:]:
        said = {tier: usability.why_not(backend, device, tier) for tier in usability.hosts}
        if len(set(said.values())) == 1:
            yield from (f"{device}: {why}" for why in set(said.values()) if why)
        else:
            yield from (f"{device} on {tier}: {why}" for tier, why in said.items() if why)


# --- for people ----------------------------------------------------------------------------------


_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "backends": {
        "name": "name",
        "fabric": "fabric",
        "devices": "devices",
        "usable": "usable",
        "why_not": "why not, or where not",
    },
    "fabrics": {"name": "name", "usable": "usable", "why_not": "why not, or how it enforces"},
    "missing": {"plugin": "plugin", "why_not": "how to get it"},
}
"""What the columns of each table are called."""


def _lay_out(found: Item) -> Iterator[RenderableType | str]:
    from edgebench.cli.tables import pair_table, table

    yield pair_table("this machine", dict(_write_machine(found["machine"], found["noise"])))
    for title, columns in _COLUMNS.items():
        if found[title] or title != "missing":
            cells = (_write_cells(item, columns) for item in found[title])
            yield table(title, list(columns.values()), cells)
    yield from found["faults"]


def _write_cells(item: Item, keys: Iterable[str]) -> list[str]:
    from edgebench.cli.tables import write_value

    how = "; ".join(f"{thing}: {how}" for thing, how in item.get("enforces", {}).items())
    return [item[key] or how if key == "why_not" else write_value(key, item[key]) for key in keys]


def _write_machine(
    machine: Mapping[str, Any], noise: Mapping[str, float]
) -> Iterator[tuple[str, Any]]:
    from edgebench.cli.tables import write_size

    for name, value in machine.items():
        if isinstance(value, Mapping):
            continue
        if value is None:
            yield name.removesuffix("_bytes"), "not readable here"
        elif name.endswith("_bytes"):
            yield name.removesuffix("_bytes"), write_size(value)
        elif name == "frequency_hz":
            yield "frequency", " to ".join(f"{hertz / 1e9:.2f} GHz" for hertz in value)
        elif isinstance(value, tuple):
            yield name, ", ".join(map(str, value)) or "none"
        else:
            yield name, value
    ratio = noise["work_p95_s"] / noise["work_median_s"]
    said = "figures will scatter" if ratio > NOISY else "quiet"
    yield "noise", f"the same work takes {ratio:.2f} times its median at p95: {said}"
    yield "load", f"{noise['load']:.2f} processes ready to run, over the last minute"
