"""Starting the processes of a block, connecting them along the route, and hearing their reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from edgebench.measure.stand.deployment import Stand
from edgebench.measure.stand.processes import Processes
from edgebench.measure.station.orders import DRIVER

HOST = "edgebench.measure.station.host"


def start_processes(processes: Processes, stand: Stand, driver: str) -> list[str]:
    """Start every process at once, the module *driver* first, and wait until all are ready.

    Returned are their names, along the route.

    Raises:
        ProcessFailed: One of them ended.
        TimedOut: One of them took too long.
    """
    deployment, names = stand.deployment, [DRIVER]
    processes.start(
        stand.hosts[deployment.case.route[0]], driver, stand.driver(processes.endpoint), 1
    )
    for node, order in stand.orders(processes.endpoint):
        threads = stand.threads(node.tier) if order.work else 1
        processes.start(stand.hosts[node.tier], HOST, order, threads)
        names.append(node.name)
    hello = processes.hear("hello", names)
    for name, after in pairwise(names):
        processes.tell(name, {"next": hello[after].values["endpoint"]})
    processes.hear("ready", names)
    return names


def collect_reports(processes: Processes, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Ask every process for its report; each closes what it has opened before it says it."""
    for name in names:
        processes.tell(name, {"verb": "report"})
    return {name: reply.values for name, reply in processes.hear("report", names).items()}
