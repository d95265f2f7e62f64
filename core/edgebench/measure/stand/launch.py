"""Opening hosts, starting their processes, connecting them along the route, hearing reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from edgebench.measure.stand.deployment import Deployment
from edgebench.measure.stand.lineup import Lineup
from edgebench.measure.stand.processes import Processes, Progress, ignore_progress
from edgebench.measure.station.orders import SenderOrder
from edgebench.parts.places import Fabric

HOST_MODULE = "edgebench.measure.station.host"


@contextmanager
def open_lineup(
    deployment: Deployment,
    fabric: Fabric,
    logs: dict[str, str],
    *,
    shaped: bool = True,
    progress: Progress = ignore_progress,
    stopping: Callable[[], bool] | None = None,
) -> Iterator[tuple[Processes, Lineup]]:
    """Open the hosts of a deployment, and a set of processes in which none is started yet.

    All of them are gone when the context ends; *logs* then hold what each process printed.
    """
    with (
        fabric.open(deployment.tiers, deployment.case.links) as hosts,
        Processes.open(deployment.scratch, deployment.deadline_s, progress, stopping) as processes,
    ):
        try:
            yield processes, Lineup(deployment, hosts, shaped)
        finally:
            logs.update(processes.read_logs())


def start_processes(processes: Processes, lineup: Lineup, first: SenderOrder) -> list[str]:
    """Start every process at once, and wait until all are ready.

    The *first* is the one that sends. Returned are their names, along the route.

    Raises:
        ProcessFailed: One of them ended.
        TimedOut: One of them took too long.
    """
    names = [first.name]
    processes.start(lineup.hosts[first.tier], first.MODULE, first)
    for node, order in lineup.host_orders(processes.endpoint):
        processes.start(
            lineup.hosts[node.tier], HOST_MODULE, order, lineup.deployment.code.get(node.tier, ())
        )
        names.append(node.name)
    hello = processes.hear("hello", names)
    # Each takes a port that is free and says which: one that was agreed on could be taken by then.
    for name, after in pairwise(names):
        processes.tell(name, {"following": hello[after].values["endpoint"]})
    processes.hear("ready", names)
    return names


def collect_reports(processes: Processes, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Ask every process for its report; each closes what it has opened before it says it."""
    for name in names:
        processes.tell(name, {"verb": "report"})
    return {name: reply.values for name, reply in processes.hear("report", names).items()}
