"""Measuring one block: fresh processes, checks before and after, requests between them."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from statistics import fmean, median
from typing import Any

from edgebench.measure.stand.deployment import Deployment
from edgebench.measure.stand.launch import collect_reports, open_lineup, start_processes
from edgebench.measure.stand.lineup import Lineup, Node
from edgebench.measure.stand.machine import compare_readings, take_reading
from edgebench.measure.stand.processes import Processes, ProcessFailed, Reply, TimedOut
from edgebench.measure.stand.verify import check_link, check_tier
from edgebench.measure.station.orders import DRIVER
from edgebench.parts.errors import EdgebenchError, one_line
from edgebench.parts.places import Fabric
from edgebench.records.outcome import Block, LinkCheck, TierCheck


def measure_block(deployment: Deployment, fabric: Fabric) -> Block:
    """Measure one block, and return it; it says itself if it failed, and why.

    Only the user's interruption is raised.
    """
    began, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    before = take_reading()
    logs: dict[str, str] = {}
    try:
        with open_lineup(deployment, fabric, logs) as (processes, lineup):
            found = {"status": "ok", **_measure_with(processes, lineup)}
    except TimedOut as late:
        found = {"status": "timeout", "reason": str(late)}
    except (ProcessFailed, EdgebenchError) as failure:
        found = {"status": "failed", "reason": str(failure)}
    except Exception as error:  # noqa: BLE001 - a fabric may raise anything, and costs its block
        logs["controller"] = traceback.format_exc()
        found = {"status": "failed", "reason": one_line(error)}
    return Block(
        number=deployment.number,
        order=deployment.order,
        resumption=deployment.resumption,
        started=started,
        duration_s=time.monotonic() - began,
        machine={**compare_readings(before, take_reading()), **found.pop("machine", {})},
        logs=logs,
        **found,
    )


def _measure_with(processes: Processes, lineup: Lineup) -> dict[str, Any]:
    """Go through a block, and return its fields."""
    import numpy as np

    names = start_processes(processes, lineup, lineup.driver_order(processes.endpoint))
    own, since = time.process_time(), time.monotonic()
    warm = processes.ask(DRIVER, "warm")
    # Once warm: tiers are timed with work as long as an inference, which is known only now.
    computing = [node for node in lineup.nodes if node.piece is not None]
    speeds = {node: processes.ask(node.name, "speed").values for node in computing}
    # Nothing changes a link within a block: once is enough, before and after by turns.
    first = lineup.deployment.number % 2 == 0
    links = _check_links(processes, lineup, "before") if first else []
    measured = processes.ask(DRIVER, "measure")
    links += [] if first else _check_links(processes, lineup, "after")
    # A controller that was not asleep has taken time from what it measured.
    used = (time.process_time() - own) / (time.monotonic() - since)
    said = collect_reports(processes, names)
    return {
        "controller_cpu": used,
        **_read_requests(measured, lineup),
        "warmup_s": np.asarray([*warm.values["latency_s"], *measured.values["again_s"]], float),
        "warmup": warm.values["said"],
        "links": tuple(links),
        "tiers": tuple(_check_tiers(speeds, said, lineup)),
        **_read_reports(said, lineup),
        "machine": {"foreign_messages": _count_foreign(said, processes)},
    }


def _count_foreign(
    said: Mapping[str, Mapping[str, Any]], processes: Processes
) -> Mapping[str, int]:
    """Count the messages of strangers, by who refused them; only those who did are named."""
    counts = {name: report.get("foreign", 0) for name, report in said.items()}
    return {name: n for name, n in {**counts, "controller": processes.control.foreign}.items() if n}


def _check_tiers(
    speeds: Mapping[Node, Mapping[str, Any]],
    said: Mapping[str, Mapping[str, Any]],
    lineup: Lineup,
) -> Iterator[TierCheck]:
    for node, found in speeds.items():
        host, threads = lineup.hosts[node.tier], lineup.threads(node.tier)
        yield check_tier(host, threads, found, said[node.name]["device"])


def _check_links(processes: Processes, lineup: Lineup, when: str) -> list[LinkCheck]:
    checks: list[LinkCheck] = []
    case = lineup.deployment.case
    for number, (link, way) in enumerate(zip(case.links, pairwise(case.route), strict=True)):
        found = processes.ask(lineup.sender(number), "probe", rate=link.rate).values
        checks += check_link(link, *way, when, dict(found))
    return checks


def _read_requests(measured: Reply, lineup: Lineup) -> dict[str, Any]:
    """Read what the driver noted of each request."""
    import numpy as np

    latency, inputs, noted = (np.frombuffer(raw, dtype=np.int64) for raw in measured.raw)
    names = measured.values["phases"]
    table = noted.reshape(len(latency), len(names)).astype(np.float64)
    table[table < 0] = np.nan
    columns = dict(zip(names, table.T, strict=True))
    samples = len(latency) * lineup.deployment.case.batch
    exits = {
        str(number): float(np.nansum(columns.pop(f"exited-{number}", np.zeros(1)))) / samples
        for number, stage in enumerate(lineup.deployment.pipeline.stages)
        if stage.exit is not None
    }
    return {
        "latency_s": latency / 1e9,
        "phases_s": {name: column / 1e9 for name, column in columns.items()},
        "inputs": inputs,
        "exit_rates": exits,
    }


def _read_reports(said: Mapping[str, Mapping[str, Any]], lineup: Lineup) -> dict[str, Any]:
    """Read what each process said at the end."""
    driver = said[DRIVER]
    sent = {node.tier: said[node.name]["forward"] for node in lineup.nodes}
    first = lineup.deployment.case.route[0]
    if first not in sent:
        sent[first] = driver["forward"]
    # Of a batch that shrinks at exits a middle one says little.
    early = any(stage.exit for stage in lineup.deployment.pipeline.stages)
    average = fmean if early else median
    peaks = {node.tier: said[node.name]["peak"] for node in lineup.nodes}
    return {
        "bytes_out": {
            **{tier: float(average(sizes)) for tier, sizes in sent.items() if sizes},
            "answer": float(driver["answer"]),
        },
        "bytes_mean": {
            **{tier: fmean(sizes) for tier, sizes in sent.items() if sizes},
            "answer": float(driver["answer_mean"]),
        },
        "cold_s": {node.tier: said[node.name]["cold"] for node in lineup.nodes},
        "peak_memory_bytes": {tier: peak for tier, peak in peaks.items() if peak is not None},
    }
